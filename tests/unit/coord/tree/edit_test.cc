#include "coord/tree/edit.h"

#include <string>
#include <utility>

#include "coord/tree/state_machine.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

Transaction Only(TransactionOperation operation) {
  Transaction transaction;
  transaction.operations.push_back(std::move(operation));
  return transaction;
}

// Z18, Z19, Z20, Z48.
TEST(Edit, TakesNoOtherPathForThatOfAZnode) {
  Machine machine;
  machine.RaiseLevel();
  Create expirable{"/x", {}, CreateMode::kPersistentWithTtl};
  expirable.ttl_ms = 5;
  ASSERT_EQ(machine.Do(expirable).code, ResultCode::kOk);
  ASSERT_EQ(machine.CreateCode("/a"), ResultCode::kOk);
  ASSERT_EQ(machine.CreateCode("/a/b"), ResultCode::kOk);
  machine.time_ms += 100;
  const size_t znodes = machine.state.znode_count();
  for (const std::string path : {"//x", "/x/", "/a//b", "//a/b", "/a/b/", "//", "///x", "/./x"}) {
    const auto code = [&](Operation operation) { return machine.Do(std::move(operation)).code; };
    EXPECT_EQ(code(Delete{path}), ResultCode::kNoNode) << path;
    EXPECT_EQ(code(Only(Delete{path})), ResultCode::kNoNode) << path;
    EXPECT_EQ(code(DeleteRecursive{path}), ResultCode::kNoNode) << path;
    EXPECT_EQ(code(SetData{path, Data("y"), kAnyVersion}), ResultCode::kBadArguments) << path;
    EXPECT_EQ(code(SetAcl{path, OpenAcl(), kAnyVersion}), ResultCode::kBadArguments) << path;
    EXPECT_EQ(code(Only(Check{path, kAnyVersion})), ResultCode::kBadArguments) << path;
    EXPECT_NE(machine.CreateCode(path), ResultCode::kOk) << path;
    EXPECT_EQ(machine.Apply({}, DeleteExpired{path}).result.code, ResultCode::kNoNode) << path;
    Transaction compare;
    compare.compares = {Compare{path, Compare::Field::kExists, 1}};
    EXPECT_EQ(code(compare), ResultCode::kCompareFailed) << path;
  }
  EXPECT_EQ(machine.state.znode_count(), znodes);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());

  // The parent's ACL comes first.
  const Acl read_only = {{kRead, "world", "anyone"}};
  ASSERT_EQ(machine.Do(SetAcl{"/", read_only, kAnyVersion}).code, ResultCode::kOk);
  EXPECT_EQ(machine.Remove("//x").code, ResultCode::kNoAuth);
}

// Replicas of an earlier release do the same.
TEST(Edit, DeletesAsEarlierReleasesBelowTheLevelOfAcls) {
  Machine machine;
  machine.Create("/x");
  EXPECT_EQ(machine.Remove("//x").code, ResultCode::kOk);
  EXPECT_EQ(machine.state.znode_count(), 1u);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

}  // namespace
}  // namespace bellwether::coord::tree
