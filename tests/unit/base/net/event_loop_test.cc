#include "base/net/event_loop.h"

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/rendezvous.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

using ::testing::ElementsAre;

using Event = Rendezvous<bool>;

// Waits until the loop has run what was posted before.
void Drain(EventLoop& loop) {
  const auto done = Event::Make();
  loop.Post([done] { done->Set(true); });
  done->Wait();
}

TEST(EventLoop, RunsTasksInTheOrderPostedAndThoseThatTasksPost) {
  EventLoop loop("test");
  std::vector<int> ran;
  // On the loop: both are posted before it comes to the first.
  loop.Post([&] {
    loop.Post([&] {
      ran.push_back(1);
      loop.Post([&] { ran.push_back(3); });
    });
    loop.Post([&] { ran.push_back(2); });
  });
  for (int i = 0; i < 3; ++i) Drain(loop);
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(EventLoop, RunsMoreTasksThanOneTurnHas) {
  EventLoop loop("test");
  int ran = 0;
  loop.Post([&] {
    for (int i = 0; i < 1000; ++i) loop.Post([&ran] { ++ran; });
  });
  Drain(loop);
  Drain(loop);
  EXPECT_EQ(ran, 1000);
}

TEST(EventLoop, TimersFireInOrderOfTheirTimesAndNotBefore) {
  EventLoop loop("test");
  std::vector<int> fired;
  const auto done = Event::Make();
  const absl::Duration start = SystemClock().Monotonic();
  // Rising: also when this thread is held up in between, each is due after the one before it.
  for (const int ms : {0, 10, 20}) {
    loop.RunAfter(absl::Milliseconds(ms), [&fired, done, ms] {
      fired.push_back(ms);
      if (fired.size() == 3) done->Set(true);
    });
  }
  done->Wait();
  EXPECT_GE(SystemClock().Monotonic() - start, absl::Milliseconds(20));
  EXPECT_THAT(fired, ElementsAre(0, 10, 20));
}

TEST(EventLoop, AnEarlierTimerIsNotHeldBackByALaterOne) {
  EventLoop loop("test");
  const auto done = Event::Make();
  loop.RunAfter(absl::Hours(5), [] { ADD_FAILURE(); });
  Drain(loop);
  loop.RunAfter(absl::Milliseconds(1), [&] { done->Set(true); });
  done->Wait();
}

TEST(EventLoop, ACancelledTimerIsDroppedUnrun) {
  EventLoop loop("test");
  const auto owned = std::make_shared<int>(0);  // shared to see when the task dies
  const TimerId timer = loop.RunAfter(absl::Hours(1), [owned] { ADD_FAILURE(); });
  EXPECT_EQ(owned.use_count(), 2);
  loop.Cancel(timer);
  EXPECT_EQ(owned.use_count(), 1);
  loop.Cancel(timer);
  loop.Cancel(0);
}

TEST(EventLoop, CancelOnTheLoopIsFinal) {
  EventLoop loop("test");
  bool fired = false;
  loop.Post([&] {
    const TimerId timer = loop.RunAfter(absl::ZeroDuration(), [&] { fired = true; });
    loop.Post([&loop, timer] { loop.Cancel(timer); });
  });
  const auto later = Event::Make();
  loop.RunAfter(absl::Milliseconds(5), [&] { later->Set(true); });
  later->Wait();
  EXPECT_FALSE(fired);
}

TEST(EventLoop, StopDropsWhatHasNotRun) {
  const auto owned = std::make_shared<int>(0);  // shared to see when the tasks die
  EventLoop loop("test");
  const auto running = Event::Make();
  const auto go_on = Event::Make();
  loop.Post([&] {
    running->Set(true);
    go_on->Wait();
  });
  running->Wait();
  loop.Post([owned] {});
  loop.RunAfter(absl::Hours(1), [owned] { ADD_FAILURE(); });
  {
    Thread stopper("stopper", [&loop] { loop.Stop(); });
    go_on->Set(true);
  }
  EXPECT_EQ(owned.use_count(), 1);
  loop.Post([owned] { ADD_FAILURE(); });
  EXPECT_EQ(loop.RunAfter(absl::ZeroDuration(), [owned] { ADD_FAILURE(); }), 0u);
  EXPECT_EQ(owned.use_count(), 1);
  loop.Stop();
}

}  // namespace
}  // namespace bellwether::base
