#include <string>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;

// Z27.
TEST(Change, CreationTellsTheZnodeThenItsParent) {
  Machine machine;
  const auto changes = machine.ChangesOf(Create{"/a", Data("x"), CreateMode::kEphemeral});
  ASSERT_THAT(Lines(changes), ElementsAre("created /a", "children /"));
  EXPECT_EQ(changes[0].data.view(), "x");
  EXPECT_EQ(changes[0].stat, machine.StatOf("/a"));
  EXPECT_EQ(changes[0].zxid, machine.state.zxid());
  EXPECT_EQ(changes[1].stat, machine.StatOf("/"));
  EXPECT_TRUE(changes[1].data.is_null());
}

// Z27.
TEST(Change, NewDataTellsOnlyTheZnode) {
  Machine machine;
  machine.Create("/a");
  machine.Create("/a/b");
  const auto changes = machine.ChangesOf(SetData{"/a/b", Data("y"), kAnyVersion});
  ASSERT_THAT(Lines(changes), ElementsAre("changed /a/b"));
  EXPECT_EQ(changes[0].data.view(), "y");
  EXPECT_EQ(changes[0].stat, machine.StatOf("/a/b"));
}

// Z27.
TEST(Change, DeletionTellsTheZnodeThenItsParent) {
  Machine machine;
  machine.Create("/a", "x");
  const Stat last = machine.StatOf("/a");
  const auto changes = machine.ChangesOf(Delete{"/a", kAnyVersion});
  ASSERT_THAT(Lines(changes), ElementsAre("deleted /a", "children /"));
  EXPECT_EQ(changes[0].stat, last);
  EXPECT_TRUE(changes[0].data.is_null());
  EXPECT_EQ(changes[1].stat.pzxid, changes[1].zxid);
}

TEST(Change, RecursiveDeletionTellsDescendantsFirst) {
  Machine machine;
  for (const char* path : {"/t", "/t/a", "/t/a/x", "/t/b"}) machine.Create(path);
  EXPECT_THAT(Lines(machine.ChangesOf(DeleteRecursive{"/t"})),
              ElementsAre("deleted /t/b", "deleted /t/a/x", "deleted /t/a", "deleted /t",
                          "children /"));
  machine.Create("/u");
  EXPECT_THAT(Lines(machine.ChangesOf(DeleteRecursive{"/"})),
              ElementsAre("deleted /u", "children /"));
}

TEST(Change, FailureTellsNothing) {
  Machine machine;
  machine.Create("/a");
  machine.Create("/a/b");
  EXPECT_TRUE(machine.ChangesOf(Create{"/a", {}, CreateMode::kPersistent}).empty());
  EXPECT_TRUE(machine.ChangesOf(Delete{"/a", kAnyVersion}).empty());
  EXPECT_TRUE(machine.ChangesOf(SetData{"/a", {}, 4}).empty());
  EXPECT_TRUE(machine.ChangesOf(DeleteRecursive{"/missing"}).empty());
}

}  // namespace
}  // namespace bellwether::coord::tree
