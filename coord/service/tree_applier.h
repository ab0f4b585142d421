#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "coord/replica/replica.h"
#include "coord/service/apply_waiters.h"
#include "coord/service/connection_table.h"
#include "coord/service/digest_check.h"
#include "coord/service/discarded_states.h"
#include "coord/service/envelope.h"
#include "coord/service/feature_levels.h"
#include "coord/service/list_views.h"
#include "coord/service/lock_waits.h"
#include "coord/service/locked_tree.h"
#include "coord/service/options.h"
#include "coord/service/tree_bound.h"
#include "coord/service/watch_hub.h"
#include "coord/service/znode_watches.h"

namespace bellwether::coord {

// What the applier tells the service, holding no lock.
class ApplyListener {
 public:
  virtual ~ApplyListener() = default;

  virtual void OnSessionAttached(const tree::SessionGrant& grant) = 0;
  virtual void OnSessionEnded(SessionId session) = 0;
  virtual void OnEnsembleId(base::Uuid ensemble_id) = 0;
  virtual void OnFeatureLevel(uint32_t level) = 0;
  virtual void OnEntryApplied(LogIndex index) = 0;
  // A snapshot took the place of the state: no watch goes on, and only its sessions live.
  virtual void OnStateReplaced(const tree::StateView& state) = 0;
  // A committed command can't be understood or followed by this build, or the state is not the leader's:
  // the server must stop.
  virtual void OnCannotGoOn(const absl::Status& status) = 0;
};

// Executes committed entries on the tree and tells everybody what follows: per command first the
// events of all watches, then the reply of whoever waits for it, all under one hold of the tree and
// into queues, so that an event precedes every reply that could reveal its change (Z25). Wakes
// connections when it has let go.
// Owned by the service; runs on the apply executor only.
// Limits: one hold of the tree lasts about ServiceOptions::apply_hold_max.
class TreeApplier {
 public:
  struct Dependencies {
    LockedTree& state;
    ApplyWaiters& waiters;
    ConnectionTable& connections;
    ZnodeWatches& znode_watches;
    LockWaits& lock_waits;
    ListViews& list_views;
    WatchHub& hub;
    DigestCheck& digests;
    FeatureLevels& feature_levels;
    TreeBound& tree_bound;
    DiscardedStates& discarded_states;
    ApplyListener& listener;
    base::Clock& clock;
    base::Metrics& metrics;
    uint64_t process = 0;  // CommandOrigin of this process
  };

  TreeApplier(const ServiceOptions& options, Dependencies deps);

  void Apply(const std::vector<CommittedBatch>& batches);

  // As StateMachine's.
  std::unique_ptr<StateSnapshot> TakeSnapshot() const;
  absl::Status RestoreSnapshot(LogIndex index, SnapshotReader& reader);

 private:
  struct Opened {
    OpenedCommand command;
    int64_t time_ms = 0;
    std::optional<LogIndex> completes;  // the last command of this entry
  };
  // What to tell when the tree is released.
  struct Aftermath {
    WakeList woken;
    std::vector<tree::StateView> discarded;
    std::vector<tree::SessionGrant> attached;
    std::vector<SessionId> ended;
    std::optional<base::Uuid> ensemble_id;
    std::optional<uint32_t> feature_level;
  };

  absl::StatusOr<OpenedCommand> OpenOne(std::string_view bytes) const;
  bool Open(const std::vector<CommittedBatch>& batches, std::vector<Opened>& commands);
  // Applies commands from `next` on for one hold; returns the next one.
  size_t ApplyForOneHold(std::vector<Opened>& commands, size_t next);
  void ApplyOne(Opened& opened, Aftermath& aftermath)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(deps_.state.mutex);
  void FollowSession(const OpenedCommand& opened, const tree::Result& result,
                     Aftermath& aftermath) ABSL_EXCLUSIVE_LOCKS_REQUIRED(deps_.state.mutex);
  // The state before a command that deletes much, so that it frees nothing of that itself.
  void KeepWhatIsDeleted(const tree::Command& command, Aftermath& aftermath) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(deps_.state.mutex);
  void Tell(Aftermath& aftermath);
  void StopFor(const absl::Status& status);

  const ServiceOptions& options_;
  Dependencies deps_;
  base::Counter& applied_commands_;
  base::Counter& repeated_writes_;
  base::Counter& forgotten_results_;
  base::Histogram& hold_seconds_;
  LogIndex index_;  // of the last entry applied as a whole
  std::vector<Opened> commands_;  // of the call of Apply under way; empty, but with room, else
  absl::Duration hold_began_;
  bool stopped_ = false;
};

}  // namespace bellwether::coord
