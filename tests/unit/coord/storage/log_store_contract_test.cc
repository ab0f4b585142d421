// One contract for the simulated and the real LogStore.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/thread_executor.h"
#include "coord/storage/rocks_log_store.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/sim_log_store.h"

namespace bellwether::coord {
namespace {

using raft::Entry;
using raft::EntryPtr;
using raft::EntryType;
using raft::HardState;
using raft::LogIndex;
using raft::ServerId;
using raft::Standing;
using raft::Term;

// A store, and how to run things on its executor and to start it again as after a crash.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  // Runs `task` on the store's executor and returns when it has run.
  virtual void Run(std::function<void(LogStore&)> task) = 0;
  // Returns when everything asked is durable.
  virtual void WaitUntil(const std::function<bool()>& condition) = 0;
  virtual void Restart() = 0;
};

class SimStore : public StoreUnderTest {
 public:
  SimStore() { Restart(); }
  void Run(std::function<void(LogStore&)> task) override { task(*store_); }
  void WaitUntil(const std::function<bool()>& condition) override {
    scheduler_.RunUntil(condition, absl::Seconds(10));
  }
  void Restart() override {
    store_.reset();
    disk_.Crash();
    store_ = std::make_unique<SimLogStore>(scheduler_, disk_, executor_);
  }

 private:
  SimScheduler scheduler_{1};
  SimDisk disk_{scheduler_};
  SimExecutor executor_{scheduler_};
  std::unique_ptr<SimLogStore> store_;
};

class RocksStore : public StoreUnderTest {
 public:
  RocksStore() { Restart(); }
  ~RocksStore() override {
    executor_->Stop();
    store_.reset();
  }
  void Run(std::function<void(LogStore&)> task) override {
    base::Mutex mutex;
    base::CondVar changed;
    bool done = false;
    executor_->Post([&] {
      task(*store_);
      base::MutexLock lock(mutex);
      done = true;
      changed.SignalAll();
    });
    base::MutexLock lock(mutex);
    while (!done) changed.Wait(mutex);
  }
  void WaitUntil(const std::function<bool()>& condition) override {
    bool holds = false;
    while (!holds) Run([&](LogStore&) { holds = condition(); });
  }
  void Restart() override {
    if (executor_ != nullptr) executor_->Stop();
    store_.reset();
    executor_ = std::make_unique<base::ThreadExecutor>("test");
    RocksLogStoreOptions options;
    options.folder = folder_ / "log";
    options.cache_bytes_max = 200;  // so that most is read from disk
    auto store = RocksLogStore::Open(options, *executor_, base::SystemClock(), metrics_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

 private:
  ScratchFolder folder_;
  base::Metrics metrics_;
  std::unique_ptr<base::ThreadExecutor> executor_;
  std::unique_ptr<RocksLogStore> store_;
};

EntryPtr MakeEntry(uint64_t term, uint64_t index, std::string payload) {
  return std::make_shared<const Entry>(
      Entry{Term(term), LogIndex(index), EntryType::kCommands, std::move(payload)});
}

PersistRequest Append(uint64_t term, uint64_t first, uint64_t last) {
  PersistRequest request;
  request.hard_state = HardState{Term(term), ServerId(), Standing::kVoter};
  for (uint64_t i = first; i <= last; ++i) {
    request.entries.push_back(MakeEntry(term, i, "p" + std::to_string(i)));
  }
  return request;
}

PersistRequest CompactTo(uint64_t index) {
  PersistRequest request;
  request.compact_to = LogIndex(index);
  return request;
}

// The snapshot of `index` was installed, and what follows it is of `term`.
PersistRequest ResetTo(uint64_t index, uint64_t term, uint64_t last) {
  PersistRequest request = Append(term, index + 1, last);
  request.reset_to = LogIndex(index);
  return request;
}

class LogStoreContract : public ::testing::TestWithParam<const char*> {
 protected:
  LogStoreContract() {
    if (std::string(GetParam()) == "rocks") {
      store_ = std::make_unique<RocksStore>();
    } else {
      store_ = std::make_unique<SimStore>();
    }
  }

  // Asks for all at once, then waits for all.
  void Persist(std::vector<PersistRequest> requests) {
    size_t done = 0;
    const size_t all = requests.size();
    store_->Run([&](LogStore& store) {
      for (PersistRequest& request : requests) {
        store.Persist(std::move(request), [&done](absl::Status status) {
          EXPECT_TRUE(status.ok()) << status;
          ++done;
        });
      }
      EXPECT_EQ(done, 0u) << "called back from inside Persist";
    });
    store_->WaitUntil([&] { return done == all; });
  }
  void Persist(PersistRequest request) {
    std::vector<PersistRequest> requests;
    requests.push_back(std::move(request));
    Persist(std::move(requests));
  }

  std::vector<EntryPtr> Read(uint64_t begin, uint64_t end, size_t bytes_max = 1 << 20) {
    std::vector<EntryPtr> entries;
    store_->Run([&](LogStore& store) {
      auto read = store.Read(LogIndex(begin), LogIndex(end), bytes_max);
      ASSERT_TRUE(read.ok()) << read.status();
      entries = *std::move(read);
    });
    return entries;
  }

  LogIndex LastIndex() {
    LogIndex last;
    store_->Run([&](LogStore& store) { last = store.LastIndex(); });
    return last;
  }

  // Now and after a restart.
  void ExpectLog(uint64_t first, uint64_t last, uint64_t last_term) {
    for (int restart = 0; restart < 2; ++restart) {
      store_->Run([&](LogStore& store) {
        EXPECT_EQ(store.FirstIndex(), LogIndex(first));
        EXPECT_EQ(store.LastIndex(), LogIndex(last));
      });
      if (first <= last) {
        const std::vector<EntryPtr> entries = Read(first, last + 1);
        ASSERT_EQ(entries.size(), last + 1 - first);
        for (uint64_t i = 0; i < entries.size(); ++i) {
          EXPECT_EQ(entries[i]->index, LogIndex(first + i));
          EXPECT_EQ(entries[i]->payload, "p" + std::to_string(first + i));
        }
        EXPECT_EQ(entries.back()->term, Term(last_term));
      }
      store_->Restart();
    }
  }

  std::unique_ptr<StoreUnderTest> store_;
};

TEST_P(LogStoreContract, NewStoreHoldsNothing) {
  store_->Run([](LogStore& store) {
    EXPECT_FALSE(store.InitialHardState().has_value());
    EXPECT_EQ(store.InitialFormation(), "");
    EXPECT_EQ(store.WritingFor(), absl::ZeroDuration());
    EXPECT_EQ(store.FirstIndex(), LogIndex(1));
    EXPECT_EQ(store.LastIndex(), LogIndex(0));
    EXPECT_TRUE(store.RoomFor(EntryKind::kGrowth).ok());
    EXPECT_TRUE(store.RoomFor(EntryKind::kUpkeep).ok());
  });
}

TEST_P(LogStoreContract, WhatWasAnsweredIsThereAfterARestart) {
  PersistRequest request = Append(3, 1, 50);
  request.hard_state = HardState{Term(3), ServerId(2), Standing::kAwaitingReadmission};
  request.formation = "facts";
  Persist(std::move(request));
  store_->Restart();
  store_->Run([](LogStore& store) {
    EXPECT_EQ(store.InitialHardState(),
              (HardState{Term(3), ServerId(2), Standing::kAwaitingReadmission}));
    EXPECT_EQ(store.InitialFormation(), "facts");
    EXPECT_EQ(*store.TermAt(LogIndex(7)), Term(3));
  });
  ASSERT_EQ(LastIndex(), LogIndex(50));
  const std::vector<EntryPtr> entries = Read(1, 51);
  ASSERT_EQ(entries.size(), 50u);
  for (uint64_t i = 1; i <= 50; ++i) {
    EXPECT_EQ(entries[i - 1]->index, LogIndex(i));
    EXPECT_EQ(entries[i - 1]->term, Term(3));
    EXPECT_EQ(entries[i - 1]->type, EntryType::kCommands);
    EXPECT_EQ(entries[i - 1]->payload, "p" + std::to_string(i));
  }
}

TEST_P(LogStoreContract, EntriesAreReadableBeforeTheyAreDurable) {
  store_->Run([](LogStore& store) {
    store.Persist(Append(1, 1, 30), [](absl::Status) {});
    EXPECT_EQ(store.LastIndex(), LogIndex(30));
    auto read = store.Read(LogIndex(1), LogIndex(31), 1 << 20);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->size(), 30u);
  });
}

TEST_P(LogStoreContract, TruncationReplacesTheSuffix) {
  Persist(Append(1, 1, 20));
  PersistRequest request = Append(2, 11, 12);
  request.truncate_from = LogIndex(11);
  Persist(std::move(request));
  for (int restart = 0; restart < 2; ++restart) {
    EXPECT_EQ(LastIndex(), LogIndex(12));
    const std::vector<EntryPtr> entries = Read(10, 13);
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0]->term, Term(1));
    EXPECT_EQ(entries[1]->term, Term(2));
    EXPECT_EQ(entries[2]->term, Term(2));
    store_->Restart();
  }
}

// The rewritten entries must not be taken for durable when the older write of their indexes ends.
TEST_P(LogStoreContract, TruncationOfWhatIsBeingWrittenIsSeenAtOnce) {
  std::vector<PersistRequest> requests;
  requests.push_back(Append(1, 1, 20));
  requests.push_back(Append(2, 5, 30));
  requests.back().truncate_from = LogIndex(5);
  requests.push_back(Append(3, 8, 9));
  requests.back().truncate_from = LogIndex(8);
  Persist(std::move(requests));
  for (int restart = 0; restart < 2; ++restart) {
    const std::vector<EntryPtr> entries = Read(4, 10);
    ASSERT_EQ(entries.size(), 6u);
    EXPECT_EQ(entries[0]->term, Term(1));
    EXPECT_EQ(entries[1]->term, Term(2));
    EXPECT_EQ(entries[3]->term, Term(2));
    EXPECT_EQ(entries[4]->term, Term(3));
    EXPECT_EQ(entries[5]->term, Term(3));
    EXPECT_EQ(LastIndex(), LogIndex(9));
    store_->Restart();
  }
}

TEST_P(LogStoreContract, CompactedEntriesAreGone) {
  Persist(Append(1, 1, 50));
  Persist(CompactTo(20));
  ExpectLog(21, 50, 1);
  Persist(CompactTo(10));  // already done
  ExpectLog(21, 50, 1);
  Persist(CompactTo(50));
  ExpectLog(51, 50, 0);
  Persist(Append(2, 51, 55));
  ExpectLog(51, 55, 2);
}

TEST_P(LogStoreContract, EntriesMayBeCompactedByTheRequestThatAddsThem) {
  PersistRequest request = Append(1, 1, 50);
  request.compact_to = LogIndex(30);
  Persist(std::move(request));
  ExpectLog(31, 50, 1);
}

TEST_P(LogStoreContract, ResetLogBeginsBehindTheSnapshot) {
  Persist(Append(1, 1, 10));
  Persist(ResetTo(100, 3, 100));
  ExpectLog(101, 100, 0);
  Persist(Append(3, 101, 110));
  ExpectLog(101, 110, 3);
}

TEST_P(LogStoreContract, ResetTakesEntriesBehindTheSnapshotAway) {
  Persist(Append(1, 1, 50));
  Persist(ResetTo(20, 4, 22));
  ExpectLog(21, 22, 4);
  Persist(Append(4, 23, 30));
  ExpectLog(21, 30, 4);
}

TEST_P(LogStoreContract, ResetOfAnEmptyLog) {
  Persist(ResetTo(7, 2, 9));
  ExpectLog(8, 9, 2);
}

// All that is asked during one sync is written together, in its order.
TEST_P(LogStoreContract, EveryKindOfChangeTogetherKeepsItsOrder) {
  std::vector<PersistRequest> requests;
  requests.push_back(Append(1, 1, 30));
  requests.push_back(CompactTo(10));
  requests.push_back(Append(2, 25, 40));
  requests.back().truncate_from = LogIndex(25);
  requests.push_back(ResetTo(35, 3, 60));
  requests.push_back(Append(4, 50, 52));
  requests.back().truncate_from = LogIndex(50);
  requests.push_back(CompactTo(45));
  requests.push_back(Append(4, 53, 70));
  Persist(std::move(requests));
  ExpectLog(46, 70, 4);
}

TEST_P(LogStoreContract, MembershipEntriesFollowTheLog) {
  const auto memberships = [this] {
    std::vector<uint64_t> indexes;
    store_->Run([&](LogStore& store) {
      for (const EntryPtr& entry : store.MembershipEntries()) {
        indexes.push_back(entry->index.value());
      }
    });
    return indexes;
  };
  PersistRequest request = Append(1, 1, 30);
  for (uint64_t i = 5; i <= 30; i += 5) {
    request.entries[i - 1] = std::make_shared<const Entry>(
        Entry{Term(1), LogIndex(i), EntryType::kMembership, "m"});
  }
  Persist(std::move(request));
  EXPECT_EQ(memberships(), (std::vector<uint64_t>{5, 10, 15, 20, 25, 30}));
  request = Append(2, 25, 30);
  request.truncate_from = LogIndex(25);
  Persist(std::move(request));
  EXPECT_EQ(memberships(), (std::vector<uint64_t>{5, 10, 15, 20}));
  Persist(CompactTo(10));
  EXPECT_EQ(memberships(), (std::vector<uint64_t>{15, 20}));
  store_->Restart();
  EXPECT_EQ(memberships(), (std::vector<uint64_t>{15, 20}));
  Persist(ResetTo(22, 3, 30));
  EXPECT_EQ(memberships(), (std::vector<uint64_t>{}));
}

// A crash keeps a prefix of the requests, each whole (R40).
TEST_P(LogStoreContract, CrashWhileCompactingLeavesAWholeLog) {
  for (int round = 0; round < 20; ++round) {
    store_->Run([&](LogStore& store) {
      const uint64_t next = store.LastIndex().value() + 1;
      const auto ignore = [](absl::Status) {};
      store.Persist(Append(1, next, next + 9), ignore);
      store.Persist(CompactTo(next + 4), ignore);
      store.Persist(ResetTo(next + 20, 1, next + 29), ignore);
    });
    store_->Restart();
    store_->Run([&](LogStore& store) {
      const LogIndex first = store.FirstIndex();
      const LogIndex last = store.LastIndex();
      ASSERT_LE(first, last + 1);
      if (first > last) return;
      const auto entries = store.Read(first, last + 1, 1 << 20);
      ASSERT_TRUE(entries.ok()) << entries.status();
      EXPECT_EQ(entries->size(), last + 1 - first);
    });
  }
}

TEST_P(LogStoreContract, ReadStopsAtTheByteBoundButGivesOne) {
  Persist(Append(1, 1, 50));
  const size_t one = raft::EntryBytes(*MakeEntry(1, 1, "p1"));
  EXPECT_EQ(Read(1, 51, 0).size(), 1u);
  EXPECT_EQ(Read(1, 51, 3 * one).size(), 3u);
  EXPECT_EQ(Read(1, 3, 1 << 20).size(), 2u);
  EXPECT_EQ(Read(50, 51, 0).size(), 1u);
  EXPECT_EQ(Read(45, 51, 1 << 20).size(), 6u);
}

TEST_P(LogStoreContract, CallsBackInOrder) {
  std::vector<int> order;
  store_->Run([&](LogStore& store) {
    for (int i = 0; i < 20; ++i) {
      store.Persist(Append(1, i + 1, i + 1), [&order, i](absl::Status) { order.push_back(i); });
    }
  });
  store_->WaitUntil([&] { return order.size() == 20; });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(order[i], i);
}

INSTANTIATE_TEST_SUITE_P(, LogStoreContract, ::testing::Values("sim", "rocks"));

}  // namespace
}  // namespace bellwether::coord
