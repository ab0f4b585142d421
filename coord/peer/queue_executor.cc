#include "coord/peer/queue_executor.h"

#include <algorithm>
#include <utility>

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
  tasks_.Push(std::move(task));
  Kick();
}

base::TimerId QueueExecutor::RunAfter(absl::Duration delay, base::Task task) {
  const absl::Duration due = clock_.Monotonic() + delay;
  base::MutexLock lock(mutex_);
  if (stopped_) return 0;
  const base::TimerId id = tasks_.PushAt(due, std::move(task));
  Kick();
  return id;
}

void QueueExecutor::Cancel(base::TimerId timer) {
  base::Task dropped;  // destroyed after the lock is released
  base::MutexLock lock(mutex_);
  dropped = tasks_.Cancel(timer);
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
    tasks_.CollectDue(clock_.Monotonic());
    left = tasks_.size();
  }
  for (; left > 0; --left) {
    base::Task task;
    {
      base::MutexLock lock(mutex_);
      if (stopped_) return;
      task = tasks_.Pop();
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
  } else if (tasks_.NextDue() == absl::InfiniteDuration()) {
    deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  } else {
    const absl::Duration wait = tasks_.NextDue() - clock_.Monotonic();
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
  base::TaskQueue dropped;  // destroyed after the lock is released
  base::MutexLock lock(mutex_);
  dropped = std::exchange(tasks_, base::TaskQueue());
}

}  // namespace bellwether::coord
