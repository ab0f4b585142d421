#include <string>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;

TEST(Znode, FreshTreeHasOnlyTheRoot) {
  StateMachine state;
  ASSERT_TRUE(state.Get("/").has_value());
  EXPECT_EQ(state.Get("/")->stat, Stat());
  EXPECT_TRUE(state.Get("/")->data.is_null());
  EXPECT_EQ(state.znode_count(), 1u);
  EXPECT_EQ(state.zxid(), Zxid(0));
}

// Z5.
TEST(Znode, NewOneIsStampedWithItsCommand) {
  Machine machine;
  machine.time_ms = 5000;
  const Result result = machine.Create("/a", "abc");
  Stat expected;
  expected.czxid = expected.mzxid = expected.pzxid = result.zxid;
  expected.ctime_ms = expected.mtime_ms = 5000;
  expected.data_length = 3;
  EXPECT_EQ(result.code, ResultCode::kOk);
  EXPECT_EQ(result.path, "/a");
  EXPECT_EQ(result.stat, expected);
  EXPECT_EQ(machine.StatOf("/a"), expected);
}

// Z2, Z4, Z5.
TEST(Znode, ChildrenChangeOnlyCversionAndPzxidOfTheParent) {
  Machine machine;
  machine.Create("/a", "x");
  Stat expected = machine.StatOf("/a");
  machine.time_ms = 9000;

  expected.pzxid = machine.Create("/a/b").zxid;
  expected.cversion = 1;
  expected.num_children = 1;
  EXPECT_EQ(machine.StatOf("/a"), expected);

  machine.Set("/a/b", "child data");
  EXPECT_EQ(machine.StatOf("/a"), expected);

  expected.pzxid = machine.Remove("/a/b").zxid;
  expected.cversion = 2;
  expected.num_children = 0;
  EXPECT_EQ(machine.StatOf("/a"), expected);
}

// Z1.
TEST(Znode, SettingTheSameBytesStillRaisesTheVersion) {
  Machine machine;
  machine.Create("/a", "x");
  const Stat before = machine.StatOf("/a");
  machine.time_ms = 7000;
  const Result result = machine.Set("/a", "x");
  Stat expected = before;
  expected.version = 1;
  expected.mzxid = result.zxid;
  expected.mtime_ms = 7000;
  EXPECT_EQ(result.stat, expected);
  EXPECT_EQ(machine.StatOf("/a"), expected);
}

// Z21.
TEST(Znode, NullAndEmptyDataAreDifferent) {
  Machine machine;
  machine.Do(Create{"/null", {}, CreateMode::kPersistent});
  machine.Create("/empty", "");
  EXPECT_TRUE(machine.state.Get("/null")->data.is_null());
  EXPECT_FALSE(machine.state.Get("/empty")->data.is_null());
  EXPECT_EQ(machine.StatOf("/null").data_length, 0);
  EXPECT_EQ(machine.StatOf("/empty").data_length, 0);
  machine.Do(SetData{"/empty", {}, kAnyVersion});
  EXPECT_TRUE(machine.state.Get("/empty")->data.is_null());
}

// Z6.
TEST(Znode, EphemeralNamesItsOwner) {
  Machine machine;
  machine.Create("/e", "", CreateMode::kEphemeral);
  EXPECT_EQ(machine.StatOf("/e").ephemeral_owner, machine.session);
  EXPECT_THAT(machine.state.Ephemerals(machine.session), ElementsAre("/e"));
  machine.Remove("/e");
  EXPECT_THAT(machine.state.Ephemerals(machine.session), ElementsAre());
}

// Z7.
TEST(Znode, FailedCommandTakesAZxidAndChangesNothing) {
  Machine machine;
  machine.Create("/a");
  const Stat before = machine.StatOf("/a");
  const Stat root = machine.StatOf("/");
  const Result result = machine.Set("/a", "x", 5);
  EXPECT_EQ(result.code, ResultCode::kBadVersion);
  EXPECT_EQ(result.zxid, before.czxid + 1);
  EXPECT_EQ(machine.state.zxid(), result.zxid);
  EXPECT_FALSE(result.stat.has_value());
  EXPECT_EQ(machine.StatOf("/a"), before);
  EXPECT_EQ(machine.StatOf("/"), root);
}

// Z11.
TEST(SequentialZnode, NumberCountsEveryCreationInTheParent) {
  Machine machine;
  machine.Create("/q");
  machine.Create("/q/a");
  EXPECT_EQ(machine.Create("/q/s-", "", CreateMode::kPersistentSequential).path,
            "/q/s-0000000001");
  machine.Remove("/q/a");
  machine.Remove("/q/s-0000000001");
  EXPECT_EQ(machine.Create("/q/s-", "", CreateMode::kEphemeralSequential).path,
            "/q/s-0000000002");
  EXPECT_EQ(machine.StatOf("/q/s-0000000002").ephemeral_owner, machine.session);
}

TEST(SequentialZnode, FailedCreationTakesNoNumber) {
  Machine machine;
  machine.Create("/q");
  machine.Create("/q/x");
  EXPECT_EQ(machine.CreateCode("/q/x"), ResultCode::kNodeExists);
  EXPECT_EQ(machine.Create("/q/", "", CreateMode::kPersistentSequential).path, "/q/0000000001");
}

// Z12.
TEST(SequentialZnode, NameMayBeOnlyDigits) {
  Machine machine;
  EXPECT_EQ(machine.Create("/", "", CreateMode::kPersistentSequential).path, "/0000000000");
  EXPECT_EQ(machine.CreateCode("/a/"), ResultCode::kNoNode);
  machine.Create("/a");
  EXPECT_EQ(machine.CreateCode("/a/"), ResultCode::kBadArguments);
  EXPECT_EQ(machine.Create("/a/", "", CreateMode::kPersistentSequential).path, "/a/0000000000");
}

TEST(SequentialZnode, TakenNameIsAnError) {
  Machine machine;
  machine.Create("/s0000000001");
  EXPECT_EQ(machine.Create("/s", "", CreateMode::kPersistentSequential).code,
            ResultCode::kNodeExists);
}

// Z13: the first check that fails decides.
TEST(CreateOrder, ModeBeforePath) {
  Machine machine;
  for (const int mode : {4, 5, 7, 255}) {
    EXPECT_EQ(machine.Do(Create{"/missing/x", {}, static_cast<CreateMode>(mode)}).code,
              ResultCode::kBadArguments);
  }
}

TEST(CreateOrder, SlashAndNulBeforeParent) {
  Machine machine;
  EXPECT_EQ(machine.CreateCode("missing"), ResultCode::kBadArguments);
  EXPECT_EQ(machine.CreateCode(std::string("/missing/a\0", 11)), ResultCode::kBadArguments);
}

TEST(CreateOrder, ParentBeforeFullPathValidation) {
  Machine machine;
  EXPECT_EQ(machine.CreateCode("/missing/.."), ResultCode::kNoNode);
  EXPECT_EQ(machine.CreateCode("/.."), ResultCode::kBadArguments);
  EXPECT_EQ(machine.CreateCode("//x"), ResultCode::kBadArguments);
  machine.Create("/a");
  EXPECT_EQ(machine.CreateCode("/a//b"), ResultCode::kNoNode);
}

TEST(CreateOrder, ExistsBeforeEphemeralParent) {
  Machine machine;
  machine.Create("/e", "", CreateMode::kEphemeral);
  EXPECT_EQ(machine.CreateCode("/e/x"), ResultCode::kNoChildrenForEphemerals);
  EXPECT_EQ(machine.CreateCode("/e/."), ResultCode::kBadArguments);
  EXPECT_EQ(machine.CreateCode("/e"), ResultCode::kNodeExists);
  EXPECT_EQ(machine.StatOf("/e").num_children, 0);
}

// Z14.
TEST(Create, RootExists) {
  Machine machine;
  EXPECT_EQ(machine.CreateCode("/"), ResultCode::kNodeExists);
}

// Z16.
TEST(Create, MakesNoParents) {
  Machine machine;
  EXPECT_EQ(machine.CreateCode("/a/b/c"), ResultCode::kNoNode);
  EXPECT_FALSE(machine.state.Exists("/a").has_value());
}

TEST(Create, RefusesOversizeDataAndPaths) {
  Machine machine;
  EXPECT_EQ(machine.Create("/a", std::string(kDataBytesMax + 1, 'x')).code, ResultCode::kTooLarge);
  EXPECT_EQ(machine.Create("/a", std::string(kDataBytesMax, 'x')).code, ResultCode::kOk);
  EXPECT_EQ(machine.Set("/a", std::string(kDataBytesMax + 1, 'x')).code, ResultCode::kTooLarge);
  EXPECT_EQ(machine.state.data_bytes(), kDataBytesMax);
  const std::string longest = "/" + std::string(kPathBytesMax - 1, 'p');
  EXPECT_EQ(machine.CreateCode(longest + "p"), ResultCode::kBadArguments);
  EXPECT_EQ(machine.Create(longest, "", CreateMode::kPersistentSequential).code,
            ResultCode::kBadArguments);
  EXPECT_EQ(machine.CreateCode(longest), ResultCode::kOk);
}

// Z18.
TEST(Delete, ChecksParentNodeVersionChildrenInThisOrder) {
  Machine machine;
  EXPECT_EQ(machine.Remove("no-slash").code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.Remove("/missing/x").code, ResultCode::kNoNode);
  EXPECT_EQ(machine.Remove("/missing").code, ResultCode::kNoNode);
  machine.Create("/a");
  machine.Create("/a/b");
  EXPECT_EQ(machine.Remove("/a/").code, ResultCode::kNoNode);
  EXPECT_EQ(machine.Remove("/a", 1).code, ResultCode::kBadVersion);
  EXPECT_EQ(machine.Remove("/a", 0).code, ResultCode::kNotEmpty);
  EXPECT_EQ(machine.Remove("/a/b", 0).code, ResultCode::kOk);
  EXPECT_EQ(machine.Remove("/a").code, ResultCode::kOk);
  EXPECT_EQ(machine.state.znode_count(), 1u);
}

// Z14.
TEST(Delete, RefusesTheRoot) {
  Machine machine;
  EXPECT_EQ(machine.Remove("/").code, ResultCode::kBadArguments);
}

// Z19, Z20.
TEST(SetData, ChecksPathNodeVersionInThisOrder) {
  Machine machine;
  EXPECT_EQ(machine.Set("/missing/", "x").code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.Set("/missing", "x", 3).code, ResultCode::kNoNode);
  machine.Create("/a");
  EXPECT_EQ(machine.Set("/a", "x", 1).code, ResultCode::kBadVersion);
  EXPECT_EQ(machine.Set("/a", "x", 0).code, ResultCode::kOk);
  EXPECT_EQ(machine.Set("/a", "x", kAnyVersion).stat->version, 2);
  EXPECT_EQ(machine.Set("/", "root data").code, ResultCode::kOk);
}

TEST(DeleteRecursive, TakesTheWholeSubtreeAndNothingElse) {
  Machine machine;
  for (const char* path : {"/a", "/a/b", "/a/b/c", "/a/d", "/a-", "/ab"}) machine.Create(path);
  machine.Create("/a/b/e", "", CreateMode::kEphemeral);
  const int32_t cversion = machine.StatOf("/").cversion;
  const Result result = machine.Do(DeleteRecursive{"/a"});
  EXPECT_EQ(result.code, ResultCode::kOk);
  EXPECT_EQ(result.deleted_znodes, 5u);
  EXPECT_THAT(machine.state.Children("/")->names, ElementsAre("a-", "ab"));
  EXPECT_EQ(machine.state.znode_count(), 3u);
  EXPECT_EQ(machine.state.ephemeral_count(), 0u);
  EXPECT_EQ(machine.StatOf("/").cversion, cversion + 1);
  EXPECT_EQ(machine.StatOf("/").pzxid, result.zxid);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

TEST(DeleteRecursive, OfTheRootKeepsTheRoot) {
  Machine machine;
  for (const char* path : {"/a", "/a/b", "/c"}) machine.Create(path);
  const Result result = machine.Do(DeleteRecursive{"/"});
  EXPECT_EQ(result.deleted_znodes, 3u);
  EXPECT_EQ(machine.state.znode_count(), 1u);
  EXPECT_EQ(machine.StatOf("/").cversion, 4);
  EXPECT_EQ(machine.StatOf("/").pzxid, result.zxid);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
  EXPECT_EQ(machine.Do(DeleteRecursive{"/"}).deleted_znodes, 0u);
  EXPECT_EQ(machine.StatOf("/").pzxid, result.zxid);
}

TEST(DeleteRecursive, SaysWhatIsMissing) {
  Machine machine;
  EXPECT_EQ(machine.Do(DeleteRecursive{"/a"}).code, ResultCode::kNoNode);
  EXPECT_EQ(machine.Do(DeleteRecursive{"a"}).code, ResultCode::kBadArguments);
}

// Z48.
TEST(Reads, MalformedPathNamesNoZnode) {
  Machine machine;
  machine.Create("/a");
  for (const char* path : {"", "a", "/a/", "//a", "//", "/./a"}) {
    EXPECT_FALSE(machine.state.Get(path).has_value()) << path;
    EXPECT_FALSE(machine.state.Exists(path).has_value()) << path;
    EXPECT_FALSE(machine.state.Children(path).has_value()) << path;
    EXPECT_FALSE(machine.state.Subtree(path, [](const ZnodeVisit&) { return true; })) << path;
  }
}

TEST(Reads, SubtreeVisitsParentsBeforeChildrenAndCanEndEarly) {
  Machine machine;
  for (const char* path : {"/a", "/a-", "/a/b", "/a/b/c", "/a/a"}) machine.Create(path, path);
  std::vector<std::string> paths;
  EXPECT_TRUE(machine.state.Subtree("/", [&](const ZnodeVisit& visit) {
    paths.emplace_back(visit.path);
    if (visit.path != "/") {
      EXPECT_EQ(visit.data().view(), visit.path);
    }
    return true;
  }));
  EXPECT_THAT(paths, ElementsAre("/", "/a", "/a/a", "/a/b", "/a/b/c", "/a-"));
  paths.clear();
  machine.state.Subtree("/a", [&](const ZnodeVisit& visit) {
    paths.emplace_back(visit.path);
    return paths.size() < 2;
  });
  EXPECT_THAT(paths, ElementsAre("/a", "/a/a"));
}

TEST(Reads, DataOutlivesTheZnode) {
  Machine machine;
  machine.Create("/a", "kept");
  const SharedBytes data = machine.state.Get("/a")->data;
  machine.Remove("/a");
  EXPECT_EQ(data.view(), "kept");
}

}  // namespace
}  // namespace bellwether::coord::tree
