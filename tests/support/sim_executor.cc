#include "tests/support/sim_executor.h"

#include <algorithm>
#include <iterator>

namespace bellwether {

absl::Duration SimScheduler::RandomDuration(absl::Duration first, absl::Duration last) {
  return absl::Nanoseconds(
      random_.Between(absl::ToInt64Nanoseconds(first), absl::ToInt64Nanoseconds(last)));
}

void SimScheduler::After(absl::Duration delay, base::Task event) {
  events_.emplace(std::make_pair(now_ + delay, ++last_event_), std::move(event));
}

bool SimScheduler::RunOne() {
  if (events_.empty()) return false;
  auto event = events_.extract(events_.begin());
  now_ = std::max(now_, event.key().first);
  ++events_run_;
  event.mapped()();
  return true;
}

void SimScheduler::RunFor(absl::Duration duration) {
  const absl::Duration end = now_ + duration;
  while (!events_.empty() && events_.begin()->first.first <= end) RunOne();
  now_ = end;
}

bool SimScheduler::RunUntil(const std::function<bool()>& condition, absl::Duration limit) {
  const absl::Duration end = now_ + limit;
  while (!condition()) {
    if (events_.empty() || events_.begin()->first.first > end) {
      now_ = end;
      return condition();
    }
    RunOne();
  }
  return true;
}

SimExecutor::SimExecutor(SimScheduler& scheduler, absl::Duration task_delay_max)
    : scheduler_(scheduler), task_delay_max_(task_delay_max), state_(std::make_shared<State>()) {}

SimExecutor::~SimExecutor() { Stop(); }

void SimExecutor::ScheduleNext(SimScheduler& scheduler, absl::Duration task_delay_max,
                               const std::shared_ptr<State>& state) {
  const absl::Duration due =
      std::max(state->last_run,
               scheduler.now() + scheduler.RandomDuration(absl::ZeroDuration(), task_delay_max));
  state->last_run = due;
  scheduler.After(due - scheduler.now(), [state] {
    if (state->stopped || state->paused || state->queue.empty()) return;
    base::Task task = std::move(state->queue.front().task);
    state->queue.pop_front();
    task();
  });
}

void SimExecutor::Post(base::Task task) {
  if (state_->stopped) return;
  state_->queue.push_back({0, std::move(task)});
  if (!state_->paused) ScheduleNext(scheduler_, task_delay_max_, state_);
}

base::TimerId SimExecutor::RunAfter(absl::Duration delay, base::Task task) {
  if (state_->stopped) return 0;
  const base::TimerId timer = ++state_->last_timer;
  state_->timers.emplace(timer, std::move(task));
  if (clock_rate_ != 1) delay /= clock_rate_;
  scheduler_.After(delay, [&scheduler = scheduler_, task_delay_max = task_delay_max_,
                           state = state_, timer] {
    auto entry = state->timers.find(timer);
    if (state->stopped || entry == state->timers.end()) return;
    Queued due{timer, std::move(entry->second)};
    state->timers.erase(entry);
    if (state->paused) {
      state->due_while_paused.push_back(std::move(due));
    } else {
      state->queue.push_back(std::move(due));
      ScheduleNext(scheduler, task_delay_max, state);
    }
  });
  return timer;
}

void SimExecutor::Cancel(base::TimerId timer) {
  state_->timers.erase(timer);
  for (std::deque<Queued>* queue : {&state_->queue, &state_->due_while_paused}) {
    for (Queued& queued : *queue) {
      if (timer != 0 && queued.timer == timer) queued.task = [] {};
    }
  }
}

void SimExecutor::Pause() { state_->paused = true; }

void SimExecutor::Resume() {
  if (!std::exchange(state_->paused, false)) return;
  std::deque<Queued> due = std::exchange(state_->due_while_paused, {});
  const auto at = scheduler_.random().Chance(0.5) ? state_->queue.begin() : state_->queue.end();
  state_->queue.insert(at, std::make_move_iterator(due.begin()),
                       std::make_move_iterator(due.end()));
  for (size_t i = 0; i < state_->queue.size(); ++i) {
    ScheduleNext(scheduler_, task_delay_max_, state_);
  }
}

void SimExecutor::Stop() {
  state_->stopped = true;
  // What is queued may own anything, even what ends this executor.
  auto timers = std::exchange(state_->timers, {});
  auto due = std::exchange(state_->due_while_paused, {});
  auto queue = std::exchange(state_->queue, {});
}

}  // namespace bellwether
