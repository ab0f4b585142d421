#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace bellwether::base {

// An Executor on one named thread of its own. Thread-safe. The queue is not bounded here: who
// posts on behalf of clients bounds what is outstanding (see the limits tables of the products).
class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(std::string name);
  ~ThreadExecutor() override;

  void Post(Task task) override;
  TimerId RunAfter(absl::Duration delay, Task task) override;
  void Cancel(TimerId timer) override;

  // Finishes the running task, drops the others unrun, joins. Idempotent; not from the thread
  // itself.
  void Stop();

 private:
  using TimerKey = std::pair<absl::Duration, TimerId>;  // due time on the monotonic clock

  void Run();
  // Moves due timers to the queue; returns how long until the next one.
  absl::Duration CollectDueTimers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::pair<TimerId, Task>> queue_ ABSL_GUARDED_BY(mutex_);
  std::map<TimerKey, Task> timers_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<TimerId, absl::Duration> timer_due_ ABSL_GUARDED_BY(mutex_);
  TimerId last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  Thread thread_;
};

}  // namespace bellwether::base
