#include "coord/peer/queue_executor.h"

#include <algorithm>

#include "grpc/support/time.h"

namespace bellwether::coord {

QueueExecutor::QueueExecutor(std::string name, base::Clock& clock)
    : clock_(clock),
      alarm_tag_([this](bool) {
        base::MutexLock lock(mutex_);
        kicked_ = false;
      }),
      thread_(std::move(name), [this] { Run(); }) {}

QueueExecutor::~QueueExecutor() { Stop(); }

void QueueExecutor::Kick() {
  if (!waiting_ || kicked_) return;
  kicked_ = true;
  alarm_.Set(&completions_, gpr_time_0(GPR_CLOCK_MONOTONIC), alarm_tag_.Begin(nullptr));
}

void QueueExecutor::Post(base::Task task) {
  base::MutexLock lock(mutex_);
  if (stopped_) return;
  tasks_.emplace_back(0, std::move(task));
  Kick();
}

base::TimerId QueueExecutor::RunAfter(absl::Duration delay, base::Task task) {
  const absl::Duration due = clock_.Monotonic() + delay;
  base::MutexLock lock(mutex_);
  if (stopped_) return 0;
  const base::TimerId id = ++last_timer_;
  timers_.emplace(TimerKey(due, id), std::move(task));
  timer_due_.emplace(id, due);
  Kick();
  return id;
}

void QueueExecutor::Cancel(base::TimerId timer) {
  base::Task dropped;  // destroyed after the lock is released: it may own anything
  base::MutexLock lock(mutex_);
  if (auto due = timer_due_.find(timer); due != timer_due_.end()) {
    auto entry = timers_.find(TimerKey(due->second, timer));
    dropped = std::move(entry->second);
    timers_.erase(entry);
    timer_due_.erase(due);
    return;
  }
  for (auto& [id, task] : tasks_) {
    if (id == timer && timer != 0) {
      dropped = std::exchange(task, [] {});
      return;
    }
  }
}

void QueueExecutor::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
    Kick();
  }
  thread_.Join();
}

void QueueExecutor::RunTasks() {
  size_t left = 0;
  {
    base::MutexLock lock(mutex_);
    const absl::Duration now = clock_.Monotonic();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      auto timer = timers_.extract(timers_.begin());
      timer_due_.erase(timer.key().second);
      tasks_.emplace_back(timer.key().second, std::move(timer.mapped()));
    }
    left = tasks_.size();
  }
  for (; left > 0; --left) {
    base::Task task;
    {
      base::MutexLock lock(mutex_);
      if (stopped_) return;
      task = std::move(tasks_.front().second);
      tasks_.pop_front();
    }
    task();
  }
}

bool QueueExecutor::PrepareToWait(gpr_timespec& deadline) {
  base::MutexLock lock(mutex_);
  if (stopped_) return false;
  waiting_ = tasks_.empty();
  if (!waiting_) {
    deadline = gpr_time_0(GPR_CLOCK_MONOTONIC);  // only looks
  } else if (timers_.empty()) {
    deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  } else {
    const absl::Duration wait = timers_.begin()->first.first - clock_.Monotonic();
    deadline = gpr_time_add(
        gpr_now(GPR_CLOCK_MONOTONIC),
        gpr_time_from_nanos(std::max<int64_t>(0, absl::ToInt64Nanoseconds(wait)), GPR_TIMESPAN));
  }
  return true;
}

void QueueExecutor::Run() {
  gpr_timespec deadline;
  void* tag = nullptr;
  bool ok = false;
  while (PrepareToWait(deadline)) {
    const auto got = completions_.AsyncNext(&tag, &ok, deadline);
    {
      base::MutexLock lock(mutex_);
      waiting_ = false;
    }
    if (got == grpc::CompletionQueue::GOT_EVENT) static_cast<CompletionTag*>(tag)->End(ok);
    RunTasks();
  }
  completions_.Shutdown();
  while (completions_.Next(&tag, &ok)) static_cast<CompletionTag*>(tag)->End(ok);
  std::deque<std::pair<base::TimerId, base::Task>> tasks;
  std::map<TimerKey, base::Task> timers;
  base::MutexLock lock(mutex_);
  tasks.swap(tasks_);
  timers.swap(timers_);
}

}  // namespace bellwether::coord
