// One contract for the snapshot store on a simulated and on a real folder.

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "base/status.h"
#include "coord/storage/file_snapshot_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/sim_folder.h"
#include "tests/support/sim_log_store.h"

namespace bellwether::coord {
namespace {

using raft::LogIndex;
using raft::Membership;
using raft::ServerId;
using raft::SnapshotMeta;
using raft::Term;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SnapshotMeta Meta(uint64_t index, uint64_t term) {
  return {LogIndex(index), Term(term), Membership{{{ServerId(1), "a:1", true}}, {}}};
}

std::vector<std::string> Records(uint64_t index) {
  std::vector<std::string> records;
  for (uint64_t i = 0; i < 40; ++i) records.push_back(std::to_string(index * 1000 + i));
  return records;
}

class SnapshotStoreContract : public ::testing::TestWithParam<const char*> {
 protected:
  SnapshotStoreContract() {
    if (std::string(GetParam()) == "sim") {
      folder_ = std::make_unique<SimFolder>(random_);
    } else {
      folder_ = *base::OpenFolder(scratch_ / "snapshots");
    }
    Restart();
  }

  // As after a crash.
  void Restart(uint64_t free_bytes_reserve = 0) {
    store_.reset();
    if (auto* const sim = dynamic_cast<SimFolder*>(folder_.get())) sim->Crash();
    auto store = FileSnapshotStore::Open({free_bytes_reserve}, *folder_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  void Damage(const std::string& name) {
    auto file = folder_->Open(name, base::Folder::Mode::kRead);
    ASSERT_TRUE(file.ok()) << file.status();
    std::string content;
    ASSERT_TRUE((*file)->ReadAt(0, 1 << 20, content).ok());
    content[content.size() / 2] ^= 1;
    file = folder_->Open(name, base::Folder::Mode::kCreate);
    ASSERT_TRUE((*file)->Append(content).ok());
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE(folder_->Sync().ok());
  }

  void Write(uint64_t index, uint64_t term = 1) {
    auto writer = store_->Create(Meta(index, term));
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const std::string& record : Records(index)) ASSERT_TRUE((*writer)->Append(record).ok());
    const auto info = (*writer)->Commit();
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->meta, Meta(index, term));
  }

  std::optional<uint64_t> Newest() const {
    const std::optional<SnapshotInfo> newest = store_->Newest();
    if (!newest.has_value()) return std::nullopt;
    return newest->meta.index.value();
  }

  absl::StatusOr<std::vector<std::string>> Read(uint64_t index, uint64_t term = 1) {
    ASSIGN_OR_RETURN(const auto reader, store_->Open(LogIndex(index), Term(term)));
    std::vector<std::string> records;
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<std::string_view> record, reader->Next());
      if (!record.has_value()) return records;
      records.emplace_back(*record);
    }
  }

  // The bytes of a snapshot as they travel.
  std::string Bytes(uint64_t index, size_t bytes_max = 100) {
    std::string all;
    while (true) {
      const auto bytes = store_->ReadBytes(LogIndex(index), Term(1), all.size(), bytes_max);
      EXPECT_TRUE(bytes.ok()) << bytes.status();
      all += *bytes;
      if (bytes->size() < bytes_max) return all;
    }
  }

  absl::Status Receive(uint64_t index, uint64_t offset, std::string_view bytes) {
    return store_->AppendReceived(LogIndex(index), Term(1), offset, bytes);
  }
  uint64_t Received(uint64_t index) { return store_->ReceivedBytes(LogIndex(index), Term(1)); }

  // What another server wrote.
  std::string BytesOfAnother(uint64_t index) {
    base::Random random(1);
    SimFolder folder(random);
    auto store = FileSnapshotStore::Open({}, folder);
    std::swap(store_, *store);
    Write(index);
    std::string bytes = Bytes(index);
    std::swap(store_, *store);
    return bytes;
  }

  absl::Status Check(uint64_t index) {
    return store_->Check(LogIndex(index), Term(1), [] { return false; });
  }

  std::vector<std::string> Files() { return *folder_->List(); }

  base::Random random_{7};
  ScratchFolder scratch_;
  std::unique_ptr<base::Folder> folder_;
  std::unique_ptr<FileSnapshotStore> store_;
};

TEST_P(SnapshotStoreContract, NewStoreHoldsNothing) {
  EXPECT_EQ(Newest(), std::nullopt);
  EXPECT_TRUE(absl::IsNotFound(Read(1).status()));
  EXPECT_EQ(Received(1), 0u);
  EXPECT_TRUE(
      absl::IsNotFound(store_->ReadBytes(LogIndex(1), Term(1), 0, 10).status()));
}

TEST_P(SnapshotStoreContract, WhatWasCommittedIsThereAfterARestart) {
  Write(10, 3);
  for (int restart = 0; restart < 2; ++restart) {
    EXPECT_EQ(store_->Newest()->meta, Meta(10, 3));
    EXPECT_EQ(*Read(10, 3), Records(10));
    Restart();
  }
}

TEST_P(SnapshotStoreContract, WhatWasNotCommittedLeavesNothing) {
  {
    auto writer = store_->Create(Meta(10, 1));
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append("a").ok());
  }
  EXPECT_EQ(Newest(), std::nullopt);
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_P(SnapshotStoreContract, LeftoverOfACrashIsRemovedAtOpen) {
  ASSERT_TRUE(folder_->Open("writing-10-1", base::Folder::Mode::kCreate).ok());
  ASSERT_TRUE(folder_->Sync().ok());
  Restart();
  EXPECT_EQ(Newest(), std::nullopt);
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_P(SnapshotStoreContract, NewestTwoAreKept) {
  for (uint64_t index : {10, 20, 30, 40}) Write(index);
  EXPECT_EQ(Newest(), 40u);
  EXPECT_EQ(*Read(30), Records(30));
  EXPECT_TRUE(absl::IsNotFound(Read(20).status()));
  EXPECT_THAT(Files(), ElementsAre("snapshot-30-1", "snapshot-40-1"));
}

TEST_P(SnapshotStoreContract, OlderOneDoesNotBecomeTheNewest) {
  Write(100);
  Write(20);
  EXPECT_EQ(Newest(), 100u);
  Restart();
  EXPECT_EQ(Newest(), 100u);
}

TEST_P(SnapshotStoreContract, ReaderOutlivesTheRemovalOfItsSnapshot) {
  Write(10);
  const auto reader = store_->Open(LogIndex(10), Term(1));
  ASSERT_TRUE(reader.ok());
  Write(20);
  Write(30);
  size_t records = 0;
  while ((*(*reader)->Next()).has_value()) ++records;
  EXPECT_EQ(records, Records(10).size());
}

TEST_P(SnapshotStoreContract, ReceivesWhatAnotherServerWrote) {
  const std::string bytes = BytesOfAnother(50);
  for (size_t offset = 0; offset < bytes.size(); offset += 37) {
    EXPECT_EQ(Received(50), offset);
    ASSERT_TRUE(Receive(50, offset, std::string_view(bytes).substr(offset, 37)).ok());
  }
  EXPECT_EQ(Newest(), std::nullopt);
  const auto info = store_->FinishReceived(LogIndex(50), Term(1));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->file_bytes, bytes.size());
  EXPECT_EQ(Received(50), 0u);
  for (int restart = 0; restart < 2; ++restart) {
    EXPECT_EQ(Newest(), 50u);
    EXPECT_EQ(*Read(50), Records(50));
    EXPECT_EQ(Bytes(50), bytes);
    Restart();
  }
}

TEST_P(SnapshotStoreContract, ReceivingGoesOnAfterARestart) {
  const std::string bytes = BytesOfAnother(50);
  ASSERT_TRUE(Receive(50, 0, std::string_view(bytes).substr(0, bytes.size() - 5)).ok());
  ASSERT_TRUE(folder_->Sync().ok());
  Restart();
  const uint64_t received = Received(50);
  EXPECT_LE(received, bytes.size() - 5);
  ASSERT_TRUE(Receive(50, received, std::string_view(bytes).substr(received)).ok());
  ASSERT_TRUE(store_->FinishReceived(LogIndex(50), Term(1)).ok());
  EXPECT_EQ(*Read(50), Records(50));
}

TEST_P(SnapshotStoreContract, ReceivingAnotherOneForgetsTheFirst) {
  const std::string bytes = BytesOfAnother(50);
  ASSERT_TRUE(Receive(50, 0, bytes).ok());
  ASSERT_TRUE(Receive(60, 0, "x").ok());
  EXPECT_EQ(Received(50), 0u);
  EXPECT_EQ(Received(60), 1u);
  EXPECT_THAT(Files(), ElementsAre("receiving-60-1"));
}

TEST_P(SnapshotStoreContract, GapInWhatIsReceivedIsRefused) {
  ASSERT_TRUE(Receive(50, 0, "abc").ok());
  EXPECT_TRUE(absl::IsOutOfRange(Receive(50, 2, "c")));
  EXPECT_TRUE(absl::IsOutOfRange(Receive(50, 4, "e")));
  EXPECT_TRUE(absl::IsOutOfRange(Receive(60, 1, "a")));
  EXPECT_EQ(Received(50), 3u);
}

TEST_P(SnapshotStoreContract, DamagedOnTheWayIsForgotten) {
  std::string bytes = BytesOfAnother(50);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(Receive(50, 0, bytes).ok());
  EXPECT_TRUE(absl::IsDataLoss(store_->FinishReceived(LogIndex(50), Term(1)).status()));
  EXPECT_EQ(Received(50), 0u);
  EXPECT_EQ(Newest(), std::nullopt);
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_P(SnapshotStoreContract, SnapshotOfAnotherNameIsForgotten) {
  ASSERT_TRUE(Receive(51, 0, BytesOfAnother(50)).ok());
  EXPECT_TRUE(absl::IsDataLoss(store_->FinishReceived(LogIndex(51), Term(1)).status()));
  EXPECT_EQ(Newest(), std::nullopt);
}

TEST_P(SnapshotStoreContract, NothingReceivedIsNothingToFinish) {
  EXPECT_TRUE(absl::IsNotFound(store_->FinishReceived(LogIndex(5), Term(1)).status()));
}

TEST_P(SnapshotStoreContract, DamagedOneIsSetAsideAndReported) {
  Write(10);
  Write(20);
  Damage("snapshot-20-1");
  Restart();
  EXPECT_EQ(Newest(), 10u);
  ASSERT_EQ(store_->damaged().size(), 1u);
  EXPECT_EQ(store_->damaged()[0].index, LogIndex(20));
  EXPECT_THAT(store_->damaged()[0].path, HasSubstr("damaged-20-1"));
  EXPECT_TRUE(absl::IsDataLoss(store_->damaged()[0].why));
  EXPECT_THAT(Files(), ElementsAre("damaged-20-1", "snapshot-10-1"));
}

TEST_P(SnapshotStoreContract, CheckFindsWhatRotsAndSetsItAside) {
  for (uint64_t index : {10, 20}) Write(index);
  EXPECT_TRUE(Check(20).ok());
  EXPECT_TRUE(absl::IsNotFound(Check(15)));
  Damage("snapshot-20-1");
  const absl::Status damaged = Check(20);
  EXPECT_TRUE(absl::IsDataLoss(damaged));
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("damaged-20-1"));
  EXPECT_EQ(Newest(), 10u);
  EXPECT_TRUE(absl::IsNotFound(store_->ReadBytes(LogIndex(20), Term(1), 0, 10).status()));
  EXPECT_TRUE(absl::IsNotFound(Check(20)));
  Write(20);
  EXPECT_TRUE(Check(20).ok());
  EXPECT_EQ(*Read(20), Records(20));
}

TEST_P(SnapshotStoreContract, CheckOfAnOlderOneLeavesTheNewest) {
  for (uint64_t index : {10, 20}) Write(index);
  Damage("snapshot-10-1");
  EXPECT_TRUE(absl::IsDataLoss(Check(10)));
  EXPECT_EQ(Newest(), 20u);
  EXPECT_THAT(Files(), ElementsAre("damaged-10-1", "snapshot-20-1"));
}

TEST_P(SnapshotStoreContract, CheckGoesBackToOneThatIsWhole) {
  for (uint64_t index : {10, 20}) Write(index);
  Damage("snapshot-10-1");
  ASSERT_TRUE(folder_->Remove("snapshot-20-1").ok());
  EXPECT_TRUE(absl::IsDataLoss(Check(20))) << "the newest is gone";
  EXPECT_EQ(Newest(), std::nullopt);
  EXPECT_THAT(Files(), ElementsAre("damaged-10-1"));
}

TEST_P(SnapshotStoreContract, DamageMetWhileReadingIsAnError) {
  Write(10);
  Damage("snapshot-10-1");
  EXPECT_TRUE(absl::IsDataLoss(Read(10).status()));
}

// R29: a lost snapshot must never look like an empty state.
TEST_P(SnapshotStoreContract, LogMustReachBackToTheSnapshot) {
  EXPECT_TRUE(CheckReaches(*store_, LogIndex(1), "DIR").ok());
  EXPECT_TRUE(absl::IsDataLoss(CheckReaches(*store_, LogIndex(2), "DIR")));
  Write(10);
  Write(20);
  EXPECT_TRUE(CheckReaches(*store_, LogIndex(15), "DIR").ok());
  EXPECT_TRUE(CheckReaches(*store_, LogIndex(21), "DIR").ok());
  EXPECT_TRUE(absl::IsDataLoss(CheckReaches(*store_, LogIndex(22), "DIR")));
  Damage("snapshot-20-1");
  Restart();
  EXPECT_TRUE(CheckReaches(*store_, LogIndex(11), "DIR").ok());
  EXPECT_THAT(std::string(CheckReaches(*store_, LogIndex(15), "DIR").message()),
              HasSubstr("'DIR' the log begins at entry 15 and the newest whole snapshot ends at 10"));
}

TEST_P(SnapshotStoreContract, TermsMustNotFallBehindTheSnapshot) {
  Write(10, 3);
  for (const uint64_t term : {2, 3, 4}) {
    SimScheduler scheduler(1);
    SimDisk disk(scheduler);
    SimExecutor executor(scheduler);
    SimLogStore log(scheduler, disk, executor);
    PersistRequest request;
    request.reset_to = LogIndex(10);
    log.Persist(std::move(request), [](absl::Status) {});
    EXPECT_TRUE(CheckReaches(*store_, log, "DIR").ok()) << "nothing follows it";
    request = {};
    request.entries.push_back(std::make_shared<const raft::Entry>(
        raft::Entry{Term(term), LogIndex(11), raft::EntryType::kCommands, ""}));
    log.Persist(std::move(request), [](absl::Status) {});
    const absl::Status reaches = CheckReaches(*store_, log, "DIR");
    EXPECT_EQ(absl::IsDataLoss(reaches), term < 3) << reaches;
    EXPECT_EQ(reaches.ok(), term >= 3) << reaches;
  }
}

TEST_P(SnapshotStoreContract, FullDiskRefusesGrowthAndLeavesWhatThereIs) {
  Write(10);
  Restart(uint64_t{1} << 60);
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Create(Meta(20, 1)).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(Receive(20, 0, "x")));
  EXPECT_EQ(*Read(10), Records(10));
  Restart();
  Write(20);
  EXPECT_EQ(Newest(), 20u);
}

TEST_P(SnapshotStoreContract, CheckEndsWhenNobodyWaits) {
  for (uint64_t index : {10, 20}) Write(index);
  Damage("snapshot-20-1");
  int pieces = 0;
  const auto stopped = [&pieces] { return ++pieces > 0; };
  EXPECT_TRUE(absl::IsCancelled(store_->Check(LogIndex(20), Term(1), stopped)));
  EXPECT_EQ(pieces, 1);
  EXPECT_THAT(Files(), ElementsAre("snapshot-10-1", "snapshot-20-1"));
  EXPECT_EQ(Newest(), 20u);
}

class SnapshotStoreFaults : public SnapshotStoreContract {
 protected:
  SimFolder& sim() { return dynamic_cast<SimFolder&>(*folder_); }
};

TEST_P(SnapshotStoreFaults, CheckWithoutDescriptorsSaysNothingAboutTheSnapshot) {
  for (uint64_t index : {10, 20}) Write(index);
  for (const int error : {EMFILE, ENFILE, ENOMEM, EACCES}) {
    sim().SetReadError(base::FileError("open", "snapshot", error));
    const absl::Status unread = Check(20);
    EXPECT_TRUE(absl::IsUnavailable(unread)) << unread;
    EXPECT_THAT(Files(), ElementsAre("snapshot-10-1", "snapshot-20-1"));
  }
  sim().SetReadError(absl::OkStatus());
  EXPECT_EQ(Newest(), 20u);
  EXPECT_TRUE(Check(20).ok());
}

TEST_P(SnapshotStoreFaults, WhatTheDiskCantReadIsDamaged) {
  for (uint64_t index : {10, 20}) Write(index);
  sim().SetReadError(base::FileError("read", "snapshot", EIO));
  EXPECT_TRUE(absl::IsDataLoss(Check(20)));
  EXPECT_THAT(Files(), ElementsAre("damaged-20-1", "snapshot-10-1"));
  EXPECT_EQ(Newest(), std::nullopt) << "the older one can't be read either";
}

TEST_P(SnapshotStoreFaults, WhatWasSetAsideIsLostThoughTheFolderCantBeSynced) {
  for (uint64_t index : {10, 20}) Write(index);
  Damage("snapshot-20-1");
  sim().CrashAfter(1);
  EXPECT_TRUE(absl::IsDataLoss(Check(20)));
  EXPECT_EQ(Newest(), 10u);
}

TEST_P(SnapshotStoreFaults, DamagedOneThatCantBeSetAsideIsAnError) {
  Write(10);
  Damage("snapshot-10-1");
  sim().CrashAfter(0);
  EXPECT_TRUE(absl::IsInternal(Check(10)));
  EXPECT_EQ(Newest(), 10u);
}

INSTANTIATE_TEST_SUITE_P(, SnapshotStoreFaults, ::testing::Values("sim"));
INSTANTIATE_TEST_SUITE_P(, SnapshotStoreContract, ::testing::Values("sim", "disk"));

}  // namespace
}  // namespace bellwether::coord
