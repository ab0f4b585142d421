#include "coord/storage/rocks_log_store.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/metrics.h"
#include "base/rendezvous.h"
#include "coord/storage/log_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rocksdb/db.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/sim_executor.h"

namespace bellwether::coord {
namespace {

using raft::Entry;
using raft::EntryType;
using raft::HardState;
using raft::LogIndex;
using raft::ServerId;
using raft::Standing;
using raft::Term;
using ::testing::HasSubstr;

PersistRequest Append(uint64_t first, uint64_t last) {
  PersistRequest request;
  for (uint64_t i = first; i <= last; ++i) {
    request.entries.push_back(std::make_shared<const Entry>(
        Entry{Term(1), LogIndex(i), EntryType::kCommands, "p" + std::to_string(i)}));
  }
  return request;
}

// The executor is a simulated one: completions are posted by the log thread, under a lock.
class LockedExecutor : public base::Executor {
 public:
  void Post(base::Task task) override {
    base::MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.SignalAll();
  }
  base::TimerId RunAfter(absl::Duration, base::Task) override { return 0; }
  void Cancel(base::TimerId) override {}

  // Runs one task, waiting for it.
  void RunOne() {
    base::Task task;
    {
      base::MutexLock lock(mutex_);
      while (tasks_.empty()) posted_.Wait(mutex_);
      task = std::move(tasks_.front());
      tasks_.erase(tasks_.begin());
    }
    task();
  }

 private:
  base::Mutex mutex_;
  base::CondVar posted_;
  std::vector<base::Task> tasks_ ABSL_GUARDED_BY(mutex_);
};

class ManualClock : public base::Clock {
 public:
  absl::Duration Monotonic() const override { return absl::Milliseconds(now_ms.load()); }
  absl::Time Wall() const override { return absl::UnixEpoch(); }

  std::atomic<int64_t> now_ms = 1000;
};

class RocksLogStoreTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RocksLogStore>> Open(uint64_t reserve = 0) {
    RocksLogStoreOptions options;
    options.folder = folder_ / "log";
    options.free_bytes_reserve = reserve;
    return RocksLogStore::Open(options, executor_, base::SystemClock(), metrics_);
  }

  void Persist(RocksLogStore& store, PersistRequest request) {
    bool done = false;
    store.Persist(std::move(request), [&done](absl::Status status) {
      EXPECT_TRUE(status.ok()) << status;
      done = true;
    });
    while (!done) executor_.RunOne();
  }

  // A store with some entries and a vote, closed again.
  void Fill() {
    auto store = Open();
    ASSERT_TRUE(store.ok()) << store.status();
    PersistRequest request = Append(1, 10);
    request.hard_state = HardState{Term(4), ServerId(2), Standing::kVoter};
    Persist(**store, std::move(request));
  }

  void PersistAndClose(PersistRequest request) {
    auto store = Open();
    ASSERT_TRUE(store.ok()) << store.status();
    Persist(**store, std::move(request));
  }

  std::string NewestWriteAheadLog() {
    std::filesystem::path newest;
    for (const auto& file : std::filesystem::directory_iterator(folder_ / "log/db")) {
      if (file.path().extension() == ".log" && (newest.empty() || file.path() > newest)) {
        newest = file.path();
      }
    }
    return newest;
  }

  // Changes the database behind the store's back.
  void Tamper(const std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle*)>& change) {
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::DBOptions(), folder_ / "log/db",
                                  {{rocksdb::kDefaultColumnFamilyName, {}}, {"entries", {}}},
                                  &handles, &db)
                    .ok());
    change(*db, handles[1]);
    for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
  }

  void ExpectDamaged(const std::string& part) {
    const auto store = Open();
    ASSERT_TRUE(absl::IsDataLoss(store.status())) << store.status();
    const std::string message(store.status().message());
    EXPECT_THAT(message, HasSubstr(folder_ / "log"));
    EXPECT_THAT(message, HasSubstr(part));
    EXPECT_THAT(message, HasSubstr("start this server with an empty one"));
  }

  ScratchFolder folder_;
  base::Metrics metrics_;
  LockedExecutor executor_;
};

TEST_F(RocksLogStoreTest, RequestsDuringASyncShareTheNextOne) {
  auto store = Open();
  ASSERT_TRUE(store.ok());
  constexpr int kRequests = 200;
  int done = 0;
  for (int i = 1; i <= kRequests; ++i) {
    (*store)->Persist(Append(i, i), [&done](absl::Status) { ++done; });
  }
  while (done < kRequests) executor_.RunOne();
  const uint64_t syncs = metrics_.AddCounter("bell_raft_log_syncs_total", "").value();
  EXPECT_LT(syncs, kRequests / 2);
}

TEST_F(RocksLogStoreTest, TellsHowLongItHasBeenWriting) {
  ManualClock clock;
  RocksLogStoreOptions options;
  options.folder = folder_ / "log";
  auto store = RocksLogStore::Open(options, executor_, clock, metrics_);
  ASSERT_TRUE(store.ok());
  int done = 0;
  (*store)->Persist(Append(1, 1), [&done](absl::Status) { ++done; });
  clock.now_ms += 70;
  EXPECT_EQ((*store)->WritingFor(), absl::Milliseconds(70));
  (*store)->Persist(Append(2, 2), [&done](absl::Status) { ++done; });
  clock.now_ms += 30;
  EXPECT_EQ((*store)->WritingFor(), absl::Milliseconds(100));
  while (done < 1) executor_.RunOne();
  if (done == 1) {
    clock.now_ms += 20;
    EXPECT_EQ((*store)->WritingFor(), absl::Milliseconds(20)) << "the second since the first ended";
  }
  while (done < 2) executor_.RunOne();
  EXPECT_EQ((*store)->WritingFor(), absl::ZeroDuration());
}

// Nobody waits for the table that can't be written, and the write-ahead log still can.
TEST_F(RocksLogStoreTest, AFailureInTheBackgroundIsFatalAndNeverTriedAgain) {
  const auto files = std::make_shared<FaultFileSystem>(".sst");
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
  const auto fatal = base::Rendezvous<absl::Status>::Make();
  RocksLogStoreOptions options;
  options.folder = folder_ / "log";
  options.memtable_bytes = 64 << 10;
  options.env = env.get();
  options.on_fatal = [fatal](absl::Status status) { fatal->Set(std::move(status)); };
  auto store = RocksLogStore::Open(options, executor_, base::SystemClock(), metrics_);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto persist = [&](uint64_t index) {
    PersistRequest request;
    request.entries.push_back(std::make_shared<const Entry>(
        Entry{Term(1), LogIndex(index), EntryType::kCommands, std::string(32 << 10, 'x')}));
    std::optional<absl::Status> result;
    (*store)->Persist(std::move(request), [&](absl::Status status) { result = std::move(status); });
    while (!result.has_value()) executor_.RunOne();
    return *result;
  };
  files->FailSyncs(true);
  uint64_t index = 1;
  for (; index <= 6; ++index) (void)persist(index);  // more than a table in memory takes
  const absl::Status failure = fatal->Wait();
  EXPECT_THAT(std::string(failure.message()), HasSubstr("sync failed on purpose"));
  EXPECT_THAT(std::string(failure.message()), HasSubstr(folder_ / "log"));
  files->FailSyncs(false);
  EXPECT_FALSE(persist(index).ok()) << "the disk works again, what was lost is lost";
}

TEST_F(RocksLogStoreTest, DamagedEntryFailsTheOpen) {
  Fill();
  Tamper([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* entries) {
    std::string value;
    const std::string key = EncodeEntryKey(LogIndex(6));
    ASSERT_TRUE(db.Get(rocksdb::ReadOptions(), entries, key, &value).ok());
    value.back() ^= 1;
    ASSERT_TRUE(db.Put(rocksdb::WriteOptions(), entries, key, value).ok());
  });
  ExpectDamaged("entry 6: the entry's checksum is wrong");
}

TEST_F(RocksLogStoreTest, MissingEntryFailsTheOpen) {
  Fill();
  Tamper([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* entries) {
    ASSERT_TRUE(db.Delete(rocksdb::WriteOptions(), entries, EncodeEntryKey(LogIndex(6))).ok());
  });
  ExpectDamaged("entry 6: it is missing");
}

TEST_F(RocksLogStoreTest, EntryUnderAnotherKeyFailsTheOpen) {
  Fill();
  Tamper([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* entries) {
    std::string value;
    ASSERT_TRUE(
        db.Get(rocksdb::ReadOptions(), entries, EncodeEntryKey(LogIndex(3)), &value).ok());
    ASSERT_TRUE(
        db.Put(rocksdb::WriteOptions(), entries, EncodeEntryKey(LogIndex(11)), value).ok());
  });
  ExpectDamaged("entry 11");
}

// Each entry as it was written, and yet not what any leader can have sent.
TEST_F(RocksLogStoreTest, TermThatFallsOrWasNeverRecordedFailsTheOpen) {
  const auto replace = [this](uint64_t term) {
    std::filesystem::remove_all(folder_ / "log");
    Fill();
    Tamper([term](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* entries) {
      const std::string key = EncodeEntryKey(LogIndex(6));
      const Entry entry{Term(term), LogIndex(6), EntryType::kCommands, "p6"};
      ASSERT_TRUE(
          db.Put(rocksdb::WriteOptions(), entries, key, EncodeEntryValue(key, entry)).ok());
    });
  };
  replace(1);
  EXPECT_TRUE(Open().ok());
  replace(4);
  ExpectDamaged("entry 7: it is of term 1, between an entry of term 4 and the recorded term 4");
  replace(5);
  ExpectDamaged("entry 6: it is of term 5, between an entry of term 1 and the recorded term 4");
}

// As when the vote file is gone, too.
TEST_F(RocksLogStoreTest, EntriesWithoutARecordedTermFailTheOpen) {
  Fill();
  std::filesystem::remove(folder_ / "log/vote");
  Tamper([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle*) {
    ASSERT_TRUE(db.Delete(rocksdb::WriteOptions(), "hard_state").ok());
  });
  ExpectDamaged("entry 1: it is of term 1");
}

TEST_F(RocksLogStoreTest, VoteFileAheadOfTheDatabaseFailsTheOpen) {
  for (const HardState& ahead : {HardState{Term(5), ServerId(), Standing::kVoter},
                                 HardState{Term(4), ServerId(3), Standing::kVoter}}) {
    std::filesystem::remove_all(folder_ / "log");
    Fill();
    ASSERT_TRUE(base::WriteFileDurably(folder_ / "log/vote", EncodeHardState(ahead)).ok());
    ExpectDamaged("has lost what was written last");
  }
}

TEST_F(RocksLogStoreTest, LostDatabaseFailsTheOpen) {
  Fill();
  std::filesystem::remove_all(folder_ / "log/db");
  ExpectDamaged("has lost what was written last");
}

TEST_F(RocksLogStoreTest, VoteFileBehindTheDatabaseIsAnOrdinaryCrash) {
  Fill();
  const HardState behind{Term(3), ServerId(1), Standing::kVoter};
  ASSERT_TRUE(base::WriteFileDurably(folder_ / "log/vote", EncodeHardState(behind)).ok());
  auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->InitialHardState()->term, Term(4));
}

TEST_F(RocksLogStoreTest, CutOffVoteFileFailsTheOpen) {
  Fill();
  std::filesystem::resize_file(folder_ / "log/vote", 3);
  ExpectDamaged("log/vote");
}

// A crash in the middle of a write leaves a part of the last record.
TEST_F(RocksLogStoreTest, IncompleteTailOfTheWriteAheadLogIsDropped) {
  Fill();
  PersistAndClose(Append(11, 11));
  const std::string newest = NewestWriteAheadLog();
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 5);
  auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->LastIndex(), LogIndex(10));
}

TEST_F(RocksLogStoreTest, DamagedStartFailsTheOpen) {
  Fill();
  Tamper([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle*) {
    std::string record = EncodeLogStart(LogIndex(4));
    record.back() ^= 1;
    ASSERT_TRUE(db.Put(rocksdb::WriteOptions(), "log_start", record).ok());
  });
  ExpectDamaged("the record of its start");
}

TEST_F(RocksLogStoreTest, MissingFirstEntryFailsTheOpen) {
  {
    auto store = Open();
    ASSERT_TRUE(store.ok());
    Persist(**store, Append(1, 10));
    PersistRequest compact;
    compact.compact_to = LogIndex(5);
    Persist(**store, std::move(compact));
  }
  Tamper([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* entries) {
    ASSERT_TRUE(db.Delete(rocksdb::WriteOptions(), entries, EncodeEntryKey(LogIndex(6))).ok());
  });
  ExpectDamaged("entry 6: it is missing");
}

// Files of compacted entries are deleted whole, those of truncated ones, too.
TEST_F(RocksLogStoreTest, CompactionGivesSpaceBack) {
  RocksLogStoreOptions options;
  options.folder = folder_ / "log";
  options.memtable_bytes = 64 << 10;
  auto store = RocksLogStore::Open(options, executor_, base::SystemClock(), metrics_);
  ASSERT_TRUE(store.ok());
  constexpr uint64_t kEntries = 60;
  constexpr uint64_t kEntryBytes = 32 << 10;
  for (uint64_t i = 1; i <= kEntries; ++i) {
    PersistRequest request;
    if (i == 1) request.hard_state = HardState{Term(1), ServerId(), Standing::kVoter};
    if (i == 30) request.truncate_from = LogIndex(25);
    for (uint64_t at = i == 30 ? 25 : i; at <= i; ++at) {
      request.entries.push_back(std::make_shared<const Entry>(
          Entry{Term(1), LogIndex(at), EntryType::kCommands, std::string(kEntryBytes, 'x')}));
    }
    Persist(**store, std::move(request));
  }
  EXPECT_GE((*store)->Bytes(), kEntries * kEntryBytes);
  PersistRequest compact;
  compact.compact_to = LogIndex(kEntries - 5);
  Persist(**store, std::move(compact));
  Persist(**store, Append(kEntries + 1, kEntries + 1));
  // Each write that follows finds at least one file more deleted.
  for (uint64_t i = 0; i < kEntries; ++i) Persist(**store, PersistRequest());
  EXPECT_LE((*store)->Bytes(), kEntries * kEntryBytes / 3);
  store->reset();
  store = RocksLogStore::Open(options, executor_, base::SystemClock(), metrics_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->FirstIndex(), LogIndex(kEntries - 4));
  EXPECT_EQ((*store)->LastIndex(), LogIndex(kEntries + 1));
}

// A loss of power in the middle of a write leaves its length, and not all of its pages.
TEST_F(RocksLogStoreTest, TornTailOfTheWriteAheadLogIsCutOff) {
  Fill();
  PersistAndClose(Append(11, 1000));
  const std::string newest = NewestWriteAheadLog();
  std::string bytes = base::ReadFile(newest).value();
  bytes.replace(bytes.size() - 3000, 3000, 3000, '\0');
  ASSERT_TRUE(base::WriteFileDurably(newest, bytes).ok());
  auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->LastIndex(), LogIndex(10));
  Persist(**store, Append(11, 11));
}

TEST_F(RocksLogStoreTest, DamageInTheMiddleOfTheWriteAheadLogFailsTheOpen) {
  Fill();
  {
    auto store = Open();
    ASSERT_TRUE(store.ok());
    Persist(**store, Append(11, 1000));
    Persist(**store, Append(1001, 1001));
  }
  const std::string newest = NewestWriteAheadLog();
  std::string bytes = base::ReadFile(newest).value();
  bytes.replace(bytes.size() - 3000, 500, 500, '\0');
  ASSERT_TRUE(base::WriteFileDurably(newest, bytes).ok());
  ExpectDamaged("checksum mismatch");
}

// Every byte of every file of the database, turned over: the open fails, or finds all there was.
// Entries that were durable are never taken for absent (R22).
TEST_F(RocksLogStoreTest, DamageOfAnyFileIsFound) {
  Fill();
  ASSERT_TRUE(Open().ok());  // puts what is in the write-ahead log into a file
  {
    auto store = Open();
    ASSERT_TRUE(store.ok());
    Persist(**store, Append(11, 20));
    Persist(**store, Append(21, 21));  // the last write, which can't be told from a torn one
  }
  const std::string good = folder_ / "good";
  std::filesystem::copy(folder_ / "log", good, std::filesystem::copy_options::recursive);
  size_t damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(good + "/db")) {
    const std::string name = file.path().filename().string();
    if (!file.is_regular_file() || name == "LOCK" || name.starts_with("LOG") ||
        name.starts_with("OPTIONS")) {
      continue;
    }
    const std::string content = *base::ReadFile(file.path().string());
    for (size_t at = 3; at < content.size(); at += content.size() / 8 + 1) {
      std::string changed = content;
      changed[at] ^= 0x40;
      std::filesystem::remove_all(folder_ / "log");
      std::filesystem::copy(good, folder_ / "log", std::filesystem::copy_options::recursive);
      ASSERT_TRUE(base::WriteFileDurably(folder_ / ("log/db/" + name), changed).ok());
      const auto store = Open();
      if (!store.ok()) {
        EXPECT_TRUE(absl::IsDataLoss(store.status())) << name << " " << store.status();
        ++damaged;
      } else {
        EXPECT_GE((*store)->LastIndex(), LogIndex(20)) << name << " byte " << at;
      }
    }
  }
  EXPECT_GE(damaged, 8u);
}

TEST_F(RocksLogStoreTest, LostFileFailsTheOpen) {
  Fill();
  ASSERT_TRUE(Open().ok());
  for (const auto& file : std::filesystem::directory_iterator(folder_ / "log/db")) {
    if (file.path().extension() == ".sst") std::filesystem::remove(file.path());
  }
  const auto store = Open();
  EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
}

TEST_F(RocksLogStoreTest, FolderInUseIsAClearError) {
  auto store = Open();
  ASSERT_TRUE(store.ok());
  const auto second = Open();
  ASSERT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another process"));
}

TEST_F(RocksLogStoreTest, BelowTheReserveThereIsNoRoomToGrow) {
  auto store = Open(uint64_t{1} << 60);
  ASSERT_TRUE(store.ok());
  for (const EntryKind kind : {EntryKind::kGrowth, EntryKind::kUpkeep}) {
    const absl::Status room = (*store)->RoomFor(kind);
    EXPECT_TRUE(absl::IsResourceExhausted(room));
    EXPECT_THAT(std::string(room.message()), HasSubstr(folder_ / "log"));
  }
}

TEST_F(RocksLogStoreTest, UpkeepMayUseTheUpperHalfOfTheReserve) {
  const uint64_t free_bytes = *base::FreeBytes(folder_.path());
  auto store = Open(free_bytes + free_bytes / 2);
  ASSERT_TRUE(store.ok());
  EXPECT_FALSE((*store)->RoomFor(EntryKind::kGrowth).ok());
  EXPECT_TRUE((*store)->RoomFor(EntryKind::kUpkeep).ok());
}

TEST_F(RocksLogStoreTest, SizeGrowsWithTheLog) {
  auto store = Open();
  ASSERT_TRUE(store.ok());
  PersistRequest request;
  request.entries.push_back(std::make_shared<const Entry>(
      Entry{Term(1), LogIndex(1), EntryType::kCommands, std::string(1 << 20, 'x')}));
  Persist(**store, std::move(request));
  EXPECT_GE((*store)->Bytes(), 1u << 20);
}

}  // namespace
}  // namespace bellwether::coord
