#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "broker/log/log.h"
#include "broker/log/partition_log.h"

namespace bellwether::broker {

// One partition that this broker leads in one leader epoch. Made by LedPartitions; shared,
// because requests under way hold it when it ends. Thread-safe.
class Leadership {
 public:
  Leadership(std::string topic, LeaderEpoch epoch, std::shared_ptr<PartitionLog> log,
             int64_t max_message_bytes)
      : topic_(std::move(topic)), epoch_(epoch), log_(std::move(log)),
        max_message_bytes_(max_message_bytes) {}

  const std::string& topic() const { return topic_; }
  LeaderEpoch epoch() const { return epoch_; }
  PartitionLog& log() const { return *log_; }
  int64_t max_message_bytes() const { return max_message_bytes_.load(std::memory_order_relaxed); }
  void set_max_message_bytes(int64_t bytes) { max_message_bytes_.store(bytes); }

  // Runs `on_end` once when the leadership ends; at once when it has. 0: it did.
  uint64_t NotifyOnEnd(absl::AnyInvocable<void()> on_end);
  // Afterwards the notification won't begin any more; it may be running.
  void CancelNotify(uint64_t id);
  // Ends it, once.
  void End();

 private:
  const std::string topic_;
  const LeaderEpoch epoch_;
  const std::shared_ptr<PartitionLog> log_;  // shared with the store
  std::atomic<int64_t> max_message_bytes_;

  base::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, absl::AnyInvocable<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::broker
