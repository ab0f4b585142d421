#include <cstdint>
#include <string>
#include <vector>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Identity kAlice{"digest", "alice:hash"};
const Identity kBob{"digest", "bob:hash"};
const Identity kSuper{"super", ""};

Acl For(const Identity& identity, uint32_t permissions) {
  return {AclEntry{permissions, identity.scheme, identity.id}};
}

// Znodes with ACLs are made by the superuser, so that no rule is in the way; the client is nobody.
class AccessRules : public testing::Test {
 protected:
  AccessRules() { machine.RaiseLevel(); }

  Result As(const Identity& identity, Operation operation) {
    machine.identities = {identity};
    Result result = machine.Do(std::move(operation));
    machine.identities.clear();
    return result;
  }
  void Make(const std::string& path, Acl acl, CreateMode mode = CreateMode::kPersistent) {
    ASSERT_EQ(As(kSuper, Create{path, Data("x"), mode, std::move(acl)}).code, ResultCode::kOk);
  }
  ResultCode Code(Operation operation) { return machine.Do(std::move(operation)).code; }

  Machine machine;
};

// Z13.
TEST_F(AccessRules, CreateNeedsCreateOnTheParent) {
  Make("/p", For(kAlice, kCreate));
  EXPECT_EQ(Code(Create{"/p/a"}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kBob, Create{"/p/a"}).code, ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, Create{"/p/a"}).code, ResultCode::kOk);
  EXPECT_EQ(As(kSuper, Create{"/p/b"}).code, ResultCode::kOk);
}

// Z13.
TEST_F(AccessRules, CreateChecksInZooKeepersOrder) {
  Make("/p", For(kAlice, kCreate));
  Make("/e", For(kAlice, kAllPermissions), CreateMode::kEphemeral);
  ASSERT_EQ(As(kAlice, Create{"/p/a"}).code, ResultCode::kOk);
  const Acl invalid = {AclEntry{kAllPermissions, "nobody-knows", "x"}};
  const auto mode = static_cast<CreateMode>(9);
  // Each has the fault named first, and the later ones.
  EXPECT_EQ(Code(Create{"no-slash", {}, mode, invalid}), ResultCode::kBadArguments);
  EXPECT_EQ(Code(Create{"no-slash", {}, CreateMode::kPersistent, invalid}),
            ResultCode::kBadArguments);
  EXPECT_EQ(Code(Create{"/missing/a", {}, CreateMode::kPersistent, invalid}),
            ResultCode::kInvalidAcl);
  EXPECT_EQ(Code(Create{"/missing//", {}, CreateMode::kPersistent, OpenAcl()}),
            ResultCode::kNoNode);
  EXPECT_EQ(Code(Create{"/p/..", {}, CreateMode::kPersistent, OpenAcl()}), ResultCode::kNoAuth);
  EXPECT_EQ(Code(Create{"/p/a", {}, CreateMode::kPersistent, OpenAcl()}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, Create{"/p/.."}).code, ResultCode::kBadArguments);
  EXPECT_EQ(As(kAlice, Create{"/p/a"}).code, ResultCode::kNodeExists);
  EXPECT_EQ(Code(Create{"/e/a"}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, Create{"/e/a"}).code, ResultCode::kNoChildrenForEphemerals);
}

// Z49.
TEST_F(AccessRules, CreateKeepsTheAclAsItWasFixedUp) {
  const AclEntry auth{kRead | kWrite, "auth", ""};
  EXPECT_EQ(Code(Create{"/a", {}, CreateMode::kPersistent, Acl{auth}}), ResultCode::kInvalidAcl);
  EXPECT_EQ(Code(Create{"/a", {}, CreateMode::kPersistent, Acl{}}), ResultCode::kInvalidAcl);
  EXPECT_EQ(As(kAlice, Create{"/a", {}, CreateMode::kPersistent, Acl{auth, auth}}).code,
            ResultCode::kOk);
  EXPECT_EQ(machine.state.GetAcl("/a")->acl, For(kAlice, kRead | kWrite));
  EXPECT_EQ(machine.StatOf("/a").aversion, 0);
  // Not inherited.
  Make("/p", For(kAlice, kCreate));
  EXPECT_EQ(As(kAlice, Create{"/p/a"}).code, ResultCode::kOk);
  EXPECT_EQ(machine.state.GetAcl("/p/a")->acl, OpenAcl());
}

TEST_F(AccessRules, TooLargeAnAclIsRefused) {
  const Acl many(kAclEntriesMax + 1, AclEntry{kRead, "world", "anyone"});
  EXPECT_EQ(Code(Create{"/a", {}, CreateMode::kPersistent, many}), ResultCode::kTooLarge);
  EXPECT_EQ(Code(SetAcl{"/", many, kAnyVersion}), ResultCode::kTooLarge);
}

// Each entry costs at every use of the znode; replicas agree as the level says which bound holds.
TEST_F(AccessRules, FromALevelOnAnAclHasFewerEntries) {
  const size_t entries_max = AclEntriesMax(kFeatureLevelRetries);
  Acl acl;
  for (size_t i = 0; i <= entries_max; ++i) acl.push_back({kRead, "digest", fmt::format("u{}:h", i)});
  EXPECT_EQ(Code(Create{"/before", {}, CreateMode::kPersistent, acl}), ResultCode::kOk);
  machine.RaiseLevel(kFeatureLevelRetries);
  EXPECT_EQ(Code(Create{"/a", {}, CreateMode::kPersistent, acl}), ResultCode::kTooLarge);
  EXPECT_EQ(Code(SetAcl{"/", acl, kAnyVersion}), ResultCode::kTooLarge);
  acl.pop_back();
  EXPECT_EQ(Code(Create{"/a", {}, CreateMode::kPersistent, acl}), ResultCode::kOk);
  EXPECT_EQ(machine.state.GetAcl("/a")->acl.size(), entries_max);
  EXPECT_EQ(machine.state.GetAcl("/before")->acl.size(), entries_max + 1) << "which it keeps";
}

TEST_F(AccessRules, WhatAuthStandsForCountsAgainstTheBoundOfEntries) {
  machine.RaiseLevel(kFeatureLevelRetries);
  for (size_t i = 0; i < kIdentitiesMax; ++i) {
    machine.identities.push_back({"digest", fmt::format("u{}:h", i)});
  }
  const Acl once = {{kRead, "auth", ""}};
  const Acl twice = {{kRead, "auth", ""}, {kWrite, "auth", ""}};
  EXPECT_EQ(Code(Create{"/a", {}, CreateMode::kPersistent, once}), ResultCode::kOk);
  EXPECT_EQ(Code(Create{"/b", {}, CreateMode::kPersistent, twice}), ResultCode::kInvalidAcl);
}

// Z18.
TEST_F(AccessRules, DeleteNeedsDeleteOnTheParentAndNothingOnTheZnode) {
  Make("/p", For(kAlice, kCreate | kDelete));
  Make("/p/a", For(kBob, kAllPermissions));
  EXPECT_EQ(Code(Delete{"/p/missing"}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kBob, Delete{"/p/a"}).code, ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, Delete{"/p/missing"}).code, ResultCode::kNoNode);
  EXPECT_EQ(As(kAlice, Delete{"/p/a", 7}).code, ResultCode::kBadVersion);
  EXPECT_EQ(As(kAlice, Delete{"/p/a"}).code, ResultCode::kOk);
}

// Z19.
TEST_F(AccessRules, SetDataNeedsWriteBeforeItLooksAtTheVersion) {
  Make("/a", For(kAlice, kWrite));
  EXPECT_EQ(Code(SetData{"/a/", {}, 7}), ResultCode::kBadArguments);
  EXPECT_EQ(Code(SetData{"/missing", {}, 7}), ResultCode::kNoNode);
  EXPECT_EQ(Code(SetData{"/a", {}, 7}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, SetData{"/a", {}, 7}).code, ResultCode::kBadVersion);
  EXPECT_EQ(As(kAlice, SetData{"/a", {}, 0}).code, ResultCode::kOk);
}

// Z1, Z19.
TEST_F(AccessRules, SetAclRaisesTheAversionAndNothingElse) {
  machine.Create("/a", "x");
  Stat expected = machine.StatOf("/a");
  machine.time_ms = 9000;
  const ApplyOutcome outcome =
      machine.Apply(machine.session, SetAcl{"/a", For(kAlice, kAdmin | kRead), 0});
  EXPECT_EQ(outcome.result.code, ResultCode::kOk);
  EXPECT_THAT(outcome.changes, IsEmpty());
  expected.aversion = 1;
  EXPECT_EQ(outcome.result.stat, expected);
  EXPECT_EQ(machine.StatOf("/a"), expected);
  EXPECT_EQ(machine.state.GetAcl("/a")->acl, For(kAlice, kAdmin | kRead));
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
  // The open ACL that was set is another state than the one that was never set.
  EXPECT_EQ(As(kAlice, SetAcl{"/a", OpenAcl(), 1}).stat->aversion, 2);
}

// Z19, Z49.
TEST_F(AccessRules, SetAclChecksInZooKeepersOrder) {
  Make("/a", For(kAlice, kAdmin));
  const Acl invalid = {AclEntry{kAllPermissions, "digest", "no colon"}};
  EXPECT_EQ(Code(SetAcl{"/a/", invalid, 7}), ResultCode::kBadArguments);
  EXPECT_EQ(Code(SetAcl{"/missing", invalid, 7}), ResultCode::kInvalidAcl);
  EXPECT_EQ(Code(SetAcl{"/missing", OpenAcl(), 7}), ResultCode::kNoNode);
  EXPECT_EQ(Code(SetAcl{"/a", OpenAcl(), 7}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, SetAcl{"/a", OpenAcl(), 7}).code, ResultCode::kBadVersion);
  EXPECT_EQ(As(kAlice, SetAcl{"/a", OpenAcl(), 0}).code, ResultCode::kOk);
  EXPECT_EQ(machine.StatOf("/a").aversion, 1);
}

// Z20.
TEST_F(AccessRules, CheckNeedsReadAndComparesTheVersionOfTheData) {
  Make("/a", For(kAlice, kRead));
  const auto check = [](std::string path, int32_t version) {
    Transaction transaction;
    transaction.operations = {Check{std::move(path), version}};
    return transaction;
  };
  EXPECT_EQ(Code(check("/a/", 7)), ResultCode::kBadArguments);
  EXPECT_EQ(Code(check("/missing", 7)), ResultCode::kNoNode);
  EXPECT_EQ(Code(check("/a", 7)), ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, check("/a", 7)).code, ResultCode::kBadVersion);
  EXPECT_EQ(As(kAlice, check("/a", 0)).code, ResultCode::kOk);
  EXPECT_EQ(As(kAlice, check("/a", kAnyVersion)).code, ResultCode::kOk);
}

// Z22, Z24.
TEST_F(AccessRules, CheckSeesEarlierOperationsAndTakesThemBack) {
  machine.Create("/a");
  Transaction transaction;
  transaction.operations = {SetData{"/a", Data("1"), 0}, Check{"/a", 1}, Create{"/b"}};
  const ApplyOutcome outcome = machine.Apply(machine.session, transaction);
  ASSERT_EQ(outcome.result.code, ResultCode::kOk);
  EXPECT_FALSE(outcome.result.operations[1].stat.has_value());
  EXPECT_THAT(Lines(outcome.changes), ElementsAre("changed /a", "created /b", "children /"));

  transaction.operations = {Create{"/c"}, Check{"/a", 0}, Create{"/d"}};
  const Result failed = machine.Do(transaction);
  EXPECT_EQ(failed.code, ResultCode::kBadVersion);
  EXPECT_EQ(failed.failed_index, 1u);
  EXPECT_EQ(failed.operations[0].code, ResultCode::kRolledBack);
  EXPECT_EQ(failed.operations[2].code, ResultCode::kNotAttempted);
  EXPECT_FALSE(machine.state.Exists("/c").has_value());
}

// Z24: a transaction is as permitted as its operations one by one.
TEST_F(AccessRules, OperationsOfATransactionSeeTheAclsOfEarlierOnes) {
  Transaction transaction;
  transaction.operations = {Create{"/a", {}, CreateMode::kPersistent, For(kAlice, kCreate)},
                            Create{"/a/b"}};
  EXPECT_EQ(Code(transaction), ResultCode::kNoAuth);
  EXPECT_FALSE(machine.state.Exists("/a").has_value());
  EXPECT_EQ(As(kAlice, transaction).code, ResultCode::kOk);
}

TEST_F(AccessRules, CompareNeedsRead) {
  Make("/a", For(kAlice, kRead));
  Transaction transaction;
  transaction.compares = {Compare{"/a", Compare::Field::kVersion, 7}};
  const Result refused = machine.Do(transaction);
  EXPECT_EQ(refused.code, ResultCode::kNoAuth);
  EXPECT_FALSE(refused.failed_index.has_value());
  EXPECT_EQ(As(kAlice, transaction).code, ResultCode::kCompareFailed);
}

TEST_F(AccessRules, RecursiveDeletionNeedsDeleteOnEveryParent) {
  Make("/p", For(kAlice, kCreate | kDelete));
  Make("/p/t", For(kAlice, kCreate | kDelete));
  Make("/p/t/leaf", For(kBob, kRead));
  Make("/p/t/sub", For(kBob, kDelete));
  Make("/p/t/sub/leaf", For(kBob, kRead));
  EXPECT_EQ(Code(DeleteRecursive{"/p/missing"}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, DeleteRecursive{"/p/missing"}).code, ResultCode::kNoNode);
  const size_t znodes = machine.state.znode_count();
  EXPECT_EQ(Code(DeleteRecursive{"/p/t"}), ResultCode::kNoAuth);
  EXPECT_EQ(As(kAlice, DeleteRecursive{"/p/t"}).code, ResultCode::kNoAuth);
  EXPECT_EQ(As(kBob, DeleteRecursive{"/p/t"}).code, ResultCode::kNoAuth);
  EXPECT_EQ(machine.state.znode_count(), znodes);

  machine.identities = {kAlice, kBob};
  const ApplyOutcome outcome = machine.Apply(machine.session, DeleteRecursive{"/p/t"});
  EXPECT_EQ(outcome.result.deleted_znodes, 4u);
  EXPECT_THAT(Lines(outcome.changes),
              ElementsAre("deleted /p/t/sub/leaf", "deleted /p/t/sub", "deleted /p/t/leaf",
                          "deleted /p/t", "children /p"));
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// Z41: nobody can keep a session's ephemerals from going with it.
TEST_F(AccessRules, EndOfASessionAsksNobody) {
  Make("/p", For(kAlice, kCreate));
  machine.identities = {kAlice};
  const SessionId other = machine.Open();
  ASSERT_EQ(machine.Apply(other, Create{"/p/e", {}, CreateMode::kEphemeral}).result.code,
            ResultCode::kOk);
  machine.identities.clear();
  EXPECT_EQ(machine.Apply(other, CloseSession{}).result.deleted_znodes, 1u);
}

// Z32.
TEST_F(AccessRules, ChangesSayWhoMayKnow) {
  Make("/p", For(kAlice, kAllPermissions));
  machine.identities = {kAlice};
  const auto created =
      machine.ChangesOf(Create{"/p/a", {}, CreateMode::kPersistent, For(kBob, kRead)});
  ASSERT_EQ(created.size(), 2u);
  EXPECT_EQ(AclOf(created[0].access), For(kBob, kRead));
  EXPECT_EQ(AclOf(created[1].access), For(kAlice, kAllPermissions));
  const auto deleted = machine.ChangesOf(Delete{"/p/a"});
  ASSERT_EQ(deleted.size(), 2u);
  EXPECT_EQ(AclOf(deleted[0].access), For(kBob, kRead));
  EXPECT_EQ(AclOf(deleted[1].access), For(kAlice, kAllPermissions));
  const auto changed = machine.ChangesOf(SetData{"/p", Data("y")});
  EXPECT_EQ(AclOf(changed[0].access), For(kAlice, kAllPermissions));
  ASSERT_EQ(machine.Do(Create{"/p/b", {}, CreateMode::kPersistent, For(kBob, kRead)}).code,
            ResultCode::kOk);
  const auto branch = machine.ChangesOf(DeleteRecursive{"/p"});
  ASSERT_EQ(branch.size(), 3u);
  EXPECT_EQ(AclOf(branch[0].access), For(kBob, kRead));
  EXPECT_EQ(AclOf(branch[1].access), For(kAlice, kAllPermissions));
  EXPECT_EQ(AclOf(branch[2].access), OpenAcl());
}

// An ensemble of several releases must not take what the older ones do not know.
TEST(FeatureLevelOfAcls, NothingNewBelowIt) {
  Machine machine;
  machine.Create("/a");
  Transaction transaction;
  transaction.operations = {Check{"/a", 0}};
  Create with_ttl{"/t", {}, CreateMode::kPersistentWithTtl};
  with_ttl.ttl_ms = 5;
  for (const Operation& operation : std::vector<Operation>{
           Create{"/b", {}, CreateMode::kPersistent, OpenAcl()},
           Create{"/b", {}, CreateMode::kContainer}, with_ttl, SetAcl{"/a", OpenAcl(), 0},
           transaction, DeleteExpired{"/a"}}) {
    EXPECT_EQ(machine.Do(operation).code, ResultCode::kBadArguments) << operation.index();
  }
  EXPECT_EQ(machine.state.znode_count(), 2u);
}

}  // namespace
}  // namespace bellwether::coord::tree
