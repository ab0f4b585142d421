#include "coord/raft/pending_reads.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::ElementsAre;

std::vector<uint64_t> Confirmed(PendingReads& reads, uint64_t round) {
  std::vector<ReadResult> results;
  reads.Confirm(ReadRound(round), results);
  std::vector<uint64_t> ids;
  for (const ReadResult& result : results) ids.push_back(result.id.value());
  return ids;
}

TEST(PendingReads, ReadsAskedForTogetherShareARound) {
  PendingReads reads;
  reads.Add(ReadId(1), LogIndex(5));
  reads.Add(ReadId(2), LogIndex(5));
  EXPECT_EQ(reads.newest_round(), ReadRound(1));
  reads.CloseRound();
  reads.Add(ReadId(3), LogIndex(5));
  EXPECT_EQ(reads.newest_round(), ReadRound(2));
  EXPECT_THAT(Confirmed(reads, 1), ElementsAre(1, 2));
  EXPECT_THAT(Confirmed(reads, 2), ElementsAre(3));
}

// R2: the same caller's id again is another read, with a round of its own.
TEST(PendingReads, ARepeatedIdIsNotConfirmedByTheOldRound) {
  PendingReads reads;
  reads.Add(ReadId(1), LogIndex(5));
  reads.CloseRound();
  EXPECT_THAT(reads.TakeAll(), ElementsAre(ReadId(1)));
  reads.Add(ReadId(1), LogIndex(9));
  EXPECT_THAT(Confirmed(reads, 1), ElementsAre());
  EXPECT_THAT(Confirmed(reads, 2), ElementsAre(1));
}

TEST(PendingReads, WithoutACommitOfTheTermReadsWait) {
  PendingReads reads;
  reads.Add(ReadId(1), std::nullopt);
  EXPECT_FALSE(reads.HasUnconfirmed());
  EXPECT_EQ(reads.size(), 1u);
  reads.OnFirstCommit(LogIndex(4));
  std::vector<ReadResult> results;
  reads.Confirm(ReadRound(1), results);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].index, LogIndex(4));
}

}  // namespace
}  // namespace bellwether::coord::raft
