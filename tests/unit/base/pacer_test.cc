#include "base/pacer.h"

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

class ManualClock : public Clock {
 public:
  absl::Duration Monotonic() const override { return now; }
  absl::Time Wall() const override { return absl::UnixEpoch(); }

  absl::Duration now = absl::Seconds(5);
};

class PacerTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  Pacer pacer_{0.25, clock_};
};

TEST_F(PacerTest, RestsForWhatTheShareLeaves) {
  clock_.now += absl::Milliseconds(4);
  EXPECT_EQ(pacer_.Due(), absl::Milliseconds(12));
}

TEST_F(PacerTest, WorksOnForAMillisecondAtLeast) {
  clock_.now += absl::Microseconds(999);
  EXPECT_EQ(pacer_.Due(), absl::ZeroDuration());
  pacer_.Rest();  // is no rest: what was done counts on
  clock_.now += absl::Microseconds(1);
  EXPECT_EQ(pacer_.Due(), absl::Milliseconds(3));
}

TEST_F(PacerTest, NeverRestsForLong) {
  clock_.now += absl::Seconds(3);
  EXPECT_EQ(pacer_.Due(), absl::Milliseconds(100));
}

TEST_F(PacerTest, WorkCountsAnewAfterARest) {
  clock_.now += absl::Milliseconds(1);
  pacer_.Rest();
  EXPECT_EQ(pacer_.Due(), absl::ZeroDuration());
}

TEST_F(PacerTest, AllOfTheTimeMeansNoRest) {
  const Pacer pacer(1, clock_);
  clock_.now += absl::Seconds(3);
  EXPECT_EQ(pacer.Due(), absl::ZeroDuration());
}

TEST(Pacer, Sleeps) {
  Pacer pacer(0.5, SystemClock());
  const absl::Duration began = SystemClock().Monotonic();
  while (SystemClock().Monotonic() - began < absl::Milliseconds(2)) {
  }
  const absl::Duration due = pacer.Due();
  const absl::Duration rest_began = SystemClock().Monotonic();
  pacer.Rest();
  EXPECT_GE(SystemClock().Monotonic() - rest_began, due);
}

}  // namespace
}  // namespace bellwether::base
