#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"

namespace bellwether {

// Virtual time and the order of all that happens, from one seed: events run one at a time, by due
// time; those due together run in the order in which they were scheduled. One thread.
class SimScheduler {
 public:
  explicit SimScheduler(uint64_t seed) : random_(seed) {}

  absl::Duration now() const { return now_; }
  base::Random& random() { return random_; }
  // Uniform in [first, last], to the nanosecond.
  absl::Duration RandomDuration(absl::Duration first, absl::Duration last);

  void After(absl::Duration delay, base::Task event);

  // Runs the next event, moving time to it. False when there is none.
  bool RunOne();
  // Runs everything due within `duration`; time has passed by exactly that much then.
  void RunFor(absl::Duration duration);
  // Runs until `condition` holds, checked after each event. False when it did not within `limit`.
  bool RunUntil(const std::function<bool()>& condition, absl::Duration limit);

  uint64_t events_run() const { return events_run_; }

 private:
  absl::Duration now_ = absl::Seconds(1000);
  uint64_t last_event_ = 0;
  uint64_t events_run_ = 0;
  base::Random random_;
  std::map<std::pair<absl::Duration, uint64_t>, base::Task> events_;
};

// One simulated thread. Fault model: any delay up to `task_delay_max` between two tasks, so that
// threads interleave in every way; Pause stops it like SIGSTOP does (what is posted or due
// meanwhile runs after Resume, what is due before or behind what is posted); Stop is its end,
// everything queued is destroyed unrun. May be destroyed at any time except from inside one of its
// tasks.
class SimExecutor : public base::Executor {
 public:
  explicit SimExecutor(SimScheduler& scheduler,
                       absl::Duration task_delay_max = absl::Microseconds(20));
  ~SimExecutor() override;

  void Post(base::Task task) override;
  base::TimerId RunAfter(absl::Duration delay, base::Task task) override;
  void Cancel(base::TimerId timer) override;

  void Pause();
  void Resume();
  void Stop();
  // Timers set from now on count so many seconds per second.
  void SetClockRate(double rate) { clock_rate_ = rate; }

 private:
  struct Queued {
    base::TimerId timer;
    base::Task task;
  };
  // Outlives the executor in the events that it has scheduled.
  struct State {
    bool stopped = false;
    bool paused = false;
    base::TimerId last_timer = 0;
    std::map<base::TimerId, base::Task> timers;
    std::deque<Queued> queue;
    std::deque<Queued> due_while_paused;
    absl::Duration last_run;  // due time of the task scheduled last
  };

  static void ScheduleNext(SimScheduler& scheduler, absl::Duration task_delay_max,
                           const std::shared_ptr<State>& state);

  SimScheduler& scheduler_;
  const absl::Duration task_delay_max_;
  const std::shared_ptr<State> state_;
  double clock_rate_ = 1;
};

// Virtual time as a clock that may drift. The wall clock has an offset of its own that may jump.
class SimClock : public base::Clock {
 public:
  explicit SimClock(SimScheduler& scheduler) : scheduler_(scheduler) {}

  absl::Duration Monotonic() const override {
    if (rate_ == 1) return scheduler_.now() + drift_;
    return scheduler_.now() + drift_ + (scheduler_.now() - rate_since_) * (rate_ - 1);
  }
  absl::Time Wall() const override {
    return absl::FromUnixSeconds(1'700'000'000) + Monotonic() + wall_offset_;
  }
  void SetWallOffset(absl::Duration offset) { wall_offset_ = offset; }
  // Counts so many seconds per second from now on.
  void SetRate(double rate) {
    drift_ = Monotonic() - scheduler_.now();
    rate_since_ = scheduler_.now();
    rate_ = rate;
  }

 private:
  SimScheduler& scheduler_;
  absl::Duration wall_offset_;
  absl::Duration drift_;  // at rate_since_
  absl::Duration rate_since_;
  double rate_ = 1;
};

}  // namespace bellwether
