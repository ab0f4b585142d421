#include "tests/sim/check_watches.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "coord/tree/system_znodes.h"
#include "fmt/format.h"
#include "tests/sim/zk_users.h"

namespace bellwether::sim {
namespace {

using coord::tree::Change;
using client::WatchBatch;
using client::WatchChange;
using client::WatchEventType;

bool Concerns(const WatchRecord& watch, const Change& change) {
  if (watch.recursive && change.type == Change::Type::kChildren) return false;
  if (IsPrivate(change.path)) return false;
  return std::any_of(watch.paths.begin(), watch.paths.end(), [&](const std::string& path) {
    return watch.recursive ? IsWithin(change.path, path) : change.path == path;
  });
}

// They came to be at zxid 0, whenever the feature level was raised: who asks what was created or
// changed meanwhile is not told of them.
bool IsTimeless(std::string_view path) { return path != "/" && coord::tree::IsSystemPath(path); }

// The batch, or a copy in `without` when something is not to be looked at.
const WatchBatch& WithoutPrivate(const WatchBatch& batch, WatchBatch& without) {
  const auto is_private = [](const WatchChange& change) { return IsPrivate(change.path); };
  if (std::none_of(batch.changes.begin(), batch.changes.end(), is_private)) return batch;
  without = batch;
  std::erase_if(without.changes, is_private);
  return without;
}

// For who proves nothing: no address of theirs is in an ACL.
bool AnybodyMayRead(const Change& change) {
  const coord::tree::Acl& acl = coord::tree::AclOf(change.access);
  return std::any_of(acl.begin(), acl.end(), [](const coord::tree::AclEntry& entry) {
    return entry.scheme == "world" && (entry.permissions & coord::tree::kRead) != 0;
  });
}

bool Same(const WatchChange& delivered, const Change& change) {
  if (delivered.type != TypeOf(change.type) || delivered.path != change.path) return false;
  if (change.type == Change::Type::kDeleted) return true;
  if (ToTree(delivered.stat) != change.stat) return false;
  if (change.type == Change::Type::kChildren) return true;
  return delivered.data.has_value() != change.data.is_null() &&
         delivered.data.value_or("") == change.data.view();
}

// Follows one watch from batch to batch.
class WatchFollower {
 public:
  WatchFollower(const WatchRecord& watch, const Model& model, Violations& violations)
      : watch_(watch), model_(model), violations_(violations), position_(watch.from_zxid) {
    if (position_ > Zxid(0)) view_ = Truth(position_);
  }

  void Follow() {
    for (const WatchBatch& whole : watch_.batches) {
      WatchBatch without;
      const WatchBatch& batch = WithoutPrivate(whole, without);
      const Zxid zxid = ToTree(batch.zxid);
      if (zxid > model_.newest()) return Fail(zxid, "is beyond the log");
      if (zxid < position_) return Fail(zxid, "is older than what came before");
      if (batch.initial || batch.resync) {
        if (!Resync(batch)) return;
      } else if (!ToldMayBe(whole)) {
        return Fail(zxid, "tells of what the client may not read");
      } else if (!Changes(batch)) {
        return;
      }
      if (batch.complete) position_ = zxid;
    }
  }

 private:
  // Of each znode, (czxid, mzxid).
  using View = std::map<std::string, std::pair<Zxid, Zxid>>;

  void Fail(Zxid zxid, std::string_view what) {
    violations_.Add("watch", "client {} watching {}{}: the batch of zxid {} after {} {}",
                    watch_.client, watch_.recursive ? "all below " : "",
                    fmt::join(watch_.paths, ", "), zxid, position_, what);
  }

  // What the client now believes is below the path.
  void Believe(const WatchChange& change) {
    if (IsTimeless(change.path)) return;
    if (change.type == WatchEventType::kDeleted) {
      view_.erase(change.path);
    } else {
      view_[change.path] = {ToTree(change.stat.czxid), ToTree(change.stat.mzxid)};
    }
  }

  // Of znodes that not everybody may read: each change told is one that could be read.
  bool ToldMayBe(const WatchBatch& batch) const {
    const Model::Applied* const applied = model_.CommandAt(ToTree(batch.zxid));
    if (applied == nullptr) return batch.changes.empty();
    const auto& changes = applied->changes;
    return std::all_of(batch.changes.begin(), batch.changes.end(), [&](const WatchChange& told) {
      return !IsPrivate(told.path) ||
             std::any_of(changes.begin(), changes.end(), [&told](const Change& change) {
               return Same(told, change) && AnybodyMayRead(change);
             });
    });
  }

  bool Resync(const WatchBatch& batch) {
    for (const WatchChange& change : batch.changes) Believe(change);
    if (!batch.complete) return true;
    const View truth = Truth(ToTree(batch.zxid));
    if (batch.deletions_unknown) {
      std::erase_if(view_, [&truth](const auto& entry) { return !truth.contains(entry.first); });
    }
    return ViewIsRight(ToTree(batch.zxid));
  }

  // What there was, as View.
  View Truth(Zxid zxid) const {
    View truth;
    for (const std::string& root : watch_.paths) {
      if (watch_.recursive) {
        for (const auto& [path, snapshot] : model_.Subtree(root, zxid)) {
          if (IsPrivate(path) || IsTimeless(path)) continue;
          truth[path] = {snapshot->stat.czxid, snapshot->stat.mzxid};
        }
      } else if (const Model::Snapshot* snapshot = model_.At(root, zxid)) {
        truth[root] = {snapshot->stat.czxid, snapshot->stat.mzxid};
      }
    }
    return truth;
  }

  bool ViewIsRight(Zxid zxid) {
    if (Truth(zxid) == view_) return true;
    Fail(zxid, "does not lead to the state of that zxid");
    return false;
  }

  bool Changes(const WatchBatch& batch) {
    const Zxid zxid = ToTree(batch.zxid);
    for (const Model::Applied& applied : model_.CommandsIn(position_, zxid)) {
      std::vector<const Change*> due;
      for (const Change& change : applied.changes) {
        if (Concerns(watch_, change)) due.push_back(&change);
      }
      if (applied.zxid < zxid || batch.changes.empty()) {
        if (due.empty()) continue;
        Fail(zxid, "leaves out a change before it or of it");
        return false;
      }
      const bool same = std::equal(
          batch.changes.begin(), batch.changes.end(), due.begin(), due.end(),
          [](const WatchChange& delivered, const Change* change) {
            return Same(delivered, *change);
          });
      if (same) continue;
      Fail(zxid, "does not hold the changes of that zxid");
      return false;
    }
    if (zxid == position_ && !batch.changes.empty()) {
      Fail(zxid, "delivers changes a second time");
      return false;
    }
    for (const WatchChange& change : batch.changes) Believe(change);
    return batch.changes.empty() || ViewIsRight(zxid);
  }

  const WatchRecord& watch_;
  const Model& model_;
  Violations& violations_;
  Zxid position_;
  View view_;
};

}  // namespace

void CheckWatches(const History& history, const Model& model, Violations& violations) {
  for (const WatchRecord& watch : history.watches) {
    WatchFollower(watch, model, violations).Follow();
  }
}

}  // namespace bellwether::sim
