#include "coord/storage/log_check.h"

#include <set>
#include <string>
#include <utility>

#include "coord/storage/log_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/sim_log_store.h"

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

HardState Voted(uint64_t term, uint32_t vote) {
  return {Term(term), ServerId(vote), Standing::kVoter};
}

TEST(LogCheck, NothingIsAnEmptyLog) {
  const absl::StatusOr<LogBeginning> beginning = LogCheck("/x").Records({});
  ASSERT_TRUE(beginning.ok()) << beginning.status();
  EXPECT_FALSE(beginning->hard_state.has_value());
  EXPECT_EQ(beginning->formation, "");
  EXPECT_EQ(beginning->first, LogIndex(1));
}

TEST(LogCheck, GivesWhatTheRecordsSay) {
  LogRecords records;
  records.hard_state = EncodeHardState(Voted(4, 2));
  records.vote_file = EncodeHardState(Voted(3, 1));  // a crash between the two
  records.formation = EncodeRecord("formed");
  records.log_start = EncodeLogStart(LogIndex(7));
  const absl::StatusOr<LogBeginning> beginning = LogCheck("/x").Records(records);
  ASSERT_TRUE(beginning.ok()) << beginning.status();
  EXPECT_EQ(beginning->hard_state, Voted(4, 2));
  EXPECT_EQ(beginning->formation, "formed");
  EXPECT_EQ(beginning->first, LogIndex(7));
}

TEST(LogCheck, AVoteFileThatIsAheadIsDamage) {
  LogRecords records;
  records.vote_file = EncodeHardState(Voted(4, 2));
  for (const auto& database : {std::optional<HardState>(), std::optional(Voted(3, 2)),
                               std::optional(Voted(4, 0)), std::optional(Voted(4, 1))}) {
    records.hard_state.reset();
    if (database.has_value()) records.hard_state = EncodeHardState(*database);
    const absl::Status found = LogCheck("/x").Records(records).status();
    ASSERT_TRUE(absl::IsDataLoss(found)) << found;
    const std::string message(found.message());
    EXPECT_THAT(message, HasSubstr("'/x' is damaged at its end"));
    EXPECT_THAT(message, HasSubstr("'/x/vote' is of term 4"));
    EXPECT_THAT(message, HasSubstr("start this server with an empty one"));
  }
}

TEST(LogCheck, AnEntryIsTheOneExpectedOrDamage) {
  const Entry entry{Term(2), LogIndex(6), EntryType::kCommands, "payload"};
  const std::string key = EncodeEntryKey(entry.index);
  std::string value = EncodeEntryValue(key, entry);
  const LogCheck check("/x");
  const absl::StatusOr<Entry> right = check.Entry({LogIndex(6)}, key, value);
  ASSERT_TRUE(right.ok()) << right.status();
  EXPECT_EQ(right->payload, "payload");
  const absl::Status missing = check.Entry({LogIndex(5)}, key, value).status();
  EXPECT_TRUE(absl::IsDataLoss(missing));
  EXPECT_THAT(std::string(missing.message()), HasSubstr("entry 5: it is missing"));
  const ExpectedEntry rising{LogIndex(6), Term(1), Term(2)};
  EXPECT_TRUE(check.Entry(rising, key, value).ok());
  for (const ExpectedEntry& other : {ExpectedEntry{LogIndex(6), Term(3), Term(4)},
                                     ExpectedEntry{LogIndex(6), Term(1), Term(1)}}) {
    EXPECT_TRUE(absl::IsDataLoss(check.Entry(other, key, value).status()));
  }
  value.back() ^= 1;
  const absl::Status spoiled = check.Entry({LogIndex(6)}, key, value).status();
  EXPECT_TRUE(absl::IsDataLoss(spoiled));
  EXPECT_THAT(std::string(spoiled.message()), HasSubstr("entry 6: the entry's checksum is wrong"));
}

// The disk of the simulation, whose damage the same checks must find.
class DamagedDisk : public ::testing::Test {
 protected:
  void Persist(SimDisk& disk, PersistRequest request) {
    SimExecutor executor(scheduler_);
    SimLogStore store(scheduler_, disk, executor);
    bool done = false;
    store.Persist(std::move(request), [&done](absl::Status) { done = true; });
    ASSERT_TRUE(scheduler_.RunUntil([&] { return done; }, absl::Seconds(1)));
  }

  SimScheduler scheduler_{1};
};

TEST_F(DamagedDisk, OfEveryKindIsFound) {
  std::set<std::string> kinds;
  for (int run = 0; run < 3000; ++run) {
    SimDisk disk(scheduler_);
    PersistRequest request;
    for (uint64_t index = 1; index <= 3; ++index) {
      request.entries.push_back(std::make_shared<const Entry>(
          Entry{Term(1), LogIndex(index), EntryType::kCommands, "payload"}));
    }
    request.compact_to = LogIndex(1);
    request.hard_state = Voted(4, 2);
    request.formation = "formed";
    Persist(disk, std::move(request));
    ASSERT_TRUE(disk.CheckRecords().ok());
    const std::optional<SimDisk::Damaged> damaged = disk.Damage();
    ASSERT_TRUE(damaged.has_value());
    EXPECT_TRUE(absl::IsDataLoss(damaged->found)) << damaged->what << ": " << damaged->found;
    kinds.insert(damaged->what);
  }
  EXPECT_EQ(kinds.size(), 8u) << "2 entries, 1 to be lost; term and vote; 4 records";
}

TEST_F(DamagedDisk, ThatIsEmptyCanNotBeDamaged) {
  SimDisk disk(scheduler_);
  EXPECT_FALSE(disk.Damage().has_value());
  EXPECT_TRUE(disk.CheckRecords().ok());
}

}  // namespace
}  // namespace bellwether::coord
