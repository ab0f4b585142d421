#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "base/executor.h"

namespace bellwether::base {

// The tasks and timers of an executor, without its thread and lock: what ThreadExecutor and others
// guard with theirs. Times are those of one monotonic clock. Not thread-safe.
class TaskQueue {
 public:
  void Push(Task task) { tasks_.emplace_back(0, std::move(task)); }

  TimerId PushAt(absl::Duration due, Task task);

  // The task of a timer that hasn't run, to be destroyed by the caller outside of its lock, since
  // it may own anything; empty when there is none.
  Task Cancel(TimerId timer);

  // Queues the timers that are due at `now`.
  void CollectDue(absl::Duration now);

  // When the next timer is due; infinite without one.
  absl::Duration NextDue() const;

  bool empty() const { return tasks_.empty(); }
  size_t size() const { return tasks_.size(); }

  // The first queued task. Requires: !empty().
  Task Pop();

 private:
  using TimerKey = std::pair<absl::Duration, TimerId>;

  std::deque<std::pair<TimerId, Task>> tasks_;  // of a posted task the id is 0
  std::map<TimerKey, Task> timers_;
  absl::flat_hash_map<TimerId, absl::Duration> due_of_;
  TimerId last_timer_ = 0;
};

}  // namespace bellwether::base
