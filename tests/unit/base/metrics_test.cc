#include "base/metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, WritesPrometheusText) {
  Metrics metrics;
  metrics.AddCounter("bell_requests_total", "Requests.", "kind=\"read\"").Add(3);
  metrics.AddCounter("bell_requests_total", "Requests.", "kind=\"write\"").Add();
  metrics.AddGauge("bell_sessions", "Sessions.").Set(-2);
  EXPECT_EQ(metrics.Text(),
            "# HELP bell_requests_total Requests.\n"
            "# TYPE bell_requests_total counter\n"
            "bell_requests_total{kind=\"read\"} 3\n"
            "bell_requests_total{kind=\"write\"} 1\n"
            "# HELP bell_sessions Sessions.\n"
            "# TYPE bell_sessions gauge\n"
            "bell_sessions -2\n");
}

TEST(Metrics, SameNameAndLabelsAreOneMetric) {
  Metrics metrics;
  Counter& first = metrics.AddCounter("bell_a_total", "A.");
  EXPECT_EQ(&metrics.AddCounter("bell_a_total", "A."), &first);
  EXPECT_NE(&metrics.AddCounter("bell_a_total", "A.", "x=\"1\""), &first);
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics;
  Histogram& histogram = metrics.AddHistogram("bell_sync_seconds", "Syncs.", "disk=\"0\"");
  histogram.Observe(absl::Microseconds(1));
  histogram.Observe(absl::Microseconds(2));
  histogram.Observe(absl::Microseconds(3));
  histogram.Observe(absl::Hours(1));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("bell_sync_seconds_bucket{disk=\"0\",le=\"1e-06\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("bell_sync_seconds_bucket{disk=\"0\",le=\"2e-06\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("bell_sync_seconds_bucket{disk=\"0\",le=\"4e-06\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("bell_sync_seconds_bucket{disk=\"0\",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("bell_sync_seconds_count{disk=\"0\"} 4\n"));
  EXPECT_EQ(histogram.sum(), absl::Hours(1) + absl::Microseconds(6));
}

TEST(Metrics, EachDurationFallsUnderItsUpperBound) {
  for (int i = 0; i < Histogram::kBuckets; ++i) {
    Histogram histogram;
    histogram.Observe(Histogram::UpperBound(i));
    EXPECT_EQ(histogram.bucket(i), 1) << i;
    histogram.Observe(Histogram::UpperBound(i) + absl::Microseconds(1));
    EXPECT_EQ(histogram.bucket(i + 1), 1) << i;
  }
}

TEST(Metrics, ReadsGaugesWhenAskedWithoutHoldingItsLock) {
  Metrics metrics;
  double value = 1.5;
  metrics.AddGauge("bell_memory_bytes", "Memory.", [&] {
    metrics.AddCounter("bell_scrapes_total", "Scrapes.").Add();
    return value;
  });
  EXPECT_THAT(metrics.Text(), HasSubstr("bell_memory_bytes 1.5\n"));
  value = 7;
  EXPECT_THAT(metrics.Text(), HasSubstr("bell_memory_bytes 7\n"));
}

TEST(MetricsDeathTest, ANameHasOneType) {
  Metrics metrics;
  metrics.AddCounter("bell_x", "X.");
  EXPECT_DEATH(metrics.AddGauge("bell_x", "X."), "metric bell_x has two types");
}

}  // namespace
}  // namespace bellwether::base
