#include "coord/replica/snapshot_work.h"

#include <string_view>

#include "gtest/gtest.h"
#include "tests/support/records_writer.h"

namespace bellwether::coord {
namespace {

// On which a long time passes between any two looks, and that counts them: who rests looks at it.
class CountingClock : public base::Clock {
 public:
  absl::Duration Monotonic() const override { return absl::Milliseconds(2) * ++looks_; }
  absl::Time Wall() const override { return absl::UnixEpoch(); }

  int looks() const { return looks_; }

 private:
  mutable int looks_ = 0;
};

class BackgroundWriterTest : public ::testing::Test {
 protected:
  bool RestsBefore(std::string_view record) {
    const int before = clock_.looks();
    EXPECT_TRUE(writer_.Append(record).ok());
    EXPECT_EQ(records_.records.back(), record);
    return clock_.looks() > before;
  }

  CountingClock clock_;
  base::Pacer pacer_{0.5, clock_};
  RecordsWriter records_;
  SnapshotWork work_;
  BackgroundWriter writer_{records_, pacer_, work_};
};

TEST_F(BackgroundWriterTest, RestsWhileNobodyWaits) {
  EXPECT_TRUE(RestsBefore("a"));
  EXPECT_TRUE(RestsBefore("b"));
}

TEST_F(BackgroundWriterTest, DoesNotRestWhileSomebodyWaitsBehindIt) {
  work_.queued = 1;
  EXPECT_FALSE(RestsBefore("a"));
  work_.queued = 0;
  EXPECT_TRUE(RestsBefore("b"));
}

TEST_F(BackgroundWriterTest, DoesNotRestWhileSomebodySavesIt) {
  work_.saves = 2;
  EXPECT_FALSE(RestsBefore("a"));
  work_.saves = 0;
  EXPECT_TRUE(RestsBefore("b"));
}

TEST_F(BackgroundWriterTest, EndsWhenStopped) {
  EXPECT_TRUE(RestsBefore("a"));
  work_.stopped = true;
  EXPECT_TRUE(absl::IsCancelled(writer_.Append("b")));
  EXPECT_EQ(records_.records.size(), 1u);
}

}  // namespace
}  // namespace bellwether::coord
