#include "coord/peer/queue_executor.h"

#include <unistd.h>

#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

// Set by one thread, waited for by another.
class Event {
 public:
  void Set() {
    base::MutexLock lock(mutex_);
    set_ = true;
    changed_.SignalAll();
  }
  void Wait() {
    base::MutexLock lock(mutex_);
    while (!set_) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST(QueueExecutor, RunsTasksInOrder) {
  QueueExecutor executor("test", base::SystemClock());
  std::vector<int> order;
  Event done;
  for (int i = 0; i < 1000; ++i) {
    executor.Post([&order, i] { order.push_back(i); });
  }
  executor.Post([&done] { done.Set(); });
  done.Wait();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(order[i], i);
}

TEST(QueueExecutor, RunsTimersByDueTime) {
  QueueExecutor executor("test", base::SystemClock());
  std::vector<int> order;
  Event done;
  executor.Post([&] {
    executor.RunAfter(absl::Milliseconds(20), [&] {
      order.push_back(2);
      done.Set();
    });
    executor.RunAfter(absl::Milliseconds(5), [&] { order.push_back(1); });
  });
  done.Wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(QueueExecutor, CancelledTimerDoesNotRun) {
  QueueExecutor executor("test", base::SystemClock());
  bool ran = false;
  Event done;
  executor.Post([&] {
    const base::TimerId timer = executor.RunAfter(absl::Milliseconds(2), [&] { ran = true; });
    executor.Cancel(timer);
    executor.RunAfter(absl::Milliseconds(10), [&] { done.Set(); });
  });
  done.Wait();
  EXPECT_FALSE(ran);
}

TEST(QueueExecutor, HandlesCompletionsOnItsThread) {
  QueueExecutor executor("test", base::SystemClock());
  Event done;
  pid_t task_thread = 0;
  pid_t tag_thread = 0;
  grpc::Alarm alarm;
  CompletionTag tag([&](bool) {
    tag_thread = gettid();
    done.Set();
  });
  executor.Post([&] {
    task_thread = gettid();
    alarm.Set(&executor.queue(), gpr_time_0(GPR_CLOCK_MONOTONIC), tag.Begin(nullptr));
  });
  done.Wait();
  EXPECT_EQ(task_thread, tag_thread);
}

TEST(QueueExecutor, StopDropsWhatIsQueued) {
  QueueExecutor executor("test", base::SystemClock());
  auto held = std::make_shared<int>(1);
  executor.RunAfter(absl::Hours(1), [held] {});
  Event started;
  executor.Post([&] { started.Set(); });
  started.Wait();
  executor.Stop();
  EXPECT_EQ(held.use_count(), 1);
  executor.Post([held] {});
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace bellwether::coord
