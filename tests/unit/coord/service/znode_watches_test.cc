#include "coord/service/znode_watches.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/recording_watcher.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Table = ZnodeWatches::Table;
using Type = tree::Change::Type;

class ZnodeWatchesTest : public testing::Test {
 protected:
  static tree::Change ChangeOf(Type type, std::string path, tree::AclPtr access = {}) {
    tree::Change change;
    change.type = type;
    change.zxid = Zxid(17);
    change.path = std::move(path);
    change.access = std::move(access);
    return change;
  }
  void Fire(const std::vector<tree::Change>& changes) { watches_.Fire(changes, woken_); }
  void FireSet(const std::string& path) { Fire({ChangeOf(Type::kChanged, path)}); }
  void FireCreate(const std::string& parent, const std::string& path) {
    Fire({ChangeOf(Type::kCreated, path), ChangeOf(Type::kChildren, parent)});
  }
  void FireDelete(const std::string& parent, const std::string& path) {
    Fire({ChangeOf(Type::kDeleted, path), ChangeOf(Type::kChildren, parent)});
  }

  ZnodeWatches watches_{{5, 8}};
  std::shared_ptr<RecordingWatcher> a_ = std::make_shared<RecordingWatcher>();
  std::shared_ptr<RecordingWatcher> b_ = std::make_shared<RecordingWatcher>();
  WakeList woken_;
};

// ---- One-shot watches (Z27, Z28) ----

TEST_F(ZnodeWatchesTest, AOneShotWatchFiresOnce) {
  watches_.Add(Table::kData, "/a", a_);
  FireSet("/a");
  FireSet("/a");
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
  EXPECT_EQ(woken_.size(), 1u);
  EXPECT_EQ(watches_.count(), 0u);
}

// Z34.
TEST_F(ZnodeWatchesTest, AnEventHasTheZxidOfItsChange) {
  watches_.Add(Table::kData, "/a", a_);
  FireSet("/a");
  EXPECT_THAT(a_->zxids, ElementsAre(17));
}

TEST_F(ZnodeWatchesTest, OnlyWhoAsksForItIsWoken) {
  a_->needs_wake = false;
  watches_.Add(Table::kData, "/a", a_);
  FireSet("/a");
  EXPECT_EQ(a_->events.size(), 1u);
  EXPECT_THAT(woken_, IsEmpty());
}

// Z28.
TEST_F(ZnodeWatchesTest, SettingTwiceIsSettingOnce) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kData, "/a", a_);
  EXPECT_EQ(watches_.count(), 1u);
  FireSet("/a");
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
}

// Z27: also, what sets data tells nothing to the parent's watchers.
TEST_F(ZnodeWatchesTest, DataDoesNotFireForChildrenNorChildrenForData) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kChild, "/a", b_);
  FireCreate("/a", "/a/x");
  EXPECT_THAT(a_->events, IsEmpty());
  EXPECT_THAT(b_->events, ElementsAre("children /a"));
  watches_.Add(Table::kChild, "/a", b_);
  FireSet("/a");
  FireSet("/a/x");
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
  EXPECT_EQ(b_->events.size(), 1u);
}

// Z27.
TEST_F(ZnodeWatchesTest, ACreationTellsTheZnodesWatchersThenTheParents) {
  watches_.Add(Table::kChild, "/p", a_);
  watches_.Add(Table::kData, "/p/a", a_);
  FireCreate("/p", "/p/a");
  EXPECT_THAT(a_->events, ElementsAre("created /p/a", "children /p"));
}

// Z27.
TEST_F(ZnodeWatchesTest, ADeletionTellsEachWatcherOnceThenTheParents) {
  watches_.Add(Table::kData, "/p/a", a_);
  watches_.Add(Table::kChild, "/p/a", a_);
  watches_.Add(Table::kChild, "/p/a", b_);
  watches_.Add(Table::kChild, "/p", b_);
  FireDelete("/p", "/p/a");
  EXPECT_THAT(a_->events, ElementsAre("deleted /p/a"));
  EXPECT_THAT(b_->events, ElementsAre("deleted /p/a", "children /p"));
  EXPECT_EQ(watches_.count(), 0u);
}

// Z24: one event for each operation, in order, while the watch is there.
TEST_F(ZnodeWatchesTest, AllChangesOfATransactionAreTold) {
  watches_.AddPersistent("/a", false, a_);
  Fire({ChangeOf(Type::kCreated, "/a"), ChangeOf(Type::kChildren, "/"),
        ChangeOf(Type::kChanged, "/a"), ChangeOf(Type::kDeleted, "/a"),
        ChangeOf(Type::kChildren, "/")});
  EXPECT_THAT(a_->events, ElementsAre("created /a", "changed /a", "deleted /a"));
}

// ---- Persistent and recursive watches (Z29) ----

TEST_F(ZnodeWatchesTest, APersistentWatchIsInBothTablesAndStays) {
  watches_.AddPersistent("/a", false, a_);
  EXPECT_EQ(watches_.count(), 2u);
  FireCreate("/", "/a");
  FireCreate("/a", "/a/x");
  FireSet("/a");
  FireSet("/a/x");
  FireDelete("/a", "/a/x");
  FireDelete("/", "/a");
  EXPECT_THAT(a_->events, ElementsAre("created /a", "children /a", "changed /a", "children /a",
                                      "deleted /a"));
  EXPECT_EQ(watches_.count(), 2u);
}

TEST_F(ZnodeWatchesTest, ARecursiveWatchTellsThePathThatChangedAndNoChildren) {
  watches_.AddPersistent("/a", true, a_);
  EXPECT_EQ(watches_.count(), 1u);
  FireCreate("/", "/a");
  FireCreate("/a", "/a/x");
  FireCreate("/a/x", "/a/x/y");
  FireSet("/a/x/y");
  FireDelete("/a/x", "/a/x/y");
  EXPECT_THAT(a_->events, ElementsAre("created /a", "created /a/x", "created /a/x/y",
                                      "changed /a/x/y", "deleted /a/x/y"));
}

TEST_F(ZnodeWatchesTest, ARecursiveWatchIsNotForSiblingsOrAncestors) {
  watches_.AddPersistent("/a/b", true, a_);
  FireSet("/a/bc");
  FireSet("/a/bc/d");
  FireSet("/a");
  FireSet("/");
  EXPECT_THAT(a_->events, IsEmpty());
}

TEST_F(ZnodeWatchesTest, ARecursiveWatchOnTheRootIsForAll) {
  watches_.AddPersistent("/", true, a_);
  FireSet("/");
  FireSet("/a");
  FireSet("/a/b/c");
  EXPECT_THAT(a_->events, ElementsAre("changed /", "changed /a", "changed /a/b/c"));
}

TEST_F(ZnodeWatchesTest, APersistentWatchAboveIsNotForWhatIsBelow) {
  watches_.AddPersistent("/", true, b_);  // so that ancestors are looked at
  watches_.AddPersistent("/a", false, a_);
  FireSet("/a/b");
  EXPECT_THAT(a_->events, IsEmpty());
}

TEST_F(ZnodeWatchesTest, OneTableTellsAWatcherOnceHoweverManyWatchesItHas) {
  watches_.AddPersistent("/", true, a_);
  watches_.AddPersistent("/a", true, a_);
  watches_.AddPersistent("/a", false, a_);
  watches_.Add(Table::kData, "/a", a_);
  FireSet("/a");
  EXPECT_THAT(a_->TakeEvents(), ElementsAre("changed /a"));
  // The one-shot watch is gone, the others are not.
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kData, *a_));
  FireSet("/a");
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
}

// Z27, Z29.
TEST_F(ZnodeWatchesTest, ADeletionSeenFromAboveIsNotToldAgainByTheChildTable) {
  watches_.AddPersistent("/", true, a_);
  watches_.Add(Table::kChild, "/a", a_);
  FireDelete("/", "/a");
  EXPECT_THAT(a_->events, ElementsAre("deleted /a"));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kChildren, *a_));
}

// ---- Who may see (Z32) ----

TEST_F(ZnodeWatchesTest, WhoMayNotReadTheZnodeIsNotToldAndHasLostAOneShotWatch) {
  const auto friend_of = std::make_shared<RecordingWatcher>("f:1");
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kData, "/a", friend_of);
  Fire({ChangeOf(Type::kChanged, "/a", AccessOf("f:1", tree::kRead))});
  EXPECT_THAT(a_->events, IsEmpty());
  EXPECT_THAT(friend_of->events, ElementsAre("changed /a"));
  EXPECT_EQ(watches_.count(), 0u);
  EXPECT_EQ(woken_.size(), 1u);
}

TEST_F(ZnodeWatchesTest, OtherPermissionsAreNotEnoughToBeTold) {
  const auto writer = std::make_shared<RecordingWatcher>("f:1");
  watches_.AddPersistent("/", true, writer);
  Fire({ChangeOf(Type::kChanged, "/a", AccessOf("f:1", tree::kAllPermissions & ~tree::kRead))});
  EXPECT_THAT(writer->events, IsEmpty());
}

// As ZooKeeper: who was left out for the ACL counts as told.
TEST_F(ZnodeWatchesTest, ADeletionThatMayNotBeSeenIsNotToldByTheChildTableEither) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kChild, "/a", a_);
  Fire({ChangeOf(Type::kDeleted, "/a", AccessOf("f:1", tree::kRead))});
  EXPECT_THAT(a_->events, IsEmpty());
  EXPECT_EQ(watches_.count(), 0u);
}

// ---- Removing (Z33) ----

TEST_F(ZnodeWatchesTest, WatchesAreFoundByTheirKind) {
  watches_.Add(Table::kData, "/a", a_);
  EXPECT_TRUE(watches_.Contains("/a", WatchKind::kData, *a_));
  EXPECT_TRUE(watches_.Contains("/a", WatchKind::kAny, *a_));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kChildren, *a_));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kPersistent, *a_));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kRecursive, *a_));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kAny, *b_));
  EXPECT_FALSE(watches_.Contains("/b", WatchKind::kAny, *a_));
}

TEST_F(ZnodeWatchesTest, APersistentWatchIsNotFoundAsAOneShotOne) {
  watches_.AddPersistent("/a", false, a_);
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kData, *a_));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kChildren, *a_));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kRecursive, *a_));
  EXPECT_TRUE(watches_.Contains("/a", WatchKind::kPersistent, *a_));
}

TEST_F(ZnodeWatchesTest, RemovingOneKindLeavesTheOthers) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kChild, "/a", a_);
  watches_.AddPersistent("/a", false, a_);
  watches_.AddPersistent("/a", true, a_);
  EXPECT_EQ(watches_.count(), 2u);
  EXPECT_TRUE(watches_.Remove("/a", WatchKind::kPersistent, *a_));
  EXPECT_FALSE(watches_.Remove("/a", WatchKind::kPersistent, *a_));
  EXPECT_TRUE(watches_.Contains("/a", WatchKind::kData, *a_));
  EXPECT_TRUE(watches_.Contains("/a", WatchKind::kChildren, *a_));
  EXPECT_TRUE(watches_.Remove("/a", WatchKind::kChildren, *a_));
  EXPECT_EQ(watches_.count(), 1u);
  EXPECT_TRUE(watches_.Remove("/a", WatchKind::kRecursive, *a_));
  FireSet("/a/x");
  FireSet("/a");
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
}

TEST_F(ZnodeWatchesTest, RemovingAnyKindRemovesAllOfThatPathAndWatcherOnly) {
  watches_.Add(Table::kChild, "/a", a_);
  watches_.AddPersistent("/a", false, a_);
  watches_.AddPersistent("/a", true, a_);
  watches_.Add(Table::kData, "/b", a_);
  watches_.Add(Table::kData, "/a", b_);
  EXPECT_TRUE(watches_.Remove("/a", WatchKind::kAny, *a_));
  EXPECT_EQ(watches_.count(), 2u);
  EXPECT_FALSE(watches_.Remove("/a", WatchKind::kAny, *a_));
  FireSet("/a");
  EXPECT_THAT(a_->events, IsEmpty());
  EXPECT_THAT(b_->events, ElementsAre("changed /a"));
}

TEST_F(ZnodeWatchesTest, AKindThatIsNoneIsNotFound) {
  watches_.AddPersistent("/a", false, a_);
  EXPECT_FALSE(watches_.Contains("/a", static_cast<WatchKind>(9), *a_));
  EXPECT_FALSE(watches_.Remove("/a", static_cast<WatchKind>(9), *a_));
}

// R36.
TEST_F(ZnodeWatchesTest, WatchesDieWithTheirWatcher) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kChild, "/a", a_);
  watches_.AddPersistent("/", true, a_);
  watches_.AddPersistent("/c", false, a_);
  watches_.Add(Table::kData, "/a", b_);
  watches_.RemoveAll(*a_);
  EXPECT_EQ(watches_.count(), 1u);
  FireDelete("/", "/a");
  EXPECT_THAT(a_->events, IsEmpty());
  EXPECT_THAT(b_->events, ElementsAre("deleted /a"));
}

TEST_F(ZnodeWatchesTest, ForgetsTheWatcherItself) {
  watches_.Add(Table::kData, "/a", a_);
  EXPECT_GT(a_.use_count(), 1);
  FireSet("/a");
  woken_.clear();
  watches_.RemoveAll(*a_);
  EXPECT_EQ(a_.use_count(), 1);
}

// ---- Bounds ----

TEST_F(ZnodeWatchesTest, AreBoundedPerWatcherAndInAll) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(watches_.Add(Table::kData, std::to_string(i), a_));
  EXPECT_FALSE(watches_.Add(Table::kData, "one too many", a_));
  EXPECT_TRUE(watches_.Add(Table::kData, "0", a_));
  EXPECT_TRUE(watches_.AddPersistent("0", true, a_));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(watches_.Add(Table::kChild, std::to_string(i), b_));
  EXPECT_FALSE(watches_.Add(Table::kChild, "one too many", b_));
  watches_.RemoveAll(*a_);
  EXPECT_TRUE(watches_.Add(Table::kChild, "room again", b_));
}

TEST_F(ZnodeWatchesTest, APersistentWatchNeedsRoomInBothTables) {
  for (int i = 0; i < 4; ++i) watches_.Add(Table::kData, std::to_string(i), a_);
  EXPECT_FALSE(watches_.AddPersistent("/a", false, a_));
  EXPECT_FALSE(watches_.Contains("/a", WatchKind::kAny, *a_));
  EXPECT_TRUE(watches_.AddPersistent("0", false, a_));
}

// Many watches of long paths would take much more than many watches.
TEST(ZnodeWatchesBytes, OfPathsAreBoundedPerWatcherAndInAll) {
  base::Counter refused;
  ZnodeWatches watches({100, 100, /*path_bytes_per_watcher_max=*/10, /*path_bytes_max=*/15},
                       &refused);
  const auto a = std::make_shared<RecordingWatcher>();
  const auto b = std::make_shared<RecordingWatcher>();
  EXPECT_TRUE(watches.Add(Table::kData, "/12345678", a));
  EXPECT_TRUE(watches.AddPersistent("/12345678", false, a)) << "the same path";
  EXPECT_FALSE(watches.Add(Table::kData, "/1", a));
  EXPECT_TRUE(watches.Add(Table::kChild, "/12345678", b)) << "which is there";
  EXPECT_EQ(watches.path_bytes(), 9u);
  EXPECT_FALSE(watches.Add(Table::kData, "/1", b));
  EXPECT_TRUE(watches.Remove("/12345678", WatchKind::kAny, *b));
  EXPECT_TRUE(watches.Add(Table::kData, "/12345", b));
  EXPECT_FALSE(watches.Add(Table::kData, "/1", b)) << "in all";
  EXPECT_EQ(refused.value(), 3u);
  watches.RemoveAll(*a);
  EXPECT_EQ(watches.path_bytes(), 6u);
  EXPECT_TRUE(watches.Add(Table::kData, "/1", b));
}

TEST(ZnodeWatchesBytes, OfPathsWhoseWatchesFiredAreFree) {
  ZnodeWatches watches({100, 100, 10, 10});
  const auto a = std::make_shared<RecordingWatcher>();
  watches.Add(Table::kData, "/12345678", a);
  watches.Add(Table::kChild, "/12345678", a);
  WakeList woken;
  tree::Change change;
  change.path = "/12345678";
  change.type = Type::kChanged;
  watches.Fire({change}, woken);
  EXPECT_FALSE(watches.Add(Table::kData, "/12", a)) << "the child watch is still there";
  change.type = Type::kDeleted;
  watches.Fire({change}, woken);
  EXPECT_EQ(watches.path_bytes(), 0u);
  EXPECT_TRUE(watches.Add(Table::kData, "/abcdefgh", a));
}

TEST_F(ZnodeWatchesTest, LongerRecursiveWatchesThatAreGoneAreNoneLess) {
  watches_.AddPersistent("/a/b/c", true, b_);
  watches_.AddPersistent("/a", true, a_);
  watches_.RemoveAll(*b_);
  FireSet("/a/b/c/d");
  watches_.RemoveAll(*a_);
  watches_.AddPersistent("/a/b", true, a_);
  FireSet("/a/b/c/d");
  EXPECT_THAT(a_->events, ElementsAre("changed /a/b/c/d", "changed /a/b/c/d"));
}

TEST_F(ZnodeWatchesTest, APathThatNoZnodeCanHaveIsRefused) {
  EXPECT_TRUE(watches_.Add(Table::kData, std::string(tree::kPathBytesMax, 'x'), a_));
  EXPECT_FALSE(watches_.Add(Table::kData, std::string(tree::kPathBytesMax + 1, 'x'), a_));
}

// ---- What people are told (Z56) ----

TEST_F(ZnodeWatchesTest, TheSummaryIsOfTheDataTable) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kData, "/a", b_);
  watches_.AddPersistent("/b", false, a_);
  watches_.Add(Table::kChild, "/c", b_);
  ZnodeWatches::Summary summary = watches_.Summarize();
  EXPECT_EQ(summary.watchers, 2u);
  EXPECT_EQ(summary.paths, 2u);
  EXPECT_EQ(summary.watches, 3u);
  FireSet("/a");
  summary = watches_.Summarize();
  EXPECT_EQ(summary.watchers, 1u);
  EXPECT_EQ(summary.paths, 1u);
  EXPECT_EQ(summary.watches, 1u);
}

TEST_F(ZnodeWatchesTest, TheListIsSortedAndBounded) {
  a_->session_id = SessionId(2);
  b_->session_id = SessionId(1);
  watches_.Add(Table::kData, "/b", a_);
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kData, "/c", b_);
  watches_.Add(Table::kChild, "/d", b_);
  const ZnodeWatches::Listing all = watches_.List(1000);
  EXPECT_THAT(all.watches, ElementsAre(Pair(SessionId(1), "/c"), Pair(SessionId(2), "/a"),
                                       Pair(SessionId(2), "/b")));
  EXPECT_FALSE(all.more);
  const ZnodeWatches::Listing some = watches_.List(120);
  EXPECT_EQ(some.watches.size(), 2u);
  EXPECT_TRUE(some.more);
}

}  // namespace
}  // namespace bellwether::coord
