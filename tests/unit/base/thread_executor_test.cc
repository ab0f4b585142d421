#include "base/thread_executor.h"

#include <memory>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

using ::testing::ElementsAre;

// Something that happens once, on another thread.
class Event {
 public:
  void Happen() {
    MutexLock lock(mutex_);
    happened_ = true;
    changed_.SignalAll();
  }
  void Await() {
    MutexLock lock(mutex_);
    while (!happened_) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool happened_ ABSL_GUARDED_BY(mutex_) = false;
};

// Waits until the executor has run what was posted before.
void Drain(ThreadExecutor& executor) {
  Event done;
  executor.Post([&done] { done.Happen(); });
  done.Await();
}

TEST(ThreadExecutor, RunsTasksInTheOrderPosted) {
  ThreadExecutor executor("test");
  std::vector<int> ran;
  for (int i = 1; i <= 3; ++i) executor.Post([&ran, i] { ran.push_back(i); });
  Drain(executor);
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(ThreadExecutor, TasksMayPostTasks) {
  ThreadExecutor executor("test");
  Event done;
  executor.Post([&] { executor.Post([&] { done.Happen(); }); });
  done.Await();
}

TEST(ThreadExecutor, TimersFireInOrderOfTheirTimesAndNotBefore) {
  ThreadExecutor executor("test");
  std::vector<int> fired;
  Event done;
  const absl::Duration start = SystemClock().Monotonic();
  executor.RunAfter(absl::Milliseconds(20), [&] {
    fired.push_back(20);
    done.Happen();
  });
  executor.RunAfter(absl::Milliseconds(10), [&] { fired.push_back(10); });
  executor.RunAfter(absl::ZeroDuration(), [&] { fired.push_back(0); });
  done.Await();
  EXPECT_GE(SystemClock().Monotonic() - start, absl::Milliseconds(20));
  EXPECT_THAT(fired, ElementsAre(0, 10, 20));
}

TEST(ThreadExecutor, ACancelledTimerIsDroppedUnrun) {
  ThreadExecutor executor("test");
  const auto owned = std::make_shared<int>(0);  // shared to see when the task dies
  const TimerId timer = executor.RunAfter(absl::Hours(1), [owned] { ADD_FAILURE(); });
  EXPECT_EQ(owned.use_count(), 2);
  executor.Cancel(timer);
  EXPECT_EQ(owned.use_count(), 1);
}

// The timer below is due, and so in the queue, when its own executor cancels it.
TEST(ThreadExecutor, CancelOnTheExecutorIsFinal) {
  ThreadExecutor executor("test");
  bool fired = false;
  executor.Post([&] {
    const TimerId timer = executor.RunAfter(absl::ZeroDuration(), [&] { fired = true; });
    executor.Post([&executor, timer] { executor.Cancel(timer); });
  });
  Event later;
  executor.RunAfter(absl::Milliseconds(5), [&] { later.Happen(); });
  later.Await();
  Drain(executor);
  // The cancelling task was posted before the timer came due, so it ran first.
  EXPECT_FALSE(fired);
}

TEST(ThreadExecutor, CancelIgnoresTimersThatFiredOrNeverWere) {
  ThreadExecutor executor("test");
  Event fired;
  const TimerId timer = executor.RunAfter(absl::ZeroDuration(), [&] { fired.Happen(); });
  fired.Await();
  executor.Cancel(timer);
  executor.Cancel(0);
  executor.Cancel(12345);
  Drain(executor);
}

TEST(ThreadExecutor, StopDropsWhatHasNotRun) {
  const auto owned = std::make_shared<int>(0);  // shared to see when the tasks die
  ThreadExecutor executor("test");
  Event running;
  Event go_on;
  executor.Post([&] {
    running.Happen();
    go_on.Await();
  });
  running.Await();
  executor.Post([owned] {});
  const TimerId timer = executor.RunAfter(absl::Hours(1), [owned] { ADD_FAILURE(); });
  {
    Thread stopper("stopper", [&executor] { executor.Stop(); });
    go_on.Happen();
  }
  EXPECT_EQ(owned.use_count(), 1);
  executor.Cancel(timer);
  executor.Post([owned] { ADD_FAILURE(); });
  EXPECT_EQ(executor.RunAfter(absl::ZeroDuration(), [owned] { ADD_FAILURE(); }), 0);
  EXPECT_EQ(owned.use_count(), 1);
  executor.Stop();
}

TEST(CondVar, WaitsForEverWithoutOverflow) {
  Mutex mutex;
  CondVar changed;
  bool done = false;
  Thread signaller("signaller", [&] {
    MutexLock lock(mutex);
    done = true;
    changed.Signal();
  });
  MutexLock lock(mutex);
  while (!done) EXPECT_TRUE(changed.WaitFor(mutex, absl::InfiniteDuration()));
}

TEST(CondVar, TellsThatTimeRanOut) {
  Mutex mutex;
  CondVar changed;
  MutexLock lock(mutex);
  const absl::Duration start = SystemClock().Monotonic();
  while (changed.WaitFor(mutex, absl::Milliseconds(5))) {
  }
  EXPECT_GE(SystemClock().Monotonic() - start, absl::Milliseconds(5));
}

}  // namespace
}  // namespace bellwether::base
