#include "coord/service/feature_levels.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

absl::Status NotApplied(absl::StatusCode code, uint32_t level, std::string_view why) {
  return base::UnknownOutcome(
      code, fmt::format("feature level {} is not known to be in force: {}; look with `bell cluster "
                        "upgrade` and finalize again, which is safe",
                        level, why));
}

}  // namespace

UpgradeReport MakeUpgradeReport(uint32_t level, const ReplicaStatus& replica) {
  UpgradeReport report;
  report.level = report.target = level;
  report.servers = replica.servers;
  for (const ReplicaStatus::Peer& server : replica.servers) {
    if (!server.feature_levels.has_value()) continue;
    report.target = std::max(report.target, server.feature_levels->max);
  }
  for (const ReplicaStatus::Peer& server : replica.servers) {
    if (!server.connected || !server.feature_levels.has_value()) {
      report.obstacles.push_back(fmt::format(
          "server {} is not connected, so what it supports is not known: start it, or remove it "
          "from the ensemble",
          server.address.id));
    } else if (server.feature_levels->max < report.target) {
      report.obstacles.push_back(fmt::format(
          "server {} supports levels up to {} only: install the newer release there",
          server.address.id, server.feature_levels->max));
    }
  }
  return report;
}

uint32_t FirstFeatureLevel(FeatureLevelRange own, const ReplicaStatus& replica) {
  uint32_t level = own.max;
  for (const ReplicaStatus::Peer& server : replica.servers) {
    level = std::min(level, server.feature_levels.has_value() ? server.feature_levels->max
                                                              : own.min);
  }
  return std::max(level, own.min);
}

absl::Status FeatureLevels::CheckSupported(uint32_t level) const {
  if (level <= supported_.max) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "the ensemble was upgraded to feature level {} and this build supports only {} to {}: an "
      "upgrade that was finalized can't be undone; install a release that supports level {}",
      level, supported_.min, supported_.max, level));
}

std::string FeatureLevels::NotReadyReason() const {
  if (level() >= supported_.min) return "";
  return fmt::format(
      "the ensemble is at feature level {} and this build supports only {} to {}: install a release "
      "that supports both on all servers, run `bell cluster upgrade --finalize`, then this one",
      level(), supported_.min, supported_.max);
}

void FeatureLevels::OnLevel(uint32_t level) {
  std::list<Waiter> reached;
  {
    base::MutexLock lock(mutex_);
    level_ = level;
    for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
      const auto next = std::next(waiter);
      if (waiter->level <= level) reached.splice(reached.end(), waiters_, waiter);
      waiter = next;
    }
  }
  for (Waiter& waiter : reached) waiter.done(absl::OkStatus());
}

std::optional<uint64_t> FeatureLevels::Await(uint32_t level, absl::Duration timeout, Done done) {
  absl::Status at_once;
  {
    base::MutexLock lock(mutex_);
    if (stopped_) {
      at_once = absl::UnavailableError("the server is stopping; ask another one");
    } else if (level_ < level && waiters_.size() >= kWaitersMax) {
      at_once = absl::ResourceExhaustedError("too many wait for the feature level already");
    } else if (level_ < level) {
      const uint64_t id = ++last_id_;
      waiters_.push_back({id, level, std::move(done)});
      executor_.RunAfter(timeout, [this, id, level] {
        Refuse(id, NotApplied(absl::StatusCode::kDeadlineExceeded, level,
                              "it was not committed in time"));
      });
      return id;
    }
  }
  done(at_once);
  return std::nullopt;
}

void FeatureLevels::Refuse(uint64_t wait, absl::Status why) {
  Waiter refused;
  {
    base::MutexLock lock(mutex_);
    const auto waiter = std::find_if(waiters_.begin(), waiters_.end(),
                                     [wait](const Waiter& each) { return each.id == wait; });
    if (waiter == waiters_.end()) return;
    refused = std::move(*waiter);
    waiters_.erase(waiter);
  }
  refused.done(std::move(why));
}

void FeatureLevels::Stop() {
  std::list<Waiter> waiters;
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
    waiters.swap(waiters_);
  }
  for (Waiter& waiter : waiters) {
    waiter.done(NotApplied(absl::StatusCode::kUnavailable, waiter.level, "the server stops"));
  }
}

}  // namespace bellwether::coord
