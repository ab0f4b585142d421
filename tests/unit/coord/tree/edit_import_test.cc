#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coord/tree/quotas.h"
#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ImportedZnode Znode(std::string_view path, std::string_view data = "x",
                    int32_t create_counter = 0) {
  ImportedZnode znode;
  znode.path = std::string(path);
  znode.data = Data(data);
  znode.ctime_ms = 111;
  znode.mtime_ms = 222;
  znode.version = 5;
  znode.create_counter = create_counter;
  return znode;
}

const Acl kDigest = {{kRead, "digest", "user:hash"}};

class EditImport : public testing::Test {
 protected:
  EditImport() { machine.Apply({}, SetFeatureLevel{kFeatureLevelRetries}); }

  std::vector<ResultCode> Codes(std::vector<ImportedZnode> znodes, bool overwrite = false) {
    const Result result = machine.Do(Import{std::move(znodes), overwrite});
    EXPECT_EQ(result.code, ResultCode::kOk);
    std::vector<ResultCode> codes;
    for (const OperationResult& one : result.operations) codes.push_back(one.code);
    return codes;
  }
  ResultCode Code(ImportedZnode znode, bool overwrite = false) {
    return Codes({std::move(znode)}, overwrite).at(0);
  }

  Machine machine;
};

TEST_F(EditImport, KeepsAllButZxids) {
  ImportedZnode given = Znode("/a", "data", 7);
  given.acl = kDigest;
  given.aversion = 3;
  EXPECT_EQ(Code(given), ResultCode::kOk);
  const Stat stat = machine.StatOf("/a");
  EXPECT_EQ(stat.czxid, machine.state.zxid());
  EXPECT_EQ(stat.mzxid, machine.state.zxid());
  EXPECT_EQ(stat.pzxid, machine.state.zxid());
  EXPECT_EQ(stat.ctime_ms, 111);
  EXPECT_EQ(stat.mtime_ms, 222);
  EXPECT_EQ(stat.version, 5);
  EXPECT_EQ(stat.aversion, 3);
  EXPECT_EQ(stat.cversion, 14);
  EXPECT_EQ(machine.state.GetAcl("/a")->acl, kDigest);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// Z2, Z11.
TEST_F(EditImport, LeavesTheCountersOfTheParent) {
  EXPECT_THAT(Codes({Znode("/q", "", 9), Znode("/q/a"), Znode("/q/b")}),
              ElementsAre(ResultCode::kOk, ResultCode::kOk, ResultCode::kOk));
  EXPECT_EQ(machine.StatOf("/q").cversion, 2 * 9 - 2);
  EXPECT_EQ(machine.StatOf("/q").pzxid, machine.state.zxid());
  EXPECT_EQ(machine.Create("/q/n-", "", CreateMode::kPersistentSequential).path,
            "/q/n-0000000009");
}

TEST_F(EditImport, NumbersNeverNameAChildThatIsThere) {
  EXPECT_EQ(machine.CreateCode("/q"), ResultCode::kOk);
  EXPECT_THAT(Codes({Znode("/q/n-0000000000"), Znode("/q/n-0000000001")}),
              ElementsAre(ResultCode::kOk, ResultCode::kOk));
  EXPECT_EQ(machine.StatOf("/q").cversion, 2);
  EXPECT_EQ(machine.Create("/q/n-", "", CreateMode::kPersistentSequential).path,
            "/q/n-0000000002");
}

// Z3: /zookeeper is no child that was created.
TEST_F(EditImport, TheRootBeginsAsItWasElsewhere) {
  EXPECT_THAT(Codes({Znode("/", "root", 2), Znode("/a"), Znode("/b")}),
              ElementsAre(ResultCode::kOk, ResultCode::kOk, ResultCode::kOk));
  EXPECT_EQ(machine.StatOf("/").version, 5);
  EXPECT_EQ(machine.StatOf("/").cversion, 2 * 2 - 3);
  EXPECT_EQ(machine.state.Get("/")->data, Data("root"));
  EXPECT_EQ(Code(Znode("/", "other", 9)), ResultCode::kNodeExists);
}

TEST_F(EditImport, TellsWatchersAsACreationDoes) {
  EXPECT_THAT(Lines(machine.ChangesOf(Import{{Znode("/a"), Znode("/a/b")}})),
              ElementsAre("created /a", "children /", "created /a/b", "children /a"));
  ImportedZnode changed = Znode("/a", "new", 4);
  EXPECT_THAT(Lines(machine.ChangesOf(Import{{changed}, true})),
              ElementsAre("changed /a", "children /a"));
  EXPECT_THAT(Lines(machine.ChangesOf(Import{{changed}, true})), IsEmpty());
}

TEST_F(EditImport, ASecondTimeNothingHappens) {
  ImportedZnode given = Znode("/a", "data", 7);
  given.acl = kDigest;
  machine.identities = {{"digest", "user:hash"}};
  EXPECT_EQ(Code(given), ResultCode::kOk);
  const Stat before = machine.StatOf("/a");
  EXPECT_EQ(Code(given), ResultCode::kAlreadySet);
  EXPECT_EQ(machine.StatOf("/a"), before);
}

TEST_F(EditImport, ASecondTimeTheCounterGoesOn) {
  EXPECT_EQ(Code(Znode("/a", "data", 7)), ResultCode::kOk);
  EXPECT_EQ(Code(Znode("/a", "data", 9)), ResultCode::kAlreadySet);
  EXPECT_EQ(machine.StatOf("/a").cversion, 18);
  EXPECT_EQ(Code(Znode("/a", "data", 8)), ResultCode::kAlreadySet);
  EXPECT_EQ(machine.StatOf("/a").cversion, 18);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

TEST_F(EditImport, WhatIsDifferentStaysUnlessOverwritten) {
  machine.Create("/a", "mine");
  EXPECT_EQ(Code(Znode("/a")), ResultCode::kNodeExists);
  EXPECT_EQ(machine.state.Get("/a")->data, Data("mine"));
  const Stat before = machine.StatOf("/a");
  EXPECT_EQ(Code(Znode("/a", "theirs", 3), true), ResultCode::kOk);
  const Stat after = machine.StatOf("/a");
  EXPECT_EQ(machine.state.Get("/a")->data, Data("theirs"));
  EXPECT_EQ(after.czxid, before.czxid);
  EXPECT_EQ(after.ctime_ms, before.ctime_ms);
  EXPECT_EQ(after.mzxid, machine.state.zxid());
  EXPECT_EQ(after.mtime_ms, 222);
  EXPECT_EQ(after.version, 5);
  EXPECT_EQ(after.cversion, 6);
}

TEST_F(EditImport, KindsAreNotChanged) {
  machine.Create("/e", "", CreateMode::kEphemeral);
  machine.Create("/c", "", CreateMode::kContainer);
  EXPECT_THAT(Codes({Znode("/e"), Znode("/c"), Znode("/e/child")}, true),
              ElementsAre(ResultCode::kNodeExists, ResultCode::kNodeExists,
                          ResultCode::kNoChildrenForEphemerals));
}

// Z17.
TEST_F(EditImport, MakesContainersAndTtls) {
  ImportedZnode container = Znode("/c", "", 1);
  container.mode = CreateMode::kContainer;
  ImportedZnode with_ttl = Znode("/t");
  with_ttl.mode = CreateMode::kPersistentWithTtl;
  with_ttl.ttl_ms = 50;
  EXPECT_THAT(Codes({container, with_ttl, Znode("/t/child")}),
              ElementsAre(ResultCode::kOk, ResultCode::kOk, ResultCode::kOk));
  EXPECT_EQ(machine.Apply({}, DeleteExpired{"/c"}).result.code, ResultCode::kOk);
  EXPECT_EQ(machine.Apply({}, DeleteExpired{"/t"}).result.code, ResultCode::kNotEmpty);
  EXPECT_EQ(machine.Remove("/t/child").code, ResultCode::kOk);
  machine.time_ms = 1'000'000;
  EXPECT_EQ(machine.Apply({}, DeleteExpired{"/t"}).result.code, ResultCode::kOk);
  EXPECT_EQ(machine.state.expirable_count(), 0u);
}

TEST_F(EditImport, RefusesWhatIsNoZnode) {
  ImportedZnode ephemeral = Znode("/e");
  ephemeral.mode = CreateMode::kEphemeral;
  ImportedZnode without_ttl = Znode("/t");
  without_ttl.mode = CreateMode::kPersistentWithTtl;
  ImportedZnode early = Znode("/early");
  early.mtime_ms = -1;
  ImportedZnode late = Znode("/late");
  late.ctime_ms = INT64_MAX;
  EXPECT_THAT(Codes({ephemeral, without_ttl, early, late, Znode("a"), Znode("/a//b"),
                     Znode("/zookeeper"), Znode("/zookeeper/quota/a")}),
              testing::Each(ResultCode::kBadArguments));
  EXPECT_EQ(Code(Znode("/none/a")), ResultCode::kNoNode);
  EXPECT_EQ(Code(Znode("/large", std::string(kDataBytesMax + 1, 'x'))), ResultCode::kTooLarge);
  ImportedZnode auth = Znode("/auth");
  auth.acl = Acl{{kRead, "auth", ""}};
  machine.identities = {{"digest", "user:hash"}};
  EXPECT_EQ(Code(auth), ResultCode::kInvalidAcl);
  EXPECT_EQ(machine.state.znode_count(), 4u);
}

TEST_F(EditImport, OneRefusedLeavesTheOthers) {
  EXPECT_THAT(Codes({Znode("/a"), Znode("/none/b"), Znode("/c")}),
              ElementsAre(ResultCode::kOk, ResultCode::kNoNode, ResultCode::kOk));
  EXPECT_TRUE(machine.state.Exists("/c").has_value());
}

TEST_F(EditImport, NeedsCreateOnTheParentAndMoreToOverwrite) {
  const auto with_acl = [](std::string_view path, uint32_t permissions) {
    ImportedZnode znode = Znode(path);
    znode.acl = Acl{{permissions, "world", "anyone"}};
    return znode;
  };
  EXPECT_THAT(Codes({with_acl("/a", kAllPermissions & ~kCreate), Znode("/a/b"),
                     with_acl("/w", kAllPermissions & ~kAdmin),
                     with_acl("/d", kAllPermissions & ~kWrite)}),
              ElementsAre(ResultCode::kOk, ResultCode::kNoAuth, ResultCode::kOk, ResultCode::kOk));
  EXPECT_THAT(Codes({Znode("/w", "new"), Znode("/d", "new")}, true),
              ElementsAre(ResultCode::kNoAuth, ResultCode::kNoAuth));
}

// Whether data is equal is not told to who may not read it.
TEST_F(EditImport, IsNoWayToGuessData) {
  ImportedZnode secret = Znode("/a");
  secret.acl = kDigest;
  EXPECT_EQ(Code(secret), ResultCode::kOk);
  EXPECT_EQ(Code(secret), ResultCode::kNodeExists);
}

// Z54.
TEST_F(EditImport, CountsForQuotas) {
  machine.Create("/a");
  machine.Create("/zookeeper/quota/a");
  machine.Create("/zookeeper/quota/a/zookeeper_limits", "countHardLimit=2");
  machine.Create(UsagePath("/a"), "count=0,bytes=0");
  EXPECT_THAT(Codes({Znode("/a/b", "123"), Znode("/a/c")}),
              ElementsAre(ResultCode::kOk, ResultCode::kQuotaExceeded));
  EXPECT_EQ(machine.state.Get(UsagePath("/a"))->data, Data("count=2,bytes=3"));
  EXPECT_EQ(Code(Znode("/a/b", "12"), true), ResultCode::kOk);
  EXPECT_EQ(machine.state.Get(UsagePath("/a"))->data, Data("count=2,bytes=2"));
}

TEST_F(EditImport, BelowItsLevelNothingHappens) {
  Machine old;
  old.RaiseLevel();
  EXPECT_EQ(old.Do(Import{{Znode("/a")}}).code, ResultCode::kBadArguments);
  EXPECT_FALSE(old.state.Exists("/a").has_value());
  const Zxid before = old.state.zxid();
  EXPECT_EQ(old.Do(RaiseZxid{Zxid(1000)}).code, ResultCode::kBadArguments);
  EXPECT_EQ(old.state.zxid(), before + 1);
}

TEST_F(EditImport, TooManyAreRefusedAsAWhole) {
  const Import import{std::vector<ImportedZnode>(kTransactionItemsMax + 1, Znode("/a"))};
  EXPECT_EQ(machine.Do(import).code, ResultCode::kTooLarge);
  EXPECT_FALSE(machine.state.Exists("/a").has_value());
}

// Z10.
TEST_F(EditImport, RaisesTheZxidAndNeverLowersIt) {
  const Result raised = machine.Do(RaiseZxid{Zxid(1'000'000)});
  EXPECT_EQ(raised.code, ResultCode::kOk);
  EXPECT_EQ(raised.zxid, Zxid(1'000'000));
  EXPECT_EQ(machine.state.zxid(), Zxid(1'000'000));
  EXPECT_EQ(machine.Create("/a").stat->czxid, Zxid(1'000'001));
  EXPECT_EQ(machine.Do(RaiseZxid{Zxid(1'000'000)}).code, ResultCode::kAlreadySet);
  EXPECT_EQ(machine.state.zxid(), Zxid(1'000'002));
  EXPECT_EQ(machine.Do(RaiseZxid{Zxid(kRaisedZxidMax + 1)}).code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.Do(RaiseZxid{Zxid(kRaisedZxidMax)}).code, ResultCode::kOk);
  EXPECT_EQ(machine.state.zxid(), Zxid(kRaisedZxidMax));
}

TEST_F(EditImport, WhoMayNotAdministrateTheRootRaisesNoZxid) {
  machine.Do(SetAcl{"/", {{kAllPermissions & ~kAdmin, "world", "anyone"}}});
  EXPECT_EQ(machine.Do(RaiseZxid{Zxid(1'000'000)}).code, ResultCode::kNoAuth);
  machine.identities = {{"super", ""}};
  EXPECT_EQ(machine.Do(RaiseZxid{Zxid(1'000'000)}).code, ResultCode::kOk);
}

Command CommandOf(Operation operation) {
  Command command;
  command.session = SessionId(1);
  command.generation = SessionGeneration(2);
  command.sequence = CommandSequence(3);
  command.operation = std::move(operation);
  return command;
}

std::vector<Command> Commands() {
  ImportedZnode first = Znode("/a", "d", INT32_MIN);
  first.acl = kDigest;
  first.aversion = -1;
  first.version = INT32_MAX;
  ImportedZnode second;
  second.path = "/b";
  second.mode = CreateMode::kPersistentWithTtl;
  second.ttl_ms = kTtlMsMax;
  second.ctime_ms = INT64_MIN;
  second.mtime_ms = INT64_MAX;
  return {CommandOf(Import{{first, second}, true}), CommandOf(Import{}),
          CommandOf(RaiseZxid{Zxid(INT64_MAX)}), CommandOf(RaiseZxid{Zxid(-1)})};
}

TEST(ImportCodec, RoundTrips) {
  for (const Command& command : Commands()) {
    std::string bytes;
    EncodeCommand(command, bytes);
    EXPECT_EQ(bytes[0], 3);
    const auto decoded = DecodeCommand(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, command);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(DecodeCommand(std::string_view(bytes).substr(0, size)).status().code(),
                absl::StatusCode::kDataLoss);
    }
  }
}

TEST(ImportCodec, IsNotThereInFormat2) {
  for (const Command& command : Commands()) {
    std::string bytes;
    EncodeCommand(command, bytes);
    bytes[0] = 2;
    EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kUnimplemented);
  }
}

TEST(ImportCodec, ADeclaredCountAllocatesNothing) {
  std::string bytes;
  EncodeCommand(CommandOf(Import{}), bytes);
  bytes.pop_back();
  bytes += std::string(9, '\xff') + '\x01';
  EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bellwether::coord::tree
