#include "coord/service/set_watches.h"

#include <optional>
#include <string>
#include <vector>

#include "base/mutant.h"

namespace bellwether::coord {
namespace {

using Type = tree::Change::Type;
using Table = ZnodeWatches::Table;

// Of events that stand for whatever happened meanwhile (Z34).
constexpr Zxid kCaughtUp = Zxid(-1);

class SettingAgain {
 public:
  SettingAgain(const tree::StateView& state, Zxid relative,
               const std::shared_ptr<ZnodeWatcher>& watcher, ZnodeWatches& watches)
      : state_(state), relative_(relative), watcher_(watcher), watches_(watches) {}

  bool Data(const std::string& path) {
    const std::optional<tree::Stat> stat = state_.Exists(path);
    if (!stat.has_value()) return Tell(Type::kDeleted, path);
    if (stat->mzxid > relative_ && !MUTANT(55)) return Tell(Type::kChanged, path);
    return watches_.Add(Table::kData, path, watcher_);
  }

  bool Exist(const std::string& path) {
    if (state_.Exists(path).has_value()) return Tell(Type::kCreated, path);
    return watches_.Add(Table::kData, path, watcher_);
  }

  bool Child(const std::string& path) {
    const std::optional<tree::Stat> stat = state_.Exists(path);
    if (!stat.has_value()) return Tell(Type::kDeleted, path);
    if (stat->pzxid > relative_) return Tell(Type::kChildren, path);
    return watches_.Add(Table::kChild, path, watcher_);
  }

  bool Persistent(const std::string& path, bool recursive) {
    return watches_.AddPersistent(path, recursive, watcher_);
  }

  bool must_wake() const { return must_wake_; }

 private:
  bool Tell(Type type, const std::string& path) {
    if (watcher_->QueueEvent({type, tree::SharedBytes::Copy(path), kCaughtUp})) must_wake_ = true;
    return true;
  }

  const tree::StateView& state_;
  const Zxid relative_;
  const std::shared_ptr<ZnodeWatcher>& watcher_;
  ZnodeWatches& watches_;
  bool must_wake_ = false;
};

bool SetAll(const SetWatches& request, SettingAgain& again) {
  for (const std::string& path : request.data) {
    if (!again.Data(path)) return false;
  }
  for (const std::string& path : request.exist) {
    if (!again.Exist(path)) return false;
  }
  for (const std::string& path : request.child) {
    if (!again.Child(path)) return false;
  }
  for (const std::string& path : request.persistent) {
    if (!again.Persistent(path, false)) return false;
  }
  for (const std::string& path : request.recursive) {
    if (!again.Persistent(path, true)) return false;
  }
  return true;
}

}  // namespace

bool SetWatchesAgain(const SetWatches& request, const tree::StateView& state,
                     const std::shared_ptr<ZnodeWatcher>& watcher, ZnodeWatches& watches,
                     WakeList& woken) {
  SettingAgain again(state, request.relative, watcher, watches);
  const bool all_set = SetAll(request, again);
  if (again.must_wake()) woken.push_back(watcher);
  return all_set;
}

}  // namespace bellwether::coord
