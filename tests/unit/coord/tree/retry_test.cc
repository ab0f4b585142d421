#include <memory>
#include <string>
#include <vector>

#include "coord/tree/result_codec.h"
#include "coord/tree/snapshot_codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

tree::Create Creation(std::string path, CreateMode mode = CreateMode::kPersistent) {
  return {std::move(path), Data("x"), mode};
}

// A client that numbers its commands itself. It has acknowledged nothing, unless a test says so.
class RetryTest : public testing::Test {
 protected:
  RetryTest() { machine_.Apply({}, SetFeatureLevel{kFeatureLevelRetries}); }

  ApplyOutcome Apply(uint64_t sequence, Operation operation, uint64_t floor = 1) {
    Command command;
    command.session = session();
    command.generation = machine_.state.FindSession(session())->generation;
    command.sequence = CommandSequence(sequence);
    command.acknowledged_floor = CommandSequence(floor);
    command.operation = std::move(operation);
    return machine_.state.Apply(command, {machine_.time_ms});
  }
  Result Do(uint64_t sequence, Operation operation, uint64_t floor = 1) {
    return Apply(sequence, std::move(operation), floor).result;
  }
  SessionId session() const { return machine_.session; }
  void Attach() { machine_.Apply({}, AttachSession{session(), Password(7), 6000}); }
  size_t Kept() const { return machine_.state.FindSession(session())->kept_results; }
  void ExpectSameDigest() const {
    EXPECT_EQ(machine_.state.digest(), machine_.state.RecomputeDigest());
  }

  Machine machine_;
};

void ExpectSame(const Result& again, const Result& first) {
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.code, first.code);
  EXPECT_EQ(again.zxid, first.zxid);
  EXPECT_EQ(again.path, first.path);
  EXPECT_EQ(again.stat, first.stat);
  EXPECT_EQ(again.deleted_znodes, first.deleted_znodes);
  EXPECT_EQ(again.failed_index, first.failed_index);
  ASSERT_EQ(again.operations.size(), first.operations.size());
  for (size_t i = 0; i < first.operations.size(); ++i) {
    EXPECT_EQ(again.operations[i].code, first.operations[i].code);
    EXPECT_EQ(again.operations[i].path, first.operations[i].path);
    EXPECT_EQ(again.operations[i].stat, first.operations[i].stat);
  }
}

// Thesis section 6.3.
TEST_F(RetryTest, ACommandThatIsSentAgainIsAppliedOnceAndAnsweredAsBefore) {
  const tree::Create create = Creation("/a-", CreateMode::kPersistentSequential);
  const Result first = Do(1, create);
  ASSERT_EQ(first.code, ResultCode::kOk);
  EXPECT_FALSE(first.repeated);
  Do(2, SetData{"/a-0000000000", Data("later")});
  Attach();
  const Zxid before = machine_.state.zxid();
  const ApplyOutcome again = Apply(1, create);
  ExpectSame(again.result, first);
  EXPECT_THAT(again.changes, IsEmpty());
  EXPECT_EQ(machine_.state.zxid(), before + 1);
  EXPECT_EQ(machine_.state.znode_count(), 5u);  // with the root and the system znodes
  EXPECT_EQ(machine_.state.Get("/a-0000000000")->data.view(), "later");
  ExpectSame(Do(1, create), first);  // as often as it likes
  EXPECT_EQ(machine_.state.FindSession(session())->last_sequence, CommandSequence(2));
  ExpectSameDigest();
}

TEST_F(RetryTest, EveryKindOfResultIsKeptAsAWhole) {
  Do(1, Creation("/a"));
  Transaction transaction;
  transaction.compares = {{"/a", Compare::Field::kVersion, 0}};
  transaction.operations = {Creation("/t-", CreateMode::kEphemeralSequential),
                            SetData{"/a", Data("y")}, Check{"/a", 1}};
  Transaction fails = transaction;
  Transaction rolls_back;
  rolls_back.operations = {Creation("/b"), Delete{"/missing"}, Creation("/c")};
  const std::vector<Operation> operations = {transaction,
                                             fails,
                                             rolls_back,
                                             SetData{"/a", Data("z")},
                                             SetAcl{"/a", OpenAcl()},
                                             Delete{"/missing"},
                                             Delete{"/a"},
                                             Creation("/a"),
                                             DeleteRecursive{"/a"},
                                             tree::Create{"bad", {}}};
  std::vector<Result> results;
  for (size_t i = 0; i < operations.size(); ++i) results.push_back(Do(2 + i, operations[i]));
  EXPECT_EQ(results[1].failed_index, 0u);
  EXPECT_EQ(results[2].failed_index, 1u);
  EXPECT_EQ(results[5].code, ResultCode::kNoNode);
  for (size_t i = 0; i < operations.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectSame(Do(2 + i, operations[i]), results[i]);
  }
}

TEST_F(RetryTest, NothingIsKeptBelowItsLevel) {
  Machine below;
  below.RaiseLevel();
  Command command;
  command.session = below.session;
  command.generation = SessionGeneration(1);
  command.sequence = command.acknowledged_floor = CommandSequence(1);
  command.operation = Creation("/a");
  below.state.Apply(command, {1});
  EXPECT_EQ(below.state.kept_results(), 0u);
  EXPECT_EQ(below.state.Apply(command, {1}).result.code, ResultCode::kSequenceGap);
  below.Apply({}, SetFeatureLevel{kFeatureLevelRetries});
  EXPECT_EQ(below.state.Apply(command, {1}).result.code, ResultCode::kResultForgotten);
}

TEST_F(RetryTest, OnlyTheCurrentGenerationIsAnsweredAgain) {
  Do(1, Creation("/a"));
  Command command;
  command.session = session();
  command.generation = SessionGeneration(1);
  command.sequence = command.acknowledged_floor = CommandSequence(1);
  command.operation = Creation("/a");
  Attach();
  EXPECT_EQ(machine_.state.Apply(command, {1}).result.code, ResultCode::kStaleGeneration);
  command.generation = SessionGeneration(2);
  EXPECT_EQ(machine_.state.Apply(command, {1}).result.code, ResultCode::kOk);
}

TEST_F(RetryTest, WhatIsAcknowledgedIsForgotten) {
  for (uint64_t i = 1; i <= 5; ++i) Do(i, SetData{"/none", Data("x")});
  EXPECT_EQ(Kept(), 5u);
  Do(6, Creation("/a"), 4);
  EXPECT_EQ(Kept(), 3u);
  EXPECT_EQ(Do(3, SetData{"/none", Data("x")}).code, ResultCode::kResultForgotten);
  EXPECT_EQ(Do(4, SetData{"/none", Data("x")}).code, ResultCode::kNoNode);
  // What is sent again acknowledges, too.
  EXPECT_EQ(Do(6, Creation("/a"), 6).code, ResultCode::kOk);
  EXPECT_EQ(Kept(), 1u);
  EXPECT_EQ(Do(5, SetData{"/none", Data("x")}).code, ResultCode::kResultForgotten);
  // A lower floor brings nothing back, and one beyond all is harmless.
  EXPECT_EQ(Do(5, SetData{"/none", Data("x")}, 1).code, ResultCode::kResultForgotten);
  EXPECT_EQ(Do(5, SetData{"/none", Data("x")}, ~uint64_t{0}).code, ResultCode::kResultForgotten);
  EXPECT_EQ(Kept(), 0u);
  EXPECT_EQ(machine_.state.kept_result_bytes(), 0u);
  ExpectSameDigest();
}

TEST_F(RetryTest, AForgottenResultHasNoEffect) {
  Do(1, Creation("/a"), 0);
  const ApplyOutcome again = Apply(1, Creation("/b"));
  EXPECT_EQ(again.result.code, ResultCode::kResultForgotten);
  EXPECT_FALSE(again.result.repeated);
  EXPECT_EQ(again.result.zxid, machine_.state.zxid());
  EXPECT_THAT(again.changes, IsEmpty());
  EXPECT_FALSE(machine_.state.Exists("/b").has_value());
}

// As on the ZooKeeper port.
TEST_F(RetryTest, WhoSendsNothingAgainHasNothingKept) {
  Do(1, Creation("/a"));
  EXPECT_EQ(Kept(), 1u);
  Do(2, Creation("/b"), 0);
  EXPECT_EQ(Kept(), 0u);
  Do(3, Creation("/c"));
  EXPECT_EQ(Kept(), 1u);
  Do(4, Creation("/d"), 5);
  EXPECT_EQ(Kept(), 0u);
  EXPECT_EQ(Do(3, Creation("/c")).code, ResultCode::kResultForgotten);
}

TEST_F(RetryTest, AnotherOperationOfTheSameNumberIsNotDone) {
  Do(1, Creation("/a"));
  EXPECT_EQ(Do(1, Creation("/b")).code, ResultCode::kSequenceReused);
  EXPECT_FALSE(machine_.state.Exists("/b").has_value());
  EXPECT_EQ(Do(1, Creation("/a")).code, ResultCode::kOk);
}

TEST_F(RetryTest, NumbersNeverUsedStayGaps) {
  Do(1, Creation("/a"));
  EXPECT_EQ(Do(0, Creation("/b")).code, ResultCode::kSequenceGap);
  EXPECT_EQ(Do(3, Creation("/b")).code, ResultCode::kSequenceGap);
  EXPECT_EQ(Kept(), 1u);
}

TEST_F(RetryTest, TheOldestResultsOfASessionGoFirst) {
  for (uint64_t i = 1; i <= kKeptResultsMax + 2; ++i) Do(i, Delete{"/none"});
  EXPECT_EQ(Kept(), kKeptResultsMax);
  EXPECT_EQ(Do(2, Delete{"/none"}).code, ResultCode::kResultForgotten);
  EXPECT_EQ(Do(3, Delete{"/none"}).code, ResultCode::kNoNode);
  ExpectSameDigest();
}

TEST_F(RetryTest, TheBytesKeptForASessionAreBounded) {
  Transaction transaction;
  for (int i = 0; i < 50; ++i) {
    transaction.operations.push_back(Creation(fmt::format("/{:01000}", i)));
    transaction.operations.push_back(Delete{fmt::format("/{:01000}", i)});
  }
  const Result first = Do(1, transaction);
  ASSERT_EQ(first.code, ResultCode::kOk);
  for (uint64_t i = 2; i <= 9; ++i) Do(i, transaction);
  EXPECT_LE(machine_.state.kept_result_bytes(), kKeptResultBytesMax);
  EXPECT_GE(Kept(), 2u);
  EXPECT_LT(Kept(), 9u);
  EXPECT_EQ(Do(9 - Kept(), transaction).code, ResultCode::kResultForgotten);
  EXPECT_EQ(Do(10 - Kept(), transaction).code, ResultCode::kOk);
  // One that is too large by itself leaves nothing of before.
  for (int i = 0; i < 250; ++i) {
    transaction.operations.push_back(Creation(fmt::format("/y{:01000}", i)));
  }
  ASSERT_EQ(Do(10, transaction).code, ResultCode::kOk);
  EXPECT_EQ(Kept(), 0u);
  EXPECT_EQ(Do(10, transaction).code, ResultCode::kResultForgotten);
  ExpectSameDigest();
}

// Many sessions with the most that each may have: the oldest results of all go, whosever they are.
TEST_F(RetryTest, TheBytesKeptForAllSessionsAreBounded) {
  const std::string large(kKeptResultBytesMax / 4, 'x');
  const size_t each = large.size() + kKeptResultOverheadBytes;
  Sessions sessions;
  std::vector<SessionId> ids;
  int64_t zxid = 0;
  const auto keep = [&](SessionId id) {
    ASSERT_EQ(sessions.Admit(id, SessionGeneration(1), sessions.Find(id)->last_sequence + 1),
              ResultCode::kOk);
    sessions.Keep(id, CommandSequence(1), Zxid(++zxid), large);
  };
  for (uint64_t i = 0; i < 200; ++i) {
    ids.push_back(sessions.Create({base::Uuid(2, i + 1), Password(1), 1000, 1}, Zxid(++zxid)));
    for (int k = 0; k < 3; ++k) keep(ids.back());
  }
  EXPECT_EQ(sessions.kept_results(), 600u);
  while (sessions.kept_bytes() + each <= kAllKeptResultBytesMax) {
    ids.push_back(sessions.Create({base::Uuid(3, ids.size()), Password(1), 1000, 1}, Zxid(++zxid)));
    keep(ids.back());
  }
  const size_t most = sessions.kept_results();
  keep(ids.back());
  keep(ids.back());
  EXPECT_EQ(sessions.kept_results(), most);
  EXPECT_EQ(sessions.Find(ids[0])->kept_results, 1u);
  EXPECT_EQ(sessions.Find(ids[1])->kept_results, 3u);
  EXPECT_EQ(sessions.Find(ids.back())->kept_results, 3u);
  EXPECT_EQ(sessions.FindKept(ids[0], CommandSequence(2)), nullptr);
  EXPECT_NE(sessions.FindKept(ids[0], CommandSequence(3)), nullptr);
}

TEST_F(RetryTest, TheEndOfASessionForgetsItsResults) {
  const uint64_t before = machine_.state.digest();
  const SessionId other = machine_.Open();
  machine_.Apply(other, Creation("/other"));
  Do(1, Creation("/a"));
  Do(2, CloseSession{});
  EXPECT_EQ(machine_.state.kept_results(), 0u);
  EXPECT_EQ(machine_.state.kept_result_bytes(), 0u);
  EXPECT_NE(machine_.state.digest(), before);
  ExpectSameDigest();
}

TEST_F(RetryTest, TheDigestTellsWhatIsKept) {
  Machine other;
  other.Apply({}, SetFeatureLevel{kFeatureLevelRetries});
  ASSERT_EQ(other.state.digest(), machine_.state.digest());
  Do(1, Creation("/a"), 1);
  other.Apply(other.session, Creation("/a"));  // with no floor
  EXPECT_EQ(machine_.state.FindSession(session())->last_sequence, CommandSequence(1));
  EXPECT_NE(other.state.digest(), machine_.state.digest());
  Do(1, Creation("/a"), 2);
  other.Apply(other.session, ExpireSession{session(), SessionGeneration(9)});  // a zxid
  EXPECT_EQ(other.state.digest(), machine_.state.digest());
}

TEST_F(RetryTest, AViewKeepsItsResults) {
  Do(1, Creation("/a"));
  const StateView view = machine_.state.View();
  const uint64_t digest = view.digest();
  Do(2, Creation("/b"), 2);
  EXPECT_EQ(Kept(), 1u);
  EXPECT_NE(view.sessions().FindKept(session(), CommandSequence(1)), nullptr);
  EXPECT_EQ(view.kept_results(), 1u);
  EXPECT_EQ(view.digest(), digest);
  EXPECT_EQ(view.RecomputeDigest(), digest);
}

class RetrySnapshotTest : public RetryTest {
 protected:
  using Records = std::vector<std::string>;

  Records Write() const {
    Records records;
    EXPECT_TRUE(WriteSnapshot(machine_.state.View(), [&records](std::string_view record) {
                  records.emplace_back(record);
                  return absl::OkStatus();
                }).ok());
    return records;
  }
  static absl::StatusOr<std::unique_ptr<StateMachine>> Load(const Records& records) {
    SnapshotLoader loader;
    for (const std::string& record : records) {
      if (absl::Status status = loader.Add(record); !status.ok()) return status;
    }
    return loader.Finish();
  }
};

TEST_F(RetrySnapshotTest, ALoadedStateAnswersAgain) {
  const Result first = Do(1, Creation("/a-", CreateMode::kPersistentSequential));
  machine_.Open();
  Do(2, Delete{"/none"});
  Do(3, Delete{"/none"}, 2);
  Do(4, Creation("/b"), 2);
  const Records records = Write();
  EXPECT_EQ(records[0][1], 3);
  auto loaded = Load(records);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->digest(), machine_.state.digest());
  EXPECT_EQ((*loaded)->RecomputeDigest(), machine_.state.digest());
  EXPECT_EQ((*loaded)->kept_result_bytes(), machine_.state.kept_result_bytes());
  machine_.state.Replace((*loaded)->View());
  EXPECT_EQ(Kept(), 3u);
  EXPECT_EQ(Do(1, Creation("/a-", CreateMode::kPersistentSequential)).code,
            ResultCode::kResultForgotten);
  EXPECT_EQ(Do(2, Delete{"/none"}).code, ResultCode::kNoNode);
  EXPECT_EQ(Do(4, Creation("/b")).code, ResultCode::kOk);
}

// Written by another release: these bytes may not change within one format.
TEST_F(RetrySnapshotTest, BytesOfTheThirdFormatAreFixed) {
  Do(1, Creation("/e", CreateMode::kEphemeral));
  const std::string session = Write()[1];
  constexpr size_t kBytes = 37;
  ASSERT_GT(session.size(), kBytes + 3);
  EXPECT_EQ(session.substr(session.size() - kBytes - 3),
            std::string("\x01\x01%"                          // last sequence, results, bytes
                        "\x3e\xc2\x5d\x51\xf2\0\xd0\xc6"    // hash of the operation
                        "\0\x06\x02/e"                       // code, zxid, path
                        "\x01\x06\x06\x06\xd0\x0f\xd0\x0f"  // Stat: zxids, times
                        "\0\0\0\x02\0"                      // versions, length, children
                        "\x01\0\0\0\0\0\0\x01"              // owner
                        "\0\0\0",                           // deleted, failed, operations
                        kBytes + 3));
}

TEST_F(RetrySnapshotTest, NoticesEveryCutAndEveryFlippedBit) {
  Do(1, Creation("/a"));
  Do(2, Delete{"/none"});
  const Records records = Write();
  for (size_t i = 0; i < records[1].size(); ++i) {
    Records cut = records;
    cut[1].resize(i);
    EXPECT_FALSE(Load(cut).ok()) << i;
    for (int bit = 0; bit < 8; ++bit) {
      Records flipped = records;
      flipped[1][i] = static_cast<char>(flipped[1][i] ^ (1 << bit));
      EXPECT_FALSE(Load(flipped).ok()) << i;
    }
  }
}

// Whatever the digest says.
TEST_F(RetrySnapshotTest, RefusesResultsOfNoCommand) {
  Sessions sessions;
  const SessionId id = sessions.Create({base::Uuid(1, 1), Password(1), 1000, 1}, Zxid(1));
  const auto restore = [&](std::vector<Sessions::SavedResult> results) {
    return sessions.RestoreKept(id, std::move(results));
  };
  const SharedBytes bytes = SharedBytes::Copy("x");
  EXPECT_FALSE(restore({{Zxid(2), bytes}})) << "it has sent nothing yet";
  for (uint64_t i = 1; i <= 3; ++i) {
    sessions.Admit(id, SessionGeneration(1), CommandSequence(i));
  }
  EXPECT_FALSE(sessions.RestoreKept(SessionId(77), {}));
  EXPECT_FALSE(restore({{Zxid(3), bytes}, {Zxid(3), bytes}}));
  EXPECT_FALSE(restore({{Zxid(3), bytes}, {Zxid(2), bytes}}));
  EXPECT_FALSE(restore({{Zxid(0), bytes}}));
  EXPECT_FALSE(restore({{Zxid(2), SharedBytes::Copy(std::string(kKeptResultBytesMax, 'x'))}}));
  EXPECT_EQ(sessions.kept_results(), 0u);
  EXPECT_TRUE(restore({{Zxid(2), bytes}, {Zxid(3), bytes}}));
  EXPECT_EQ(sessions.Find(id)->first_kept, CommandSequence(2));
}

TEST(KeptResult, RandomBytesAreHarmless) {
  uint64_t state = 1;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes;
    for (int k = 0; k < 40; ++k) {
      state = state * 6364136223846793005 + 1442695040888963407;
      bytes.push_back(static_cast<char>(state >> 61));
    }
    DecodeKeptResult(bytes);
  }
  EXPECT_FALSE(DecodeKeptResult("").has_value());
}

// Of every release: an operation that is sent again through another one's server is the same.
TEST(OperationHash, IsFixedAndTellsOperationsApart) {
  std::string scratch;
  const auto hash = [&scratch](const Operation& operation) {
    return OperationHash(operation, scratch);
  };
  EXPECT_EQ(hash(Creation("/a")), hash(Creation("/a")));
  EXPECT_NE(hash(Creation("/a")), hash(Creation("/b")));
  EXPECT_NE(hash(Delete{"/a"}), hash(Delete{"/a", 0}));
  EXPECT_NE(hash(Delete{"/a"}), hash(DeleteRecursive{"/a"}));
  EXPECT_EQ(hash(Delete{"/a", 3}), 11228155572716113370u);
}

}  // namespace
}  // namespace bellwether::coord::tree
