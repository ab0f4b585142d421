#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/uuid.h"
#include "broker/log/log_store.h"
#include "broker/metadata/cluster_view.h"
#include "broker/metadata/topic_settings.h"
#include "broker/service/leadership.h"

namespace bellwether::broker {

// Which partitions this broker leads, from views of the cluster: those whose state names this
// broker's current epoch and this data folder. Ending a leadership happens at once, in OnView;
// opening logs, deleting what deletion records name, and noticing strays take disk time and happen
// on the storage executor, always for the newest view.
//
// Invariant: a leadership in the table is one that the newest view grants.
class LedPartitions {
 public:
  struct Options {
    BrokerId self;
    base::Uuid folder_id;
    // Called on the storage executor when this folder holds nothing of a deleted topic any more.
    std::function<void(const DeletionRecord&)> confirm_deletion;
  };

  // The store, the executor and metrics outlive it; the executor has stopped before it goes.
  LedPartitions(Options options, LogStore& store, base::Executor& storage,
                   base::Metrics& metrics);

  // Takes a new view or a new epoch of this broker (0: not registered). From one thread.
  void OnView(std::shared_ptr<const ClusterView> view, BrokerEpoch epoch);

  // The leadership of a partition, if the caller's leader epoch is right (K10; -1: don't check).
  // Errors: NOT_FOUND "unknown_topic_or_partition"; UNAVAILABLE "not_leader", "partition_offline"
  // or "unknown_leader_epoch"; FAILED_PRECONDITION "fenced_leader_epoch". Thread-safe.
  absl::StatusOr<std::shared_ptr<Leadership>> Find(TopicPartition id, int32_t leader_epoch) const;

  // Ends all leaderships. No view may follow.
  void Stop();

 private:
  using Table = absl::flat_hash_map<TopicPartition, std::shared_ptr<Leadership>>;
  // A partition that this broker is to lead, and doesn't yet, or not with this configuration.
  struct Grant {
    const Topic* topic;  // the view's
    TopicPartition id;
    LeaderEpoch epoch;
    TopicSettings settings;
  };

  // The leader epoch that the view grants this broker; nullopt: none.
  std::optional<LeaderEpoch> Granted(const ClusterView& view, BrokerEpoch epoch,
                                     TopicPartition id) const;
  absl::Status WhyNotLeading(TopicPartition id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  // On the storage executor.
  void Reconcile();
  void LeadGranted(const ClusterView& view, BrokerEpoch epoch);
  void AddGrants(const ClusterView& view, BrokerEpoch epoch, const Topic& topic,
                 std::vector<Grant>& grants) const;
  // Whether it leads as granted. Sees to what doesn't concern the log: the bound of a batch.
  bool LeadsAs(const Grant& grant) const;
  // Makes and configures the logs; an outcome for each.
  std::vector<absl::Status> PrepareLogs(const std::vector<Grant>& grants);
  void Lead(const Grant& grant);
  void DeleteRecorded(const ClusterView& view);
  void NoticeStrays(const ClusterView& view);
  void RetrySoon();

  const Options options_;
  LogStore& store_;
  base::Executor& storage_;
  base::Gauge& led_gauge_;
  base::Gauge& stray_gauge_;
  base::Gauge& failed_gauge_;

  // On the storage executor.
  std::set<TopicPartition> strays_;
  int failed_ = 0;  // partitions of the last pass that could not be opened
  bool retrying_ = false;

  mutable base::SharedMutex mutex_;
  std::shared_ptr<const ClusterView> view_ ABSL_GUARDED_BY(mutex_);
  BrokerEpoch epoch_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool reconcile_pending_ ABSL_GUARDED_BY(mutex_) = false;
  Table table_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::broker
