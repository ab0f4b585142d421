#include "base/task_queue.h"

namespace bellwether::base {

TimerId TaskQueue::PushAt(absl::Duration due, Task task) {
  const TimerId id = ++last_timer_;
  timers_.emplace(TimerKey(due, id), std::move(task));
  due_of_.emplace(id, due);
  return id;
}

Task TaskQueue::Cancel(TimerId timer) {
  if (const auto due = due_of_.find(timer); due != due_of_.end()) {
    const auto entry = timers_.find(TimerKey(due->second, timer));
    Task task = std::move(entry->second);
    timers_.erase(entry);
    due_of_.erase(due);
    return task;
  }
  for (auto& [id, task] : tasks_) {
    if (id == timer && timer != 0) return std::exchange(task, [] {});
  }
  return nullptr;
}

void TaskQueue::CollectDue(absl::Duration now) {
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto timer = timers_.extract(timers_.begin());
    due_of_.erase(timer.key().second);
    tasks_.emplace_back(timer.key().second, std::move(timer.mapped()));
  }
}

absl::Duration TaskQueue::NextDue() const {
  return timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first.first;
}

Task TaskQueue::Pop() {
  Task task = std::move(tasks_.front().second);
  tasks_.pop_front();
  return task;
}

}  // namespace bellwether::base
