#include "coord/replica/instruments.h"

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

uint64_t CounterOf(Process& process, std::string_view name) {
  return process.metrics.AddCounter(name, "").value();
}

uint64_t SamplesOf(Process& process, std::string_view name, std::string_view labels = "") {
  return process.metrics.AddHistogram(name, "", labels).count();
}

TEST(IndexTimer, MeasuresFromTheFirstBeginToWhatCoversIt) {
  IndexTimer timer;
  timer.Begin(LogIndex(5), absl::Seconds(10));
  timer.Begin(LogIndex(9), absl::Seconds(11));
  EXPECT_EQ(timer.End(LogIndex(4), absl::Seconds(12)), std::nullopt);
  EXPECT_EQ(timer.End(LogIndex(7), absl::Seconds(13)), absl::Seconds(3));
  EXPECT_EQ(timer.End(LogIndex(9), absl::Seconds(14)), std::nullopt) << "one sample at a time";
}

TEST(Instruments, CountElectionsWhereTheyHappen) {
  Ensemble ensemble(3, 1);
  ensemble.StartAll();
  const uint32_t first = ensemble.WaitForLeader();
  ASSERT_NE(first, 0u);
  EXPECT_GE(CounterOf(ensemble.at(first), "bell_raft_elections_started_total"), 1u);
  EXPECT_EQ(CounterOf(ensemble.at(first), "bell_raft_elections_won_total"), 1u);
  ensemble.Crash(first);
  const uint32_t second = ensemble.WaitForLeader();
  ASSERT_NE(second, 0u);
  EXPECT_EQ(CounterOf(ensemble.at(second), "bell_raft_elections_won_total"), 1u);
}

TEST(Instruments, TimeTheWayOfACommand) {
  Ensemble ensemble(3, 2);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
  ensemble.scheduler.RunFor(absl::Milliseconds(100));
  Process& process = ensemble.at(leader);
  EXPECT_GE(SamplesOf(process, "bell_raft_commit_seconds"), 1u);
  EXPECT_GE(SamplesOf(process, "bell_raft_apply_seconds"), 1u);
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id == leader) continue;
    const std::string peer = fmt::format("peer=\"{}\"", id);
    EXPECT_GE(SamplesOf(process, "bell_raft_append_seconds", peer), 1u) << id;
  }
  EXPECT_EQ(process.metrics.AddGauge("bell_raft_commit_lag_entries", "").value(), 0);
  EXPECT_EQ(process.metrics.AddGauge("bell_raft_apply_lag_entries", "").value(), 0);
}

}  // namespace
}  // namespace bellwether::coord
