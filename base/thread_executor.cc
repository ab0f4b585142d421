#include "base/thread_executor.h"

#include <utility>

#include "base/clock.h"

namespace bellwether::base {

ThreadExecutor::ThreadExecutor(std::string name) : thread_(std::move(name), [this] { Run(); }) {}

ThreadExecutor::~ThreadExecutor() { Stop(); }

void ThreadExecutor::Post(Task task) {
  MutexLock lock(mutex_);
  if (stopped_) return;
  queue_.Push(std::move(task));
  if (queue_.size() == 1) wake_.Signal();
}

TimerId ThreadExecutor::RunAfter(absl::Duration delay, Task task) {
  const absl::Duration due = SystemClock().Monotonic() + delay;
  MutexLock lock(mutex_);
  if (stopped_) return 0;
  wake_.Signal();
  return queue_.PushAt(due, std::move(task));
}

void ThreadExecutor::Cancel(TimerId timer) {
  Task dropped;  // destroyed after the lock is released
  MutexLock lock(mutex_);
  dropped = queue_.Cancel(timer);
}

void ThreadExecutor::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    wake_.Signal();
  }
  thread_.Join();
}

void ThreadExecutor::Run() {
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (!stopped_) {
        const absl::Duration now = SystemClock().Monotonic();
        queue_.CollectDue(now);
        if (!queue_.empty()) break;
        wake_.WaitFor(mutex_, queue_.NextDue() - now);
      }
      if (stopped_) break;
      task = queue_.Pop();
    }
    task();
  }
  TaskQueue dropped;  // destroyed after the lock is released
  MutexLock lock(mutex_);
  dropped = std::exchange(queue_, TaskQueue());
}

}  // namespace bellwether::base
