#include "coord/service/set_watches.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/mutant.h"
#include "coord/service/watch_requests.h"

namespace bellwether::coord {
namespace {

using Type = tree::Change::Type;
using Table = ZnodeWatches::Table;

// Set under one hold of the tree.
constexpr size_t kPathsPerHold = 1'000;

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
    if (watcher_->QueueEvent({type, tree::SharedBytes::Copy(path), kCaughtUpZxid})) must_wake_ = true;
    return true;
  }

  const tree::StateView& state_;
  const Zxid relative_;
  const std::shared_ptr<ZnodeWatcher>& watcher_;
  ZnodeWatches& watches_;
  bool must_wake_ = false;
};

// The lists of a request, in the order in which they are set.
constexpr std::array<std::vector<std::string> SetWatches::*, 5> kPathLists = {
    &SetWatches::data, &SetWatches::exist, &SetWatches::child, &SetWatches::persistent,
    &SetWatches::recursive};

bool SetOne(std::vector<std::string> SetWatches::*list, const std::string& path,
            SettingAgain& again) {
  if (list == &SetWatches::data) return again.Data(path);
  if (list == &SetWatches::exist) return again.Exist(path);
  if (list == &SetWatches::child) return again.Child(path);
  return again.Persistent(path, list == &SetWatches::recursive);
}

}  // namespace

bool SetWatchesAgain(const SetWatches& request, const tree::StateView& state,
                     const std::shared_ptr<ZnodeWatcher>& watcher, ZnodeWatches& watches,
                     WakeList& woken) {
  SettingAgain again(state, request.relative, watcher, watches);
  bool all_set = true;
  for (const auto list : kPathLists) {
    for (const std::string& path : request.*list) all_set = all_set && SetOne(list, path, again);
  }
  if (again.must_wake()) woken.push_back(watcher);
  return all_set;
}

LongSetWatches::LongSetWatches(const LockedTree& state, ZnodeWatches& watches,
                               std::weak_ptr<ZnodeWatcher> watcher, const Request& request,
                               Ready ready)
    : state_(state),
      watches_(watches),
      watcher_(std::move(watcher)),
      request_(request),
      ready_(std::move(ready)) {}

std::optional<Response> LongSetWatches::Continue(size_t visits_max) {
  const auto& request = std::get<SetWatches>(request_.operation);
  const std::shared_ptr<ZnodeWatcher> watcher = watcher_.lock();
  if (watcher == nullptr) return std::nullopt;
  std::optional<Response> response;
  bool must_wake;
  {
    base::ReaderLock lock(state_.mutex);
    SettingAgain again(state_.tree, request.relative, watcher, watches_);
    size_t left = std::min(visits_max, kPathsPerHold);
    bool all_set = true;
    for (; list_ < kPathLists.size() && all_set; ++list_, next_ = 0) {
      const auto list = kPathLists[list_];
      const std::vector<std::string>& paths = request.*list;
      for (; next_ < paths.size() && all_set && left > 0; --left) {
        all_set = SetOne(list, paths[next_++], again);
      }
      if (next_ < paths.size()) break;
    }
    if (list_ == kPathLists.size() || !all_set) {
      response.emplace();
      response->request_id = request_.id;
      response->zxid = state_.tree.zxid();
      if (!all_set) response->failure = TooManyWatches();
      ready_();
    }
    must_wake = again.must_wake();
  }
  if (must_wake) watcher->PostWake();
  return response;
}

}  // namespace bellwether::coord
