#include <cstdint>
#include <string>
#include <string_view>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;

class ExpiredZnodes : public testing::Test {
 protected:
  ExpiredZnodes() { machine.RaiseLevel(); }

  Result MakeWithTtl(std::string path, int64_t ttl_ms,
                     CreateMode mode = CreateMode::kPersistentWithTtl) {
    Create operation{std::move(path), Data("x"), mode};
    operation.ttl_ms = ttl_ms;
    return machine.Do(operation);
  }
  Result MakeContainer(std::string_view path) {
    return machine.Create(path, "", CreateMode::kContainer);
  }
  ResultCode Expire(std::string path) {
    return machine.Apply({}, DeleteExpired{std::move(path)}).result.code;
  }

  Machine machine;
};

// Z6.
TEST_F(ExpiredZnodes, AreNoEphemerals) {
  EXPECT_EQ(MakeContainer("/c").stat->ephemeral_owner, SessionId());
  EXPECT_EQ(MakeWithTtl("/t", 5).stat->ephemeral_owner, SessionId());
  EXPECT_EQ(machine.CreateCode("/c/a"), ResultCode::kOk);
  EXPECT_EQ(machine.CreateCode("/t/a"), ResultCode::kOk);
  EXPECT_EQ(machine.state.expirable_count(), 2u);
}

// Z15.
TEST_F(ExpiredZnodes, OnlyAModeWithATtlTakesOne) {
  EXPECT_EQ(MakeWithTtl("/t", 0).code, ResultCode::kBadArguments);
  EXPECT_EQ(MakeWithTtl("/t", -1).code, ResultCode::kBadArguments);
  EXPECT_EQ(MakeWithTtl("/t", kTtlMsMax + 1).code, ResultCode::kBadArguments);
  EXPECT_EQ(MakeWithTtl("/t", 5, CreateMode::kPersistent).code, ResultCode::kBadArguments);
  EXPECT_EQ(MakeWithTtl("/t", 5, CreateMode::kContainer).code, ResultCode::kBadArguments);
  EXPECT_EQ(MakeWithTtl("/t", 5, static_cast<CreateMode>(7)).code, ResultCode::kBadArguments);
  EXPECT_EQ(MakeWithTtl("/t", kTtlMsMax).code, ResultCode::kOk);
  EXPECT_EQ(machine.state.expirable_count(), 1u);
}

// Z11.
TEST_F(ExpiredZnodes, MayBeSequential) {
  EXPECT_EQ(MakeWithTtl("/s-", 5, CreateMode::kPersistentSequentialWithTtl).path,
            "/s-0000000000");
}

// Z17.
TEST_F(ExpiredZnodes, ContainerGoesWithItsLastChildOnly) {
  MakeContainer("/c");
  EXPECT_EQ(Expire("/c"), ResultCode::kNotExpired);
  machine.Create("/c/a");
  EXPECT_EQ(Expire("/c"), ResultCode::kNotEmpty);
  machine.Remove("/c/a");
  const ApplyOutcome outcome = machine.Apply({}, DeleteExpired{"/c"});
  EXPECT_EQ(outcome.result.code, ResultCode::kOk);
  EXPECT_EQ(outcome.result.deleted_znodes, 1u);
  EXPECT_THAT(Lines(outcome.changes), ElementsAre("deleted /c", "children /"));
  EXPECT_EQ(Expire("/c"), ResultCode::kNoNode);
  EXPECT_EQ(machine.state.expirable_count(), 0u);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// Z17.
TEST_F(ExpiredZnodes, TtlRunsFromTheLastChangeOfTheData) {
  machine.time_ms = 10'000;
  MakeWithTtl("/t", 100);
  machine.time_ms = 10'050;
  machine.Set("/t", "y");
  machine.time_ms = 10'060;
  machine.Create("/t/a");
  machine.time_ms = 20'000;
  EXPECT_EQ(Expire("/t"), ResultCode::kNotEmpty);
  machine.Remove("/t/a");
  EXPECT_EQ(Expire("/t"), ResultCode::kOk);

  MakeWithTtl("/t", 100);
  machine.time_ms = 20'100;
  EXPECT_EQ(Expire("/t"), ResultCode::kNotExpired);
  machine.time_ms = 20'101;
  EXPECT_EQ(Expire("/t"), ResultCode::kOk);
}

TEST_F(ExpiredZnodes, OthersStay) {
  machine.Create("/a");
  machine.Create("/e", "", CreateMode::kEphemeral);
  machine.time_ms = 1'000'000;
  for (const char* path : {"/", "/a", "/e", "/zookeeper"}) {
    EXPECT_EQ(Expire(path), ResultCode::kNotExpired) << path;
  }
  EXPECT_EQ(Expire("/missing"), ResultCode::kNoNode);
  EXPECT_EQ(Expire("a"), ResultCode::kBadArguments);
}

TEST_F(ExpiredZnodes, GoWhateverTheAclOfTheParent) {
  machine.identities = {Identity{"super", ""}};
  machine.Do(Create{"/p", {}, CreateMode::kPersistent, Acl{AclEntry{kRead, "world", "anyone"}}});
  MakeWithTtl("/p/t", 1);
  machine.identities.clear();
  machine.time_ms += 100;
  EXPECT_EQ(Expire("/p/t"), ResultCode::kOk);
}

// Z22: what is taken back may expire as before, and what was taken out of a state not.
TEST_F(ExpiredZnodes, SurviveAFailedTransaction) {
  MakeWithTtl("/t", 100);
  machine.Create("/t/a");
  MakeContainer("/c");
  Transaction transaction;
  transaction.operations = {Delete{"/t/a"}, Delete{"/t"}, Create{"/t"}, Delete{"/c"},
                            Create{"/d", {}, CreateMode::kContainer}, Check{"/missing"}};
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kNoNode);
  EXPECT_EQ(machine.state.expirable_count(), 2u);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
  machine.Remove("/t/a");
  machine.time_ms += 1000;
  EXPECT_EQ(Expire("/t"), ResultCode::kOk);
}

TEST_F(ExpiredZnodes, AreForgottenWithTheirBranch) {
  machine.Create("/p");
  MakeWithTtl("/p/t", 100);
  MakeContainer("/p/t/c");
  EXPECT_EQ(machine.Do(DeleteRecursive{"/p"}).deleted_znodes, 3u);
  EXPECT_EQ(machine.state.expirable_count(), 0u);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

}  // namespace
}  // namespace bellwether::coord::tree
