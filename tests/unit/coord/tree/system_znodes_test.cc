#include "coord/tree/system_znodes.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Stat FreshStat(int32_t children) {
  Stat stat;
  stat.num_children = children;
  stat.cversion = -children;
  return stat;
}

// Z3, Z53.
TEST(SystemZnodes, AreAsInZooKeepersFreshTree) {
  Machine machine;
  EXPECT_THAT(Lines(machine.RaiseLevel()),
              ElementsAre("changed /", "created /zookeeper", "children /",
                          "created /zookeeper/config", "children /zookeeper",
                          "created /zookeeper/quota", "children /zookeeper"));
  EXPECT_EQ(machine.StatOf("/"), FreshStat(1));
  EXPECT_EQ(machine.StatOf("/zookeeper"), FreshStat(2));
  EXPECT_EQ(machine.StatOf("/zookeeper/quota"), FreshStat(0));
  Stat config = FreshStat(0);
  config.aversion = -1;
  EXPECT_EQ(machine.StatOf("/zookeeper/config"), config);
  for (const char* path : {"/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"}) {
    EXPECT_EQ(machine.state.Get(path)->data, Data("")) << path;
  }
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// Z53.
TEST(SystemZnodes, ConfigIsForReadingOnly) {
  Machine machine;
  machine.RaiseLevel();
  EXPECT_EQ(machine.state.GetAcl("/zookeeper/config")->acl,
            (Acl{AclEntry{kRead, "world", "anyone"}}));
  EXPECT_EQ(machine.Set("/zookeeper/config", "x").code, ResultCode::kNoAuth);
  EXPECT_EQ(machine.Do(SetAcl{"/zookeeper/config", OpenAcl(), kAnyVersion}).code,
            ResultCode::kNoAuth);
  EXPECT_EQ(machine.CreateCode("/zookeeper/config/a"), ResultCode::kNoAuth);
  EXPECT_EQ(machine.state.GetAcl("/zookeeper")->acl, OpenAcl());
  EXPECT_EQ(machine.state.GetAcl("/zookeeper/quota")->acl, OpenAcl());
}

std::string ConfigIn(const Machine& machine) {
  return std::string(machine.state.Get(kConfigPath)->data.view());
}

// Z53.
TEST(SystemZnodes, ConfigSaysWhoIsInTheEnsemble) {
  Machine machine;
  machine.RaiseLevel(kFeatureLevelRetries);
  const std::string members = "server.1=a:1:2:participant;a:9\n";
  const ApplyOutcome outcome = machine.Apply({}, SetEnsembleConfig{members, 0});
  EXPECT_EQ(outcome.result.code, ResultCode::kOk);
  EXPECT_THAT(Lines(outcome.changes), ElementsAre("changed /zookeeper/config"));
  EXPECT_EQ(ConfigIn(machine), ConfigOf(members, outcome.result.zxid));
  const Stat stat = machine.StatOf(kConfigPath);
  EXPECT_EQ(stat.mzxid, outcome.result.zxid);
  EXPECT_EQ(stat.mtime_ms, machine.time_ms);
  EXPECT_EQ(stat.version, 1);
  EXPECT_EQ(stat.czxid, Zxid());
  EXPECT_EQ(outcome.result.stat, stat);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

TEST(SystemZnodes, ConfigChangesOnceForEachState) {
  Machine machine;
  machine.RaiseLevel(kFeatureLevelRetries);
  machine.Apply({}, SetEnsembleConfig{"server.1=a:1:2:participant\n", 0});
  const std::string first = ConfigIn(machine);
  const auto set = [&machine](std::string members, int32_t version) {
    const ApplyOutcome outcome = machine.Apply({}, SetEnsembleConfig{std::move(members), version});
    EXPECT_THAT(outcome.changes, IsEmpty());
    return outcome.result.code;
  };
  EXPECT_EQ(set("server.1=a:1:2:participant\n", 1), ResultCode::kAlreadySet);
  EXPECT_EQ(set("server.2=b:1:2:participant\n", 0), ResultCode::kBadVersion);
  EXPECT_EQ(set("server.2=b:1:2:participant\n", kAnyVersion), ResultCode::kBadVersion);
  EXPECT_EQ(ConfigIn(machine), first);
}

TEST(SystemZnodes, ConfigIsNotToldBelowItsFeatureLevel) {
  Machine machine;
  machine.RaiseLevel(kFeatureLevelRetries - 1);
  EXPECT_EQ(machine.Apply({}, SetEnsembleConfig{"server.1=a:1:2:participant\n", 0}).result.code,
            ResultCode::kBadArguments);
  EXPECT_EQ(ConfigIn(machine), "");
}

TEST(SystemZnodes, ConfigIsNotMade) {
  Machine machine;
  machine.Create("/zookeeper", "", CreateMode::kEphemeral);
  machine.RaiseLevel(kFeatureLevelRetries);
  EXPECT_EQ(machine.Apply({}, SetEnsembleConfig{"", 0}).result.code, ResultCode::kNoNode);
}

TEST(SystemZnodes, PartsOfAConfigAreFound) {
  const std::string config = ConfigOf("server.1=a:1:2:participant\n", Zxid(0x1f));
  EXPECT_EQ(config, "server.1=a:1:2:participant\nversion=1f");
  EXPECT_EQ(MembersOfConfig(config), "server.1=a:1:2:participant\n");
  EXPECT_EQ(VersionOfConfig(config), Zxid(0x1f));
  EXPECT_EQ(MembersOfConfig("version=1"), "");
  EXPECT_EQ(VersionOfConfig(""), std::nullopt);
  EXPECT_EQ(VersionOfConfig("version=x"), std::nullopt);
  EXPECT_EQ(VersionOfConfig("version="), std::nullopt);
  EXPECT_EQ(MembersOfConfig("what somebody wrote"), "what somebody wrote");
}

// Z3: the first sequential child gets the number 0, as if there was no other.
TEST(SystemZnodes, TakeNoSequenceNumber) {
  Machine machine;
  machine.RaiseLevel();
  EXPECT_EQ(machine.Create("/s-", "", CreateMode::kPersistentSequential).path, "/s-0000000000");
}

// Z14.
TEST(SystemZnodes, CannotBeDeletedOrMadeAgain) {
  Machine machine;
  machine.RaiseLevel();
  for (const char* path : {"/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"}) {
    EXPECT_EQ(machine.Remove(path).code, ResultCode::kBadArguments) << path;
    EXPECT_EQ(machine.CreateCode(path), ResultCode::kNodeExists) << path;
  }
  for (const char* path : {"/zookeeper", "/zookeeper/config", "/zookeeper/quota"}) {
    EXPECT_EQ(machine.Do(DeleteRecursive{path}).code, ResultCode::kBadArguments) << path;
  }
  EXPECT_EQ(machine.state.znode_count(), 4u);
}

TEST(SystemZnodes, StayWhenEverythingElseIsDeleted) {
  Machine machine;
  machine.RaiseLevel();
  for (const char* path : {"/a", "/a/b", "/z", "/zookeeper/own"}) machine.Create(path);
  const ApplyOutcome outcome = machine.Apply(machine.session, DeleteRecursive{"/"});
  EXPECT_EQ(outcome.result.deleted_znodes, 3u);
  EXPECT_THAT(Lines(outcome.changes),
              ElementsAre("deleted /z", "deleted /a/b", "deleted /a", "children /"));
  EXPECT_EQ(machine.StatOf("/").pzxid, machine.state.zxid());
  EXPECT_TRUE(machine.state.Exists("/zookeeper/own").has_value());
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
  EXPECT_THAT(machine.ChangesOf(DeleteRecursive{"/"}), IsEmpty());
}

TEST(SystemZnodes, AreMadeOnce) {
  Machine machine;
  machine.RaiseLevel();
  EXPECT_THAT(machine.RaiseLevel(), IsEmpty());
  EXPECT_THAT(machine.Apply({}, SetFeatureLevel{kFeatureLevelAcls + 1}).changes, IsEmpty());
  EXPECT_EQ(machine.state.feature_level(), kFeatureLevelAcls + 1);
}

TEST(SystemZnodes, LeaveWhatWasThereAsItIs) {
  Machine machine;
  machine.Set("/", "root");
  machine.Create("/zookeeper", "mine");
  machine.Create("/zookeeper/quota", "mine, too");
  const Stat quota = machine.StatOf("/zookeeper/quota");
  machine.RaiseLevel();
  EXPECT_EQ(machine.state.Get("/")->data.view(), "root");
  EXPECT_EQ(machine.state.Get("/zookeeper")->data.view(), "mine");
  EXPECT_EQ(machine.StatOf("/zookeeper/quota"), quota);
  EXPECT_TRUE(machine.state.Exists("/zookeeper/config").has_value());
  EXPECT_EQ(machine.Remove("/zookeeper/quota").code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

TEST(SystemZnodes, AreNotMadeBelowAnEphemeral) {
  Machine machine;
  machine.Create("/zookeeper", "", CreateMode::kEphemeral);
  machine.RaiseLevel();
  EXPECT_EQ(machine.state.znode_count(), 2u);
  EXPECT_EQ(machine.Apply(machine.session, CloseSession{}).result.deleted_znodes, 1u);
  // The next level makes up for it.
  machine.Apply({}, SetFeatureLevel{kFeatureLevelAcls + 1});
  EXPECT_EQ(machine.state.znode_count(), 4u);
}

TEST(SystemZnodes, AreOrdinaryBelowTheirLevel) {
  Machine machine;
  machine.Create("/zookeeper");
  EXPECT_EQ(machine.Remove("/zookeeper").code, ResultCode::kOk);
  machine.Create("/zookeeper");
  EXPECT_EQ(machine.Do(DeleteRecursive{"/"}).deleted_znodes, 1u);
}

}  // namespace
}  // namespace bellwether::coord::tree
