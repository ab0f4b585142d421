#include "tests/sim/check_zk_watches.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bellwether::sim {
namespace {

using coord::tree::Change;
using coord::zk::wire::EventType;
using coord::zk::wire::Opcode;
using coord::zk::wire::WatcherType;
using coord::zk::wire::ZkError;

// Of what happened while the watches were away (Z34).
constexpr Zxid kCaughtUp = Zxid(-1);

// The watches of a connection as its replies set them.
class WatchesOfConnection {
 public:
  void Add(EventType table, const std::string& path) { TableOf(table).insert(path); }
  void AddPersistent(const std::string& path, bool recursive) {
    (recursive ? recursive_ : persistent_).insert(path);
  }

  // Whether the change is to be told; what is one-shot is gone then.
  bool Fire(const Change& change) {
    if (change.type == Change::Type::kChildren) {
      return child_.erase(change.path) > 0 || persistent_.contains(change.path);
    }
    bool told = data_.erase(change.path) > 0;
    if (change.type == Change::Type::kDeleted) told = child_.erase(change.path) > 0 || told;
    return told || persistent_.contains(change.path) || IsBelowRecursive(change.path);
  }

  bool Has(const std::string& path, WatcherType type) const {
    switch (type) {
      case WatcherType::kChildren:
        return child_.contains(path);
      case WatcherType::kData:
        return data_.contains(path);
      case WatcherType::kPersistent:
        return persistent_.contains(path);
      case WatcherType::kPersistentRecursive:
        return recursive_.contains(path);
      case WatcherType::kAny:
        break;
    }
    return child_.contains(path) || data_.contains(path) || persistent_.contains(path) ||
           recursive_.contains(path);
  }

  void Remove(const std::string& path, WatcherType type) {
    const bool any = type == WatcherType::kAny;
    if (any || type == WatcherType::kChildren) child_.erase(path);
    if (any || type == WatcherType::kData) data_.erase(path);
    if (any || type == WatcherType::kPersistent) persistent_.erase(path);
    if (any || type == WatcherType::kPersistentRecursive) recursive_.erase(path);
  }

 private:
  std::set<std::string>& TableOf(EventType table) {
    return table == EventType::kNodeChildrenChanged ? child_ : data_;
  }
  bool IsBelowRecursive(const std::string& path) const {
    return std::any_of(recursive_.begin(), recursive_.end(),
                       [&path](const std::string& root) { return IsWithin(path, root); });
  }

  std::set<std::string> data_;
  std::set<std::string> child_;
  std::set<std::string> persistent_;
  std::set<std::string> recursive_;
};

class ConnectionFollower {
 public:
  ConnectionFollower(const ZkConnection& connection, const Model& model, Violations& violations)
      : connection_(connection), model_(model), violations_(violations) {}

  void Follow() {
    for (const ZkArrival& arrival : connection_.arrivals) {
      if (failed_) return;
      if (arrival.kind == ZkArrival::Kind::kEvent) {
        OnEvent(arrival);
      } else {
        OnReply(arrival);
      }
    }
  }

 private:
  struct Expected {
    EventType type{};
    std::string path;
    Zxid zxid;
    bool certain = true;  // else the ACL may have been asked for a user or for none
  };

  static std::string Describe(const Expected& due) {
    return fmt::format("{} of {} at zxid {}", static_cast<int32_t>(due.type), due.path, due.zxid);
  }

  template <typename... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) {
    failed_ = true;
    violations_.Add("zk watch", "client {} on connection {}: {}", connection_.client,
                    connection_.number, fmt::format(format, std::forward<Args>(args)...));
  }

  void OnEvent(const ZkArrival& event) {
    if (event.zxid == kCaughtUp) {
      caught_up_.push_back({event.type, event.path, event.zxid});
      return;
    }
    if (event.zxid > model_.newest()) {
      return Fail("an event of {} has zxid {}, the log ends at {}", event.path, event.zxid,
                  model_.newest());
    }
    AdvanceTo(event.zxid);
    while (!expected_.empty() && !Is(expected_.front(), event) && !expected_.front().certain) {
      expected_.pop_front();
    }
    if (expected_.empty() || !Is(expected_.front(), event)) {
      const std::string due = expected_.empty() ? "none" : Describe(expected_.front());
      return Fail("got event {} of {} at zxid {}, due was {}", static_cast<int32_t>(event.type),
                  event.path, event.zxid, due);
    }
    expected_.pop_front();
  }

  static bool Is(const Expected& expected, const ZkArrival& event) {
    return expected.type == event.type && expected.path == event.path &&
           expected.zxid == event.zxid;
  }

  void OnReply(const ZkArrival& reply) {
    AdvanceTo(reply.zxid);
    for (const Expected& due : expected_) {
      if (!due.certain || due.zxid > reply.zxid) continue;
      return Fail("was shown zxid {} before event {}", reply.zxid, Describe(due));
    }
    std::erase_if(expected_, [&reply](const Expected& due) { return due.zxid <= reply.zxid; });
    const ZkOperation* const operation = reply.operation;
    if (operation != nullptr && operation->opcode == Opcode::kSetWatches2) {
      return OnSetWatches(*operation);
    }
    if (!caught_up_.empty()) {
      return Fail("got an event as if it was missed, {}", Describe(caught_up_.front()));
    }
    if (operation != nullptr) OnAnswered(*operation);
  }

  void OnAnswered(const ZkOperation& operation) {
    const bool ok = operation.error == ZkError::kOk;
    const std::string& path = operation.path;
    switch (operation.opcode) {
      case Opcode::kGetData:
        if (operation.watch && ok) watches_.Add(EventType::kNodeDataChanged, path);
        return;
      case Opcode::kExists:
        if (operation.watch && (ok || operation.error == ZkError::kNoNode)) {
          watches_.Add(EventType::kNodeDataChanged, path);  // Z26
        }
        return;
      case Opcode::kGetChildren2:
        if (operation.watch && ok) watches_.Add(EventType::kNodeChildrenChanged, path);
        return;
      case Opcode::kAddWatch:
        if (ok) watches_.AddPersistent(path, operation.recursive);
        return;
      case Opcode::kRemoveWatches:
      case Opcode::kCheckWatches:
        if (watches_.Has(path, operation.watcher_type) != ok) {
          return Fail("{} was answered {}", sim::Describe(operation),
                      static_cast<int32_t>(operation.error));
        }
        if (operation.opcode == Opcode::kRemoveWatches) {
          watches_.Remove(path, operation.watcher_type);
        }
        return;
      default:
        return;
    }
  }

  // Z31: what would have fired meanwhile is told, the rest is set again.
  void OnSetWatches(const ZkOperation& request) {
    const Zxid zxid = request.zxid;
    std::vector<Expected> due;
    for (const std::string& path : request.data) {
      const Model::Snapshot* const znode = model_.At(path, zxid);
      if (znode == nullptr) {
        due.push_back({EventType::kNodeDeleted, path, kCaughtUp});
      } else if (znode->stat.mzxid > request.relative) {
        due.push_back({EventType::kNodeDataChanged, path, kCaughtUp});
      } else {
        watches_.Add(EventType::kNodeDataChanged, path);
      }
    }
    for (const std::string& path : request.exist) {
      if (model_.At(path, zxid) != nullptr) {
        due.push_back({EventType::kNodeCreated, path, kCaughtUp});
      } else {
        watches_.Add(EventType::kNodeDataChanged, path);
      }
    }
    for (const std::string& path : request.child) {
      const Model::Snapshot* const znode = model_.At(path, zxid);
      if (znode == nullptr) {
        due.push_back({EventType::kNodeDeleted, path, kCaughtUp});
      } else if (znode->stat.pzxid > request.relative) {
        due.push_back({EventType::kNodeChildrenChanged, path, kCaughtUp});
      } else {
        watches_.Add(EventType::kNodeChildrenChanged, path);
      }
    }
    for (const std::string& path : request.persistent) watches_.AddPersistent(path, false);
    for (const std::string& path : request.all_below) watches_.AddPersistent(path, true);
    const bool same = std::equal(due.begin(), due.end(), caught_up_.begin(), caught_up_.end(),
                                 [](const Expected& a, const Expected& b) {
                                   return a.type == b.type && a.path == b.path;
                                 });
    if (!same) {
      return Fail("set its watches again at zxid {} as of {} and was told of {} instead of {}",
                  zxid, request.relative, caught_up_.size(), due.size());
    }
    caught_up_.clear();
  }

  // What fires by changes up to `zxid`.
  void AdvanceTo(Zxid zxid) {
    if (first_) {
      first_ = false;
      position_ = zxid;  // nothing was set before
      return;
    }
    for (const Model::Applied& applied : model_.CommandsIn(position_, zxid)) {
      for (const Change& change : applied.changes) {
        if (!watches_.Fire(change)) continue;
        using coord::tree::kRead;
        if (!Allows(change.access, kRead, connection_.last_identities)) continue;  // Z32
        expected_.push_back({ZkTypeOf(change.type), change.path, change.zxid,
                             Allows(change.access, kRead, connection_.first_identities)});
      }
    }
    position_ = std::max(position_, zxid);
  }

  const ZkConnection& connection_;
  const Model& model_;
  Violations& violations_;
  WatchesOfConnection watches_;
  bool first_ = true;
  Zxid position_;  // all changes up to it have fired
  std::deque<Expected> expected_;
  std::vector<Expected> caught_up_;
  bool failed_ = false;
};

}  // namespace

void CheckZkWatches(const History& history, const Model& model, Violations& violations) {
  for (const ZkConnection& connection : history.zk_connections) {
    ConnectionFollower(connection, model, violations).Follow();
  }
}

}  // namespace bellwether::sim
