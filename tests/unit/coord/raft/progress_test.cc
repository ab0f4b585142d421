#include "coord/raft/progress.h"

#include "gtest/gtest.h"

namespace bellwether::coord::raft {
namespace {

AppendResponse From(uint64_t folder, bool awaiting) {
  AppendResponse response;
  response.folder_id = base::Uuid(1, folder);
  response.awaiting_readmission = awaiting;
  return response;
}

// Replicating, with `match` durable and everything below `next` sent.
Progress Replicating(uint64_t match, uint64_t next) {
  Progress progress(LogIndex(match + 1));
  progress.Identify(From(1, false), LogIndex(1));
  progress.OnAccepted(LogIndex(match), LogIndex(match));
  if (next > match + 1) progress.OnEntriesSent(LogIndex(next - 1), 100);
  return progress;
}

TEST(Progress, ProbesOnceAndReplicatesWhenTheLogsAgree) {
  Progress progress(LogIndex(8));
  EXPECT_TRUE(progress.NeedsProbe());
  EXPECT_EQ(progress.Room(10, 1000), 0u);
  progress.OnEmptySent();
  EXPECT_FALSE(progress.NeedsProbe());
  progress.OnRejected(LogIndex(7), LogIndex(3));
  EXPECT_EQ(progress.next(), LogIndex(4));
  EXPECT_TRUE(progress.NeedsProbe());
  progress.OnAccepted(LogIndex(3), LogIndex(2));
  EXPECT_EQ(progress.state(), Progress::State::kReplicate);
  EXPECT_EQ(progress.match(), LogIndex(2)) << "entry 3 is there but not durable yet";
  EXPECT_EQ(progress.next(), LogIndex(4));
}

TEST(Progress, StaleRefusalsChangeNothing) {
  Progress probing(LogIndex(8));
  probing.OnRejected(LogIndex(9), LogIndex(2));
  EXPECT_EQ(probing.next(), LogIndex(8));
  Progress replicating = Replicating(5, 9);
  replicating.OnRejected(LogIndex(4), LogIndex(2));
  EXPECT_EQ(replicating.state(), Progress::State::kReplicate);
}

TEST(Progress, ALostAppendLeadsBackToProbing) {
  Progress progress = Replicating(5, 9);
  progress.OnRejected(LogIndex(8), LogIndex(5));
  EXPECT_EQ(progress.state(), Progress::State::kProbe);
  EXPECT_EQ(progress.next(), LogIndex(6));
  EXPECT_TRUE(progress.window().empty());
}

TEST(Progress, RefusalsNeverGoBelowWhatMatched) {
  Progress progress = Replicating(5, 9);
  progress.OnRejected(LogIndex(8), LogIndex(0));
  EXPECT_EQ(progress.next(), LogIndex(6));
}

// Thesis section 10.2.2.
TEST(Progress, WindowIsBoundedByCountAndBytes) {
  Progress progress = Replicating(0, 1);
  EXPECT_EQ(progress.Room(2, 250), 250u);
  progress.OnEntriesSent(LogIndex(1), 100);
  EXPECT_EQ(progress.Room(2, 250), 150u);
  EXPECT_EQ(progress.Room(1, 250), 0u);
  progress.OnEntriesSent(LogIndex(2), 200);
  EXPECT_EQ(progress.Room(9, 250), 0u);
  progress.OnAccepted(LogIndex(0), LogIndex(1));
  EXPECT_EQ(progress.Room(9, 250), 50u);
}

TEST(Progress, AFolderThatAwaitsReadmissionTakesBackWhatItsPredecessorCounted) {
  Progress progress = Replicating(5, 6);
  progress.OnHeard(7, ReadRound(3));
  EXPECT_EQ(progress.CountedMatch(), 5u);
  ASSERT_TRUE(progress.Identify(From(2, true), LogIndex(6)));
  EXPECT_FALSE(progress.Counts());
  EXPECT_EQ(progress.match(), LogIndex(0));
  progress.OnHeard(8, ReadRound(4));
  EXPECT_EQ(progress.CountedMatch() + progress.CountedRound() + progress.CountedTick(), 0u);
}

TEST(Progress, AnswersOfAReplacedFolderAreDropped) {
  Progress progress = Replicating(5, 6);
  ASSERT_TRUE(progress.Identify(From(2, true), LogIndex(6)));
  EXPECT_FALSE(progress.Identify(From(1, false), LogIndex(6)));
  EXPECT_FALSE(progress.Counts());
}

TEST(Progress, AReadmittedFolderCountsAndStaysReadmitted) {
  Progress progress(LogIndex(6));
  ASSERT_TRUE(progress.Identify(From(2, true), LogIndex(6)));
  progress.OnAccepted(LogIndex(5), LogIndex(5));
  EXPECT_EQ(progress.CountedMatch(), 0u);
  ASSERT_TRUE(progress.Identify(From(2, false), LogIndex(6)));
  EXPECT_EQ(progress.CountedMatch(), 5u);
  EXPECT_FALSE(progress.Identify(From(2, true), LogIndex(6))) << "sent before the readmission";
  EXPECT_TRUE(progress.Counts());
}

TEST(Progress, SnapshotEndsWithAgreementBeyondWhatWasMissing) {
  Progress progress = Replicating(5, 9);
  progress.OnCompacted();
  EXPECT_EQ(progress.state(), Progress::State::kSnapshot);
  EXPECT_TRUE(progress.NeedsProbe());
  EXPECT_EQ(progress.Room(10, 1000), 0u);
  progress.OnEmptySent();
  EXPECT_FALSE(progress.NeedsProbe());
  progress.OnRejected(LogIndex(20), LogIndex(0));
  progress.OnAccepted(LogIndex(8), LogIndex(8));
  EXPECT_EQ(progress.state(), Progress::State::kSnapshot) << "a late answer of what was known";
  progress.OnAccepted(LogIndex(20), LogIndex(8));
  EXPECT_EQ(progress.state(), Progress::State::kReplicate);
  EXPECT_EQ(progress.next(), LogIndex(21)) << "it agrees there, durable or not";
}

}  // namespace
}  // namespace bellwether::coord::raft
