#include "coord/service/one_shot_watches.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Table = OneShotWatches::Table;
using Type = tree::Change::Type;

class Recorder : public OneShotWatcher {
 public:
  bool QueueEvent(WatchEvent event) override {
    static constexpr const char* kNames[] = {"created ", "changed ", "deleted ", "children "};
    events.push_back(kNames[static_cast<int>(event.type)] + event.path);
    return true;
  }
  void PostWake() override {}

  std::vector<std::string> events;
};

class OneShotWatchesTest : public testing::Test {
 protected:
  static tree::Change ChangeOf(Type type, std::string path) {
    tree::Change change;
    change.type = type;
    change.path = std::move(path);
    return change;
  }
  void Fire(std::vector<tree::Change> changes) { watches_.Fire(changes, woken_); }
  void FireCreate(const std::string& parent, const std::string& path) {
    Fire({ChangeOf(Type::kCreated, path), ChangeOf(Type::kChildren, parent)});
  }
  void FireDelete(const std::string& parent, const std::string& path) {
    Fire({ChangeOf(Type::kDeleted, path), ChangeOf(Type::kChildren, parent)});
  }

  OneShotWatches watches_{5, 8};
  std::shared_ptr<Recorder> a_ = std::make_shared<Recorder>();
  std::shared_ptr<Recorder> b_ = std::make_shared<Recorder>();
  WakeList woken_;
};

TEST_F(OneShotWatchesTest, FiresOnce) {
  watches_.Add(Table::kData, "/a", a_);
  Fire({ChangeOf(Type::kChanged, "/a")});
  Fire({ChangeOf(Type::kChanged, "/a")});
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
  EXPECT_EQ(woken_.size(), 1u);
  EXPECT_EQ(watches_.count(), 0u);
}

TEST_F(OneShotWatchesTest, SettingTwiceIsSettingOnce) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kData, "/a", a_);
  EXPECT_EQ(watches_.count(), 1u);
  Fire({ChangeOf(Type::kChanged, "/a")});
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
}

TEST_F(OneShotWatchesTest, DataDoesNotFireForChildrenNorChildrenForData) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kChild, "/a", b_);
  FireCreate("/a", "/a/x");
  EXPECT_THAT(a_->events, IsEmpty());
  EXPECT_THAT(b_->events, ElementsAre("children /a"));
  watches_.Add(Table::kChild, "/a", b_);
  Fire({ChangeOf(Type::kChanged, "/a")});
  EXPECT_THAT(a_->events, ElementsAre("changed /a"));
  EXPECT_EQ(b_->events.size(), 1u);
}

TEST_F(OneShotWatchesTest, ADeletionTellsEachWatcherOnce) {
  watches_.Add(Table::kData, "/p/a", a_);
  watches_.Add(Table::kChild, "/p/a", a_);
  watches_.Add(Table::kChild, "/p/a", b_);
  watches_.Add(Table::kChild, "/p", b_);
  FireDelete("/p", "/p/a");
  EXPECT_THAT(a_->events, ElementsAre("deleted /p/a"));
  EXPECT_THAT(b_->events, ElementsAre("deleted /p/a", "children /p"));
  EXPECT_EQ(watches_.count(), 0u);
}

TEST_F(OneShotWatchesTest, AWatchOnAMissingZnodeFiresWhenItAppears) {
  watches_.Add(Table::kData, "/a", a_);
  FireCreate("/", "/a");
  EXPECT_THAT(a_->events, ElementsAre("created /a"));
}

// R36.
TEST_F(OneShotWatchesTest, DieWithTheirWatcher) {
  watches_.Add(Table::kData, "/a", a_);
  watches_.Add(Table::kChild, "/a", a_);
  watches_.Add(Table::kData, "/a", b_);
  watches_.RemoveAll(*a_);
  EXPECT_EQ(watches_.count(), 1u);
  FireDelete("/", "/a");
  EXPECT_THAT(a_->events, IsEmpty());
  EXPECT_THAT(b_->events, ElementsAre("deleted /a"));
}

TEST_F(OneShotWatchesTest, AreBoundedPerWatcherAndInAll) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(watches_.Add(Table::kData, std::to_string(i), a_));
  EXPECT_FALSE(watches_.Add(Table::kData, "one too many", a_));
  EXPECT_TRUE(watches_.Add(Table::kData, "0", a_));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(watches_.Add(Table::kChild, std::to_string(i), b_));
  EXPECT_FALSE(watches_.Add(Table::kChild, "one too many", b_));
  watches_.RemoveAll(*a_);
  EXPECT_TRUE(watches_.Add(Table::kChild, "room again", b_));
}

}  // namespace
}  // namespace bellwether::coord
