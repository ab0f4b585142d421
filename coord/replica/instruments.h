#pragma once

#include <map>
#include <optional>

#include "absl/time/time.h"
#include "base/metrics.h"
#include "coord/raft/types.h"

namespace bellwether::coord {

// The metrics of a replica. Part of the driver.
struct Instruments {
  explicit Instruments(base::Metrics& metrics);

  base::Gauge& term;
  base::Gauge& is_leader;
  base::Gauge& commit_index;
  base::Gauge& applied_index;
  base::Gauge& last_index;
  base::Gauge& commit_lag;
  base::Gauge& apply_lag;
  base::Counter& elections_started;
  base::Counter& elections_won;
  base::Counter& leader_changes;
  base::Counter& handovers;
  base::Counter& proposals;
  base::Counter& proposals_refused;
  base::Counter& forwards_broken;
  base::Counter& appends_refused_disk;
  base::Histogram& commit_seconds;
  base::Histogram& apply_seconds;
  base::Counter& snapshots_taken;
  base::Counter& snapshots_installed;
  base::Counter& snapshots_damaged;
  base::Histogram& snapshot_seconds;
  base::Gauge& snapshot_index;
  base::Gauge& snapshot_bytes;
  base::Gauge& snapshot_received_bytes;
};

// Measures how long it takes from when something was begun at a log index until it has got that far,
// one sample at a time: the next begins after the one before has ended. Not thread-safe.
class IndexTimer {
 public:
  // Unless one is under way.
  void Begin(raft::LogIndex index, absl::Duration now);
  // All up to `index` is done: the time it took, when the sample is among it.
  std::optional<absl::Duration> End(raft::LogIndex index, absl::Duration now);
  void Clear() { begun_.reset(); }

 private:
  struct Begun {
    raft::LogIndex index;
    absl::Duration at;
  };
  std::optional<Begun> begun_;
};

// How far the others have fetched snapshots of this server. Owned by its driver.
class SnapshotProgress {
 public:
  explicit SnapshotProgress(base::Metrics& metrics) : metrics_(metrics) {}

  // `total`: bytes of the whole file; 0: not known, or as before while `index` is the same.
  void OnSent(raft::ServerId to, raft::LogIndex index, uint64_t sent, uint64_t total,
              absl::Duration now);
  // It has all of it, or is gone.
  void End(raft::ServerId to);
  // Whoever was last sent something before `then` has given up.
  void EndBefore(absl::Duration then);
  // Leadership ended or began: who goes on fetching is seen with the next piece.
  void Clear();

 private:
  struct Follower {
    base::Gauge* sent = nullptr;
    base::Gauge* total = nullptr;
    raft::LogIndex index;  // of the snapshot; 0: none
    absl::Duration last;

    void End();
  };

  base::Metrics& metrics_;
  std::map<raft::ServerId, Follower> followers_;
};

// How long followers take from being sent entries to saying that they are durable. Owned by the
// driver of a leader.
class AppendTimer {
 public:
  explicit AppendTimer(base::Metrics& metrics) : metrics_(metrics) {}

  void OnSent(raft::ServerId to, raft::LogIndex last, absl::Duration now);
  void OnAccepted(raft::ServerId from, raft::LogIndex match, absl::Duration now);
  // Leadership ended.
  void Clear();

 private:
  struct Follower {
    IndexTimer timer;
    base::Histogram* seconds = nullptr;
  };

  base::Metrics& metrics_;
  std::map<raft::ServerId, Follower> followers_;
};

}  // namespace bellwether::coord
