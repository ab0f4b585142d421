#include "tests/bench/latency_histogram.h"

#include "gtest/gtest.h"

namespace bellwether::bench {
namespace {

TEST(LatencyHistogram, PercentilesAreAtMostAThirtiethTooHigh) {
  for (int64_t ns = 1; ns < int64_t{1} << 40; ns = ns * 5 / 3 + 1) {
    LatencyHistogram histogram;
    histogram.Record(absl::Nanoseconds(ns));
    const int64_t read = absl::ToInt64Nanoseconds(histogram.Percentile(0.5));
    EXPECT_GE(read, ns);
    EXPECT_LE(read, ns + ns / 30);
  }
}

TEST(LatencyHistogram, PercentilesSplitWhatWasRecorded) {
  LatencyHistogram histogram;
  for (int i = 0; i < 99; ++i) histogram.Record(absl::Nanoseconds(10));
  histogram.Record(absl::Seconds(1));
  EXPECT_EQ(histogram.Percentile(0.5), absl::Nanoseconds(10));
  EXPECT_EQ(histogram.Percentile(0.99), absl::Nanoseconds(10));
  EXPECT_GE(histogram.Percentile(1), absl::Seconds(1));
}

TEST(LatencyHistogram, AddsAnother) {
  LatencyHistogram slow, fast;
  slow.Record(absl::Seconds(1));
  fast.Record(absl::Nanoseconds(3));
  fast.Add(slow);
  EXPECT_EQ(fast.count(), 2u);
  EXPECT_EQ(fast.Percentile(0.5), absl::Nanoseconds(3));
  EXPECT_GE(fast.Percentile(1), absl::Seconds(1));
}

TEST(LatencyHistogram, IsZeroWhenEmpty) {
  EXPECT_EQ(LatencyHistogram().Percentile(0.99), absl::ZeroDuration());
}

}  // namespace
}  // namespace bellwether::bench
