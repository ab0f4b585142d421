// A snapshot store killed in the middle of every single change it makes to its folder.

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "coord/storage/file_snapshot_store.h"
#include "gtest/gtest.h"
#include "tests/support/sim_folder.h"

namespace bellwether::coord {
namespace {

using raft::LogIndex;
using raft::Membership;
using raft::ServerId;
using raft::SnapshotMeta;
using raft::Term;

SnapshotMeta Meta(uint64_t index) {
  return {LogIndex(index), Term(1), Membership{{{ServerId(1), "a:1", true}}, {}}};
}

// What a server did with its snapshots until it died.
class Life {
 public:
  explicit Life(SimFolder& folder) : folder_(folder) {}

  // Writes some and receives one; ends early when the process dies.
  void Run(const std::string& received_50) {
    auto store = FileSnapshotStore::Open({0}, folder_);
    if (!store.ok()) return;
    for (uint64_t index : {10, 20, 30}) {
      if (!Write(**store, index)) return;
    }
    size_t offset = (*store)->ReceivedBytes(LogIndex(50), Term(1));
    for (; offset < received_50.size(); offset += 100) {
      const auto part = std::string_view(received_50).substr(offset, 100);
      if (!(*store)->AppendReceived(LogIndex(50), Term(1), offset, part).ok()) return;
    }
    if (!(*store)->FinishReceived(LogIndex(50), Term(1)).ok()) return;
    durable_ = 50;
    Write(**store, 60);
  }

  // Index of the newest snapshot of which the store said that it is durable; 0: none.
  uint64_t durable() const { return durable_; }

  static void WriteRecords(SnapshotWriter& writer, uint64_t index) {
    for (int i = 0; i < 100; ++i) {
      if (!writer.Append(std::to_string(index) + std::string(50, 'x')).ok()) return;
    }
  }

 private:
  bool Write(FileSnapshotStore& store, uint64_t index) {
    auto writer = store.Create(Meta(index));
    if (!writer.ok()) return false;
    WriteRecords(**writer, index);
    if (!(*writer)->Commit().ok()) return false;
    durable_ = index;
    return true;
  }

  SimFolder& folder_;
  uint64_t durable_ = 0;
};

std::string BytesOfAnother(uint64_t index) {
  base::Random random(1);
  SimFolder folder(random);
  auto store = FileSnapshotStore::Open({}, folder);
  auto writer = (*store)->Create(Meta(index));
  Life::WriteRecords(**writer, index);
  EXPECT_TRUE((*writer)->Commit().ok());
  return *(*store)->ReadBytes(LogIndex(index), Term(1), 0, 1 << 20);
}

// Opens what the crash left: nothing durable is lost, all that is there is whole.
void CheckAfterCrash(SimFolder& folder, uint64_t durable) {
  auto store = FileSnapshotStore::Open({0}, folder);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->damaged().empty());
  const std::optional<SnapshotInfo> newest = (*store)->Newest();
  if (!newest.has_value()) {
    EXPECT_EQ(durable, 0u);
    return;
  }
  EXPECT_GE(newest->meta.index, LogIndex(durable));
  auto reader = (*store)->Open(newest->meta.index, newest->meta.term);
  ASSERT_TRUE(reader.ok()) << reader.status();
  size_t records = 0;
  while (true) {
    const auto record = (*reader)->Next();
    ASSERT_TRUE(record.ok()) << record.status();
    if (!record->has_value()) break;
    ++records;
  }
  EXPECT_EQ(records, 100u);
  size_t snapshots = 0;
  const std::vector<std::string> names = *folder.List();
  for (const std::string& name : names) snapshots += name.starts_with("snapshot-");
  EXPECT_LE(snapshots, 2u);
}

// R40.
TEST(SnapshotCrash, NothingDurableIsLostAtAnyPoint) {
  const std::string received = BytesOfAnother(50);
  std::set<uint64_t> reached;
  uint64_t calls = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    bool died = true;
    for (uint64_t point = 0; died; ++point) {
      base::Random random(seed * 1000 + point);
      SimFolder folder(random);
      folder.CrashAfter(point);
      uint64_t durable = 0;
      {
        Life life(folder);
        life.Run(received);
        durable = life.durable();
      }
      died = durable != 60;
      folder.Crash();
      reached.insert(durable);
      calls = std::max(calls, folder.calls());
      SCOPED_TRACE("seed " + std::to_string(seed) + " point " + std::to_string(point));
      CheckAfterCrash(folder, durable);
      // And again: dying while what the first crash left is put in order.
      folder.CrashAfter(point % 5);
      { Life(folder).Run(received); }
      folder.Crash();
      CheckAfterCrash(folder, durable);
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_EQ(reached, (std::set<uint64_t>{0, 10, 20, 30, 50, 60})) << "a state was never met";
  EXPECT_GT(calls, 30u);
}

TEST(SnapshotCrash, DiskThatFillsUpLeavesOnlyWhatWasWhole) {
  const std::string received = BytesOfAnother(50);
  bool fitted = false;
  for (uint64_t capacity = 0; !fitted; capacity += 97) {
    base::Random random(capacity);
    SimFolder folder(random);
    folder.SetCapacity(capacity);
    Life life(folder);
    life.Run(received);
    fitted = life.durable() == 60;
    SCOPED_TRACE("capacity " + std::to_string(capacity));
    const std::vector<std::string> names = *folder.List();
    for (const std::string& name : names) {
      EXPECT_FALSE(name.starts_with("writing-")) << name;
    }
    CheckAfterCrash(folder, life.durable());
    if (::testing::Test::HasFailure()) return;
  }
}

// What is not yet synced of a large file is what the log's syncs may have to wait for.
class UnsyncedTest : public ::testing::Test {
 protected:
  static constexpr size_t kUnsyncedMax = 3 << 20;  // two, and what is written at once
  static constexpr size_t kRecordBytes = 128 << 10;
  static constexpr int kRecords = 64;  // 8 MiB

  size_t UnsyncedOf(const std::string& name) {
    return folder_.content(name).size() - folder_.synced(name);
  }

  // Which no compression makes smaller.
  std::string Record() {
    std::string record(kRecordBytes, '\0');
    for (char& byte : record) byte = static_cast<char>(random_.Below(256));
    return record;
  }

  base::Random random_{1};
  SimFolder folder_{random_};
};

TEST_F(UnsyncedTest, StaysSmallWhileASnapshotIsWritten) {
  auto store = FileSnapshotStore::Open({0}, folder_);
  ASSERT_TRUE(store.ok());
  auto writer = (*store)->Create(Meta(10));
  ASSERT_TRUE(writer.ok());
  for (int i = 0; i < kRecords; ++i) {
    ASSERT_TRUE((*writer)->Append(Record()).ok());
    ASSERT_LE(UnsyncedOf("writing-10-1"), kUnsyncedMax);
  }
  EXPECT_GT(folder_.content("writing-10-1").size(), 2 * kUnsyncedMax);
}

TEST_F(UnsyncedTest, StaysSmallWhileASnapshotIsReceived) {
  auto store = FileSnapshotStore::Open({0}, folder_);
  ASSERT_TRUE(store.ok());
  for (size_t offset = 0; offset < kRecords * kRecordBytes; offset += kRecordBytes) {
    ASSERT_TRUE((*store)->AppendReceived(LogIndex(10), Term(1), offset, Record()).ok());
    ASSERT_LE(UnsyncedOf("receiving-10-1"), kUnsyncedMax);
  }
}

}  // namespace
}  // namespace bellwether::coord
