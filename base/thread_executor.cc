#include "base/thread_executor.h"

#include "base/clock.h"

namespace bellwether::base {

ThreadExecutor::ThreadExecutor(std::string name) : thread_(std::move(name), [this] { Run(); }) {}

ThreadExecutor::~ThreadExecutor() { Stop(); }

void ThreadExecutor::Post(Task task) {
  MutexLock lock(mutex_);
  if (stopped_) return;
  queue_.emplace_back(0, std::move(task));
  if (queue_.size() == 1) wake_.Signal();
}

TimerId ThreadExecutor::RunAfter(absl::Duration delay, Task task) {
  const absl::Duration due = SystemClock().Monotonic() + delay;
  MutexLock lock(mutex_);
  if (stopped_) return 0;
  const TimerId id = ++last_timer_;
  timers_.emplace(TimerKey(due, id), std::move(task));
  timer_due_.emplace(id, due);
  wake_.Signal();
  return id;
}

void ThreadExecutor::Cancel(TimerId timer) {
  Task dropped;  // destroyed after the lock is released: it may own anything
  MutexLock lock(mutex_);
  if (auto due = timer_due_.find(timer); due != timer_due_.end()) {
    auto entry = timers_.find(TimerKey(due->second, timer));
    dropped = std::move(entry->second);
    timers_.erase(entry);
    timer_due_.erase(due);
    return;
  }
  for (auto& [id, task] : queue_) {
    if (id == timer && timer != 0) {
      dropped = std::exchange(task, [] {});
      return;
    }
  }
}

void ThreadExecutor::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    wake_.Signal();
  }
  thread_.Join();
}

absl::Duration ThreadExecutor::CollectDueTimers() {
  if (timers_.empty()) return absl::InfiniteDuration();
  const absl::Duration now = SystemClock().Monotonic();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto timer = timers_.extract(timers_.begin());
    timer_due_.erase(timer.key().second);
    queue_.emplace_back(timer.key().second, std::move(timer.mapped()));
  }
  return timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first.first - now;
}

void ThreadExecutor::Run() {
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (true) {
        if (stopped_) break;
        const absl::Duration next = CollectDueTimers();
        if (!queue_.empty()) break;
        if (next == absl::InfiniteDuration()) {
          wake_.Wait(mutex_);
        } else {
          wake_.WaitFor(mutex_, next);
        }
      }
      if (stopped_) break;
      task = std::move(queue_.front().second);
      queue_.pop_front();
    }
    task();
  }
  std::deque<std::pair<TimerId, Task>> tasks;
  std::map<TimerKey, Task> timers;
  MutexLock lock(mutex_);
  tasks.swap(queue_);
  timers.swap(timers_);
  timer_due_.clear();
}

}  // namespace bellwether::base
