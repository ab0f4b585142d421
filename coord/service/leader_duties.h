#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "coord/replica/replica.h"
#include "coord/service/feature_levels.h"
#include "coord/service/locked_tree.h"
#include "coord/service/options.h"
#include "coord/service/replicated_log.h"
#include "coord/service/session_tracker.h"
#include "coord/tree/command.h"

namespace bellwether::coord {

// What the leader does by itself: ends the sessions that were silent for too long, deletes
// containers and znodes with a TTL whose time has come (Z17), gives a new ensemble its id and first
// feature level, keeps /zookeeper/config true (Z53), and tells all servers its state's digest. Every server has one, which rests while
// another leads. Must not know of connections and watches.
// Owned by the service; runs on the replica's executor only.
// Limits: once a second it looks, on a view of the state, at kExpirableVisitsMax znodes that may
// expire or as many as have kExpirablePathBytesMax of paths, going on where it stopped, and proposes
// to delete kExpiredZnodesMax at most.
class LeaderDuties {
 public:
  static constexpr size_t kExpirableVisitsMax = 8192;
  static constexpr size_t kExpirablePathBytesMax = 256 << 10;
  static constexpr size_t kExpiredZnodesMax = 256;

  struct Dependencies {
    const LockedTree& state;
    const FeatureLevels& feature_levels;
    SessionTracker& sessions;  // on the replica's executor, too
    base::Clock& clock;
    base::Metrics& metrics;
    // A command of no session, asked for by nobody.
    std::function<ProposedCommand(tree::Operation)> own_command;
    std::function<uint64_t()> random;
  };

  LeaderDuties(const ServiceOptions& options, Dependencies deps);

  // Before the replica starts. `log` outlives this.
  void Start(ReplicatedLog& log) { log_ = &log; }

  // As StateMachine's.
  void OnLeadership(const Leadership& leadership);
  bool OnNote(ServerId from, std::string_view note);
  // `ensemble_id_known`: the applied state has one.
  void OnTick(absl::Duration since_last, bool ensemble_id_known);

 private:
  // What became of the last proposal to delete znodes. Until it was applied here, those znodes look
  // as if nobody had proposed to delete them.
  enum class Deletion { kNone, kProposed, kAppended, kApplying };

  void SayState();
  void KeepConfig();
  void ProposeEnsembleId();
  void ProposeExpire(const SessionTracker::Expired& expired);
  void ExpireZnodes();
  void ProposeDeletions(const std::vector<std::string>& paths);

  const ServiceOptions& options_;
  const Dependencies deps_;
  base::Counter& sessions_expired_;
  base::Counter& znodes_expired_;
  ReplicatedLog* log_ = nullptr;
  Leadership leadership_;
  Term ensemble_id_proposed_in_;
  absl::Duration next_expire_ = -absl::InfiniteDuration();  // none is proposed before
  absl::Duration state_said_ = -absl::InfiniteDuration();
  absl::Duration znodes_looked_at_ = -absl::InfiniteDuration();
  absl::Duration config_looked_at_ = -absl::InfiniteDuration();
  // The znode's version on which a new configuration was proposed in this term.
  std::optional<int32_t> config_proposed_on_;
  std::string expirables_after_;  // where the next look goes on
  Deletion deletion_ = Deletion::kNone;
  LogIndex deletion_index_;  // kApplying: it is not behind this one
};

}  // namespace bellwether::coord
