#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "coord/service/replicated_log.h"
#include "coord/service/requests.h"

namespace bellwether::coord {

// Why a Reconfigure is refused: reasons of statuses.
inline constexpr std::string_view kReasonReconfigDisabled = "reconfig_disabled";
inline constexpr std::string_view kReasonStandalone = "standalone";
inline constexpr std::string_view kReasonReconfigInProgress = "reconfig_in_progress";
inline constexpr std::string_view kReasonNoQuorum = "no_quorum";
inline constexpr std::string_view kReasonBadServers = "bad_servers";

// What has to be asked of the leader, in this order, so that the members are as wanted: who joins is
// added before it votes, and who leaves does so when the others vote. Pure. Errors: kReasonBadServers
// (an id or address of two, none with a vote, ...), kReasonNoQuorum (of those who would vote too few
// answer; one that is added now may).
absl::StatusOr<std::vector<MembershipChange>> ChangesFor(const Reconfigure& wanted,
                                                         const MembershipView& view);

// Makes the members of the ensemble as a Reconfigure wants them (Z55), one change after another, and
// waits until /zookeeper/config says so. Who is added has most of the time to get the log before it
// votes. When that, or the first of the changes, comes to nothing, those who were added are removed
// again, and nothing has happened.
// Shared by its own tasks; runs on the replica's executor. Limits: Reconfigure::time_max.
class EnsembleChange : public std::enable_shared_from_this<EnsembleChange> {
 public:
  struct Dependencies {
    ReplicatedLog& log;
    base::Executor& executor;  // the replica's
    base::Clock& clock;
    std::function<std::string()> config;  // the data of /zookeeper/config here; any thread
  };
  // Errors besides those of ChangesFor: kReasonReconfigInProgress; UNAVAILABLE without a leader; and
  // of unknown outcome when some of the changes were made, or may have been.
  using Done = absl::AnyInvocable<void(absl::Status)>;

  // From any thread; `done` runs once on the executor, unless that stops.
  static void Start(Dependencies deps, Reconfigure wanted, Done done);

 private:
  EnsembleChange(Dependencies deps, Reconfigure wanted, Done done)
      : deps_(std::move(deps)), wanted_(std::move(wanted)), done_(std::move(done)) {}

  void Look();
  void OnView(const absl::StatusOr<MembershipView>& view);
  void Step();
  void OnStep(const absl::StatusOr<MembershipView>& view);
  void RetryStep();
  void GiveUp(const absl::Status& why);
  void TakeBack();
  void AwaitConfig();
  void Finish(absl::Status status);

  const Dependencies deps_;
  const Reconfigure wanted_;
  Done done_;
  absl::Duration steps_end_;  // none is tried again from then on
  absl::Duration end_;        // of it all
  std::vector<MembershipChange> steps_;
  size_t next_ = 0;
  absl::Duration step_began_;
  bool in_doubt_ = false;  // the step under way may have been made
  std::optional<absl::Status> taking_back_;  // the answer once who was added is removed again
  MembershipView view_;    // the newest
};

}  // namespace bellwether::coord
