#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "coord/replica/replica.h"
#include "coord/tree/types.h"

namespace bellwether::coord {

// What this build can work at. A change of what is replicated or persisted raises `max`; `min` rises
// when the code for an older level goes.
inline constexpr FeatureLevelRange kSupportedFeatureLevels{1, 4};
// From it on the members of the ensemble can be changed: earlier releases refuse peers that were not
// configured as they are.
inline constexpr uint32_t kFeatureLevelMembership = 2;
// The third is tree::kFeatureLevelAcls, the fourth tree::kFeatureLevelRetries.

// How far an ensemble is with an upgrade.
struct UpgradeReport {
  uint32_t level = tree::kFeatureLevelFirst;  // in force
  uint32_t target = tree::kFeatureLevelFirst;  // the highest that any server supports
  std::vector<ReplicaStatus::Peer> servers;
  std::vector<std::string> obstacles;  // why `target` can't be finalized now; empty: it can
};

// Pure.
UpgradeReport MakeUpgradeReport(uint32_t level, const ReplicaStatus& replica);

// The level at which a new ensemble begins: the highest that all its servers support, as far as they
// were heard.
uint32_t FirstFeatureLevel(FeatureLevelRange own, const ReplicaStatus& replica);

// The feature level in force at this server, and who waits for a higher one. Thread-safe.
// Limits: kWaitersMax.
class FeatureLevels {
 public:
  using Done = std::function<void(absl::Status)>;

  FeatureLevels(FeatureLevelRange supported, base::Executor& executor)
      : supported_(supported), executor_(executor) {}

  FeatureLevelRange supported() const { return supported_; }
  uint32_t level() const { return level_.load(); }

  // FAILED_PRECONDITION, saying what to do, when this build can't follow the ensemble to `level`.
  absl::Status CheckSupported(uint32_t level) const;
  // Why this build can't serve at the present level; empty when it can.
  std::string NotReadyReason() const;

  // The state has this level. Runs who waited for it.
  void OnLevel(uint32_t level);

  // Runs `done` once, on any thread: with OK when the level is in force here, or with what Refuse was
  // given, or after `timeout` with an unknown outcome. Gives the wait's number; nullopt when `done` ran
  // at once: in force already, or a wait too many, or stopped (both rejected).
  std::optional<uint64_t> Await(uint32_t level, absl::Duration timeout, Done done);
  // Ends a wait, if it still is one.
  void Refuse(uint64_t wait, absl::Status why);

  // Ends all waits, with UNAVAILABLE of unknown outcome.
  void Stop();

 private:
  static constexpr size_t kWaitersMax = 100;

  struct Waiter {
    uint64_t id = 0;
    uint32_t level = 0;
    Done done;
  };

  const FeatureLevelRange supported_;
  base::Executor& executor_;
  std::atomic<uint32_t> level_ = tree::kFeatureLevelFirst;

  base::Mutex mutex_;
  std::list<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwether::coord
