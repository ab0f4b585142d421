#include "coord/tree/transaction.h"

#include <string>
#include <vector>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;

std::vector<ResultCode> Codes(const Result& result) {
  std::vector<ResultCode> codes;
  for (const OperationResult& operation : result.operations) codes.push_back(operation.code);
  return codes;
}

// Z24.
TEST(Transaction, LaterOperationsSeeEarlierOnes) {
  Machine machine;
  Transaction transaction;
  transaction.operations = {Create{"/a", Data("1"), CreateMode::kPersistent},
                            Create{"/a/s", {}, CreateMode::kPersistentSequential},
                            Create{"/a/s", {}, CreateMode::kEphemeralSequential},
                            SetData{"/a", Data("2"), 0},
                            Delete{"/a/s0000000000", 0}};
  const ApplyOutcome outcome = machine.Apply(machine.session, transaction);
  const Result& result = outcome.result;
  ASSERT_EQ(result.code, ResultCode::kOk);
  EXPECT_FALSE(result.failed_index.has_value());
  ASSERT_EQ(result.operations.size(), 5u);
  EXPECT_EQ(result.operations[1].path, "/a/s0000000000");
  EXPECT_EQ(result.operations[2].path, "/a/s0000000001");
  EXPECT_EQ(result.operations[3].stat->version, 1);
  EXPECT_EQ(machine.StatOf("/a").czxid, result.zxid);
  EXPECT_EQ(machine.StatOf("/a").mzxid, result.zxid);
  EXPECT_EQ(machine.StatOf("/a").cversion, 3);
  EXPECT_THAT(Lines(outcome.changes),
              ElementsAre("created /a", "children /", "created /a/s0000000000", "children /a",
                          "created /a/s0000000001", "children /a", "changed /a",
                          "deleted /a/s0000000000", "children /a"));
}

// Z22.
TEST(Transaction, FailureTakesEverythingBack) {
  Machine machine;
  machine.Create("/p", "old");
  machine.Create("/p/gone", "back again");
  machine.Create("/p/e", "", CreateMode::kEphemeral);
  const auto stat = machine.StatOf("/p");
  const auto gone = machine.StatOf("/p/gone");
  const size_t data_bytes = machine.state.data_bytes();
  Transaction transaction;
  transaction.operations = {SetData{"/p", Data("new"), kAnyVersion},
                            Create{"/p/s", {}, CreateMode::kEphemeralSequential},
                            Delete{"/p/gone", kAnyVersion},
                            Create{"/p/gone", Data("other"), CreateMode::kEphemeral},
                            Delete{"/p/e", kAnyVersion},
                            SetData{"/p/e", {}, kAnyVersion},
                            Create{"/p/never", {}, CreateMode::kPersistent}};
  const ApplyOutcome outcome = machine.Apply(machine.session, transaction);
  EXPECT_EQ(outcome.result.code, ResultCode::kNoNode);
  EXPECT_EQ(outcome.result.failed_index, 5u);
  using enum ResultCode;
  EXPECT_THAT(Codes(outcome.result), ElementsAre(kRolledBack, kRolledBack, kRolledBack, kRolledBack,
                                                 kRolledBack, kNoNode, kNotAttempted));
  EXPECT_TRUE(outcome.result.operations[1].path.empty());
  EXPECT_TRUE(outcome.changes.empty());
  EXPECT_EQ(machine.StatOf("/p"), stat);
  EXPECT_EQ(machine.StatOf("/p/gone"), gone);
  EXPECT_EQ(machine.state.Get("/p")->data.view(), "old");
  EXPECT_EQ(machine.state.Get("/p/gone")->data.view(), "back again");
  EXPECT_THAT(machine.state.Ephemerals(machine.session), ElementsAre("/p/e"));
  EXPECT_EQ(machine.state.data_bytes(), data_bytes);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
  EXPECT_EQ(machine.Create("/p/s", "", CreateMode::kPersistentSequential).path, "/p/s0000000002");
}

TEST(Transaction, FailureTakesBackWholeBranches) {
  Machine machine;
  machine.Create("/a");
  machine.Create("/a/b", "kept");
  Transaction transaction;
  transaction.operations = {Delete{"/a/b", kAnyVersion}, Delete{"/a", kAnyVersion},
                            Create{"/a", {}, CreateMode::kPersistent},
                            Create{"/a/b", {}, CreateMode::kPersistent},
                            Delete{"/a/b", 7}};
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kBadVersion);
  EXPECT_EQ(machine.state.Get("/a/b")->data.view(), "kept");
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

TEST(Transaction, RunsOnlyIfAllComparesHold) {
  Machine machine;
  machine.Create("/a");
  machine.Create("/e", "", CreateMode::kEphemeral);
  machine.Set("/a", "x");
  const Stat stat = machine.StatOf("/a");
  auto holds = [&](std::string path, Compare::Field field, int64_t value) {
    Transaction transaction;
    transaction.compares = {Compare{"/a", Compare::Field::kExists, 1},
                            Compare{std::move(path), field, value}};
    transaction.operations = {Create{"/made", {}, CreateMode::kPersistent}};
    const ApplyOutcome outcome = machine.Apply(machine.session, transaction);
    const bool made = machine.state.Exists("/made").has_value();
    EXPECT_EQ(made, outcome.result.code == ResultCode::kOk);
    if (made) {
      machine.Remove("/made");
    } else {
      EXPECT_EQ(outcome.result.code, ResultCode::kCompareFailed);
      EXPECT_EQ(outcome.result.failed_index, 1u);
      EXPECT_TRUE(outcome.result.operations.empty());
    }
    return made;
  };
  using enum Compare::Field;
  const auto owner = static_cast<int64_t>(machine.session.value());
  EXPECT_TRUE(holds("/a", kVersion, 1));
  EXPECT_FALSE(holds("/a", kVersion, 0));
  EXPECT_FALSE(holds("/a", kVersion, -1));
  EXPECT_TRUE(holds("/a", kCzxid, stat.czxid.value()));
  EXPECT_FALSE(holds("/a", kCzxid, stat.mzxid.value()));
  EXPECT_TRUE(holds("/a", kMzxid, stat.mzxid.value()));
  EXPECT_FALSE(holds("/a", kMzxid, stat.czxid.value()));
  EXPECT_TRUE(holds("/a", kExists, 1));
  EXPECT_FALSE(holds("/a", kExists, 0));
  EXPECT_TRUE(holds("/missing", kExists, 0));
  EXPECT_FALSE(holds("/missing", kExists, 1));
  EXPECT_FALSE(holds("/a", kExists, 2));
  EXPECT_TRUE(holds("/e", kEphemeralOwner, owner));
  EXPECT_FALSE(holds("/e", kEphemeralOwner, 0));
  EXPECT_TRUE(holds("/a", kEphemeralOwner, 0));
  for (const Compare::Field field : {kVersion, kCzxid, kMzxid, kEphemeralOwner}) {
    EXPECT_FALSE(holds("/missing", field, 0));
  }
}

TEST(Transaction, ComparesSeeTheStateBeforeIt) {
  Machine machine;
  Transaction transaction;
  transaction.compares = {Compare{"/a", Compare::Field::kExists, 0}};
  transaction.operations = {Create{"/a", {}, CreateMode::kPersistent}};
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kOk);
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kCompareFailed);
}

TEST(Transaction, MayBeEmpty) {
  Machine machine;
  const Result result = machine.Do(Transaction{});
  EXPECT_EQ(result.code, ResultCode::kOk);
  EXPECT_TRUE(result.operations.empty());
}

TEST(Transaction, HasABoundOnItems) {
  Machine machine;
  Transaction transaction;
  transaction.operations.assign(kTransactionItemsMax - 1, SetData{"/", {}, kAnyVersion});
  transaction.compares.assign(1, Compare{"/", Compare::Field::kExists, 1});
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kOk);
  transaction.compares.push_back(transaction.compares[0]);
  const ApplyOutcome outcome = machine.Apply(machine.session, transaction);
  EXPECT_EQ(outcome.result.code, ResultCode::kTooLarge);
  EXPECT_TRUE(outcome.changes.empty());
}

}  // namespace
}  // namespace bellwether::coord::tree
