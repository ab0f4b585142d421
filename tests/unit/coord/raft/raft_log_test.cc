#include "coord/raft/raft_log.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::ElementsAre;

EntryPtr MakeEntry(uint64_t index, uint64_t term, std::string payload = "") {
  return std::make_shared<Entry>(
      Entry{Term(term), LogIndex(index), EntryType::kCommands, std::move(payload)});
}

// Entries of these terms from `first` on.
std::vector<EntryPtr> Entries(uint64_t first, const std::vector<uint64_t>& terms) {
  std::vector<EntryPtr> entries;
  for (uint64_t term : terms) entries.push_back(MakeEntry(first++, term));
  return entries;
}

std::vector<uint64_t> Indexes(const std::vector<EntryPtr>& entries) {
  std::vector<uint64_t> indexes;
  for (const EntryPtr& entry : entries) indexes.push_back(entry->index.value());
  return indexes;
}

class RaftLogTest : public testing::Test {
 protected:
  RaftLog Load(size_t tail_bytes_max = 1 << 20) {
    auto log = RaftLog::Load(disk_, start_, tail_bytes_max);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  // Hands what is unwritten to the disk, as Ready `id`.
  void Write(RaftLog& log, uint64_t id) {
    RaftLog::Write write = log.TakeUnwritten(ReadyId(id));
    disk_.Add(FakeDisk::Write{ReadyId(id), write.truncate_from, std::move(write.entries), {}, {},
                              write.install ? write.install->index : LogIndex(0), LogIndex(0)});
    log.CheckInvariants();
  }

  void Persist(RaftLog& log) {
    log.OnPersisted(disk_.Sync().ready);
    log.CheckInvariants();
  }

  void Fill(const std::vector<uint64_t>& terms) {
    disk_.Add(FakeDisk::Write{ReadyId(0), LogIndex(0), Entries(1, terms), {}, {}, {}, {}});
    disk_.Sync();
  }

  // Damage is found.
  bool IsDamage() {
    return absl::IsDataLoss(RaftLog::Load(disk_, start_, /*tail_bytes_max=*/100).status());
  }

  FakeDisk disk_;
  SnapshotMeta start_;
};

TEST_F(RaftLogTest, LoadsTermsFromDisk) {
  Fill({1, 1, 3, 3, 3, 7});
  RaftLog log = Load();
  EXPECT_EQ(log.last_index(), LogIndex(6));
  EXPECT_EQ(log.last_term(), Term(7));
  EXPECT_EQ(log.TermAt(LogIndex(0)), Term(0));
  EXPECT_EQ(log.TermAt(LogIndex(2)), Term(1));
  EXPECT_EQ(log.TermAt(LogIndex(3)), Term(3));
  EXPECT_EQ(log.TermAt(LogIndex(7)), std::nullopt);
  EXPECT_EQ(log.durable(), LogIndex(6));
}

TEST_F(RaftLogTest, FallingTermsOnDiskAreDamage) {
  Fill({3, 3, 2});
  EXPECT_TRUE(IsDamage());
}


TEST_F(RaftLogTest, ContinuesASnapshot) {
  Fill({1, 1, 3, 3, 3, 7});
  start_ = SnapshotMeta{LogIndex(4), Term(3), {}};
  RaftLog log = Load();
  EXPECT_EQ(log.base_index(), LogIndex(0));
  EXPECT_EQ(log.commit(), LogIndex(4));
  EXPECT_EQ(log.handed_out(), LogIndex(4));
  EXPECT_EQ(log.last_index(), LogIndex(6));
}

// What was before its first entry is known from the snapshot only at the snapshot's own index.
TEST_F(RaftLogTest, CompactedLogBeginsBehindItsFirstEntryUnlessTheSnapshotEndsThere) {
  Fill({1, 1, 3, 3, 3, 7});
  FakeDisk::Write compaction;
  compaction.compact_to = LogIndex(2);
  disk_.Add(std::move(compaction));
  disk_.Sync();
  start_ = SnapshotMeta{LogIndex(4), Term(3), {}};
  RaftLog log = Load();
  EXPECT_EQ(log.base_index(), LogIndex(3));
  EXPECT_EQ(log.TermAt(LogIndex(3)), Term(3));
  EXPECT_EQ(log.TermAt(LogIndex(2)), std::nullopt);
  EXPECT_EQ(log.TermAt(LogIndex(5)), Term(3));
  EXPECT_THAT(Indexes(*log.Read(LogIndex(4), LogIndex(6), 1000)), ElementsAre(4, 5, 6));
  start_ = SnapshotMeta{LogIndex(2), Term(1), {}};
  EXPECT_EQ(Load().base_index(), LogIndex(2));
  EXPECT_EQ(Load().TermAt(LogIndex(2)), Term(1));
}

// R18.
TEST_F(RaftLogTest, LogThatDoesNotContinueTheSnapshotIsDamage) {
  Fill({1, 1, 3, 3});
  start_ = SnapshotMeta{LogIndex(5), Term(3), {}};
  EXPECT_TRUE(IsDamage()) << "the log ends before";
  start_ = SnapshotMeta{LogIndex(4), Term(4), {}};
  EXPECT_TRUE(IsDamage()) << "another entry is there";
  FakeDisk::Write compaction;
  compaction.compact_to = LogIndex(3);
  disk_.Add(std::move(compaction));
  disk_.Sync();
  start_ = SnapshotMeta{LogIndex(2), Term(1), {}};
  EXPECT_TRUE(IsDamage()) << "entry 3 is in neither";
}

TEST_F(RaftLogTest, CompactionForgetsEntriesButTheLastOnesTerm) {
  Fill({1, 1, 3, 3});
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(5, {3, 7})).ok());
  Write(log, 1);
  Persist(log);
  log.CommitTo(LogIndex(6));
  ASSERT_EQ(log.TakeCommitted(1000)->size(), 4u);  // from the disk
  ASSERT_EQ(log.TakeCommitted(1000)->size(), 2u);
  log.OnSnapshotTaken(SnapshotMeta{LogIndex(5), Term(3), {}}, LogIndex(5));
  log.CheckInvariants();
  EXPECT_EQ(log.base_index(), LogIndex(5));
  EXPECT_EQ(log.TermAt(LogIndex(5)), Term(3));
  EXPECT_EQ(log.TermAt(LogIndex(4)), std::nullopt);
  EXPECT_THAT(Indexes(*log.Read(LogIndex(6), LogIndex(6), 1000)), ElementsAre(6));
  EXPECT_EQ(log.LastAtMost(LogIndex(6), Term(3)), LogIndex(5));
  EXPECT_EQ(log.LastAtMost(LogIndex(6), Term(1)), LogIndex(5)) << "nothing below is known";
  EXPECT_EQ(log.LastAtMost(LogIndex(2), Term(9)), LogIndex(2));
  log.OnSnapshotTaken(SnapshotMeta{LogIndex(2), Term(1), {}}, LogIndex(2));
  EXPECT_EQ(log.snapshot().index, LogIndex(5)) << "an older one";
  ASSERT_TRUE(log.Merge(Entries(4, {3, 3, 7, 7})).ok());
  EXPECT_EQ(log.last_index(), LogIndex(7));
}

// R16 across the installation of a snapshot.
TEST_F(RaftLogTest, AWriteReportsNothingOfWhatFollowsASnapshot) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1, 1, 1})).ok());
  Write(log, 1);
  log.Install(SnapshotMeta{LogIndex(3), Term(3), {}});
  log.CheckInvariants();
  ASSERT_TRUE(log.Merge(Entries(4, {3})).ok());
  Write(log, 2);
  ASSERT_TRUE(log.Merge(Entries(5, {3})).ok());
  Write(log, 3);
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(3)) << "entry 4 of term 1 was written";
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(4));
  EXPECT_EQ(disk_.FirstIndex(), LogIndex(4));
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(5));
}

TEST_F(RaftLogTest, InstalledSnapshotReplacesWhatWasHandedOut) {
  Fill({1, 1, 1});
  RaftLog log = Load();
  log.CommitTo(LogIndex(2));
  ASSERT_EQ(log.TakeCommitted(32)->size(), 1u);
  const Membership membership{{{ServerId(9), ""}}, {}};
  log.Install(SnapshotMeta{LogIndex(7), Term(2), membership});
  EXPECT_EQ(log.commit(), LogIndex(7));
  EXPECT_EQ(log.memberships().newest(), membership);
  EXPECT_TRUE(log.TakeCommitted(32)->empty());
  EXPECT_TRUE(log.HasUnwritten());
  ASSERT_TRUE(log.Merge(Entries(8, {2})).ok());
  Write(log, 1);
  Persist(log);
  log.CommitTo(LogIndex(8));
  EXPECT_THAT(Indexes(*log.TakeCommitted(32)), ElementsAre(8)) << "the window is empty again";
}

TEST_F(RaftLogTest, LastAtMostSkipsWholeTerms) {
  Fill({1, 1, 4, 4, 6, 6});
  RaftLog log = Load();
  EXPECT_EQ(log.LastAtMost(LogIndex(6), Term(6)), LogIndex(6));
  EXPECT_EQ(log.LastAtMost(LogIndex(6), Term(5)), LogIndex(4));
  EXPECT_EQ(log.LastAtMost(LogIndex(3), Term(4)), LogIndex(3));
  EXPECT_EQ(log.LastAtMost(LogIndex(6), Term(3)), LogIndex(2));
  EXPECT_EQ(log.LastAtMost(LogIndex(6), Term(0)), LogIndex(0));
  EXPECT_EQ(log.LastAtMost(LogIndex(99), Term(9)), LogIndex(6));
}

TEST_F(RaftLogTest, MergeSkipsWhatIsThere) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1, 1})).ok());
  Write(log, 1);
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1})).ok());
  EXPECT_EQ(log.last_index(), LogIndex(3));
  EXPECT_FALSE(log.HasUnwritten());
}

TEST_F(RaftLogTest, MergeTruncatesConflictingSuffix) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1, 1, 1})).ok());
  Write(log, 1);
  ASSERT_TRUE(log.Merge(Entries(2, {1, 2})).ok());
  EXPECT_EQ(log.last_index(), LogIndex(3));
  const RaftLog::Write write = log.TakeUnwritten(ReadyId(2));
  EXPECT_EQ(write.truncate_from, LogIndex(3));
  EXPECT_THAT(Indexes(write.entries), ElementsAre(3));
}

TEST_F(RaftLogTest, ConflictWithACommittedEntryIsDamageAndChangesNothing) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1, 1})).ok());
  log.CommitTo(LogIndex(2));
  EXPECT_EQ(log.Merge(Entries(2, {2})).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(log.last_index(), LogIndex(3));
}

// R16: a truncation takes back what a write under way will report.
TEST_F(RaftLogTest, AWriteReportsNothingOfWhatTookItsEntriesPlace) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1, 1})).ok());
  Write(log, 1);
  ASSERT_TRUE(log.Merge(Entries(2, {2, 2})).ok());
  Write(log, 2);
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(1));
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(3));
}

// The same entry comes back: on disk it is still to be removed and written again.
TEST_F(RaftLogTest, AWriteReportsNothingOfAnEntryThatCameBack) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 2})).ok());
  Write(log, 1);
  ASSERT_TRUE(log.Merge(Entries(2, {3})).ok());
  Write(log, 2);
  RaftLog::Write unused = log.TakeUnwritten(ReadyId(3));
  EXPECT_TRUE(unused.entries.empty());
  // A leader of term 4 that holds (2, term 2).
  ASSERT_TRUE(log.Merge(Entries(2, {2, 4})).ok());
  Write(log, 4);
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(1));
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(1));
  Persist(log);
  EXPECT_EQ(log.durable(), LogIndex(3));
}

TEST_F(RaftLogTest, TwoTruncationsBeforeAWriteRemoveFromTheLowerOne) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1, 1, 1})).ok());
  Write(log, 1);
  ASSERT_TRUE(log.Merge(Entries(4, {2, 2})).ok());
  ASSERT_TRUE(log.Merge(Entries(3, {3})).ok());
  ASSERT_TRUE(log.Merge(Entries(4, {3, 3})).ok());
  const RaftLog::Write write = log.TakeUnwritten(ReadyId(2));
  EXPECT_EQ(write.truncate_from, LogIndex(3));
  EXPECT_THAT(Indexes(write.entries), ElementsAre(3, 4, 5));
}

TEST_F(RaftLogTest, HandsOutCommittedEntriesOnlyWhenDurable) {
  RaftLog log = Load();
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1})).ok());
  Write(log, 1);
  log.CommitTo(LogIndex(2));
  EXPECT_TRUE(log.TakeCommitted(1000)->empty());
  Persist(log);
  EXPECT_THAT(Indexes(*log.TakeCommitted(1000)), ElementsAre(1, 2));
  EXPECT_TRUE(log.TakeCommitted(1000)->empty());
}

TEST_F(RaftLogTest, HandsOutNoMoreThanMayBeUnapplied) {
  Fill({1, 1, 1});
  RaftLog log = Load();
  log.CommitTo(LogIndex(3));
  EXPECT_THAT(Indexes(*log.TakeCommitted(70)), ElementsAre(1, 2));
  EXPECT_THAT(Indexes(*log.TakeCommitted(70)), ElementsAre(3));
  EXPECT_TRUE(log.TakeCommitted(70)->empty());
}

TEST_F(RaftLogTest, TailIsBoundedAndTheDiskServesWhatLeftIt) {
  RaftLog log = Load(/*tail_bytes_max=*/70);
  ASSERT_TRUE(log.Merge(Entries(1, {1, 1, 1, 1})).ok());
  EXPECT_THAT(Indexes(*log.Read(LogIndex(1), LogIndex(4), 1000)), ElementsAre(1, 2, 3, 4));
  Write(log, 1);
  Persist(log);
  EXPECT_THAT(Indexes(*log.Read(LogIndex(1), LogIndex(4), 1000)), ElementsAre(1, 2));
  EXPECT_THAT(Indexes(*log.Read(LogIndex(3), LogIndex(4), 1000)), ElementsAre(3, 4));
  disk_.fails = true;
  EXPECT_FALSE(log.Read(LogIndex(2), LogIndex(4), 1000).ok());
  EXPECT_TRUE(log.Read(LogIndex(3), LogIndex(4), 1000).ok());
}

TEST_F(RaftLogTest, ReadsAtLeastOneEntryAndNoMoreThanTheBound) {
  RaftLog log = Load();
  log.Append(MakeEntry(1, 1, std::string(500, 'x')));
  log.Append(MakeEntry(2, 1));
  EXPECT_THAT(Indexes(*log.Read(LogIndex(1), LogIndex(2), 1)), ElementsAre(1));
  EXPECT_THAT(Indexes(*log.Read(LogIndex(1), LogIndex(2), 564)), ElementsAre(1, 2));
  EXPECT_THAT(Indexes(*log.Read(LogIndex(1), LogIndex(2), 563)), ElementsAre(1));
}

}  // namespace
}  // namespace bellwether::coord::raft
