#include "coord/service/watch_hub.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/recording_watcher.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NobodyToWake : public Wakeable {
 public:
  void PostWake() override {}
};

// Keeps the zxids of the sets that it queued, and counts how often it was asked.
class CountingWatcher : public HubWatcher {
 public:
  CountingWatcher(std::vector<std::string> paths, bool recursive, bool may_see = true)
      : may_see_(may_see) {
    filter_.paths = std::move(paths);
    filter_.recursive = recursive;
    filter_.Normalize();
  }

  const WatchFilter& filter() const override { return filter_; }
  bool wants_prompt_progress() const override { return false; }
  Queued QueueChanges(const ChangeSetPtr& set, const tree::Change* judged) override {
    ++asked;
    if (!queued.empty() && queued.back() == set->zxid.value()) return Queued::kYes;
    // Who may see nothing may still see what is open.
    if (judged != nullptr && !may_see_ && judged->access) return Queued::kNot;
    queued.push_back(set->zxid.value());
    if (judged == nullptr) ++unjudged;
    return Queued::kWake;
  }
  bool QueueProgress(Zxid, bool) override { return false; }
  void PostWake() override {}

  size_t asked = 0;
  size_t unjudged = 0;
  std::vector<int64_t> queued;

 private:
  WatchFilter filter_;
  const bool may_see_;
};

class WatchHubTest : public testing::Test {
 protected:
  std::shared_ptr<CountingWatcher> Watch(std::vector<std::string> paths, bool recursive,
                                         bool may_see = true) {
    auto watcher = std::make_shared<CountingWatcher>(std::move(paths), recursive, may_see);
    hub_.Subscribe(watcher, Zxid());
    return watcher;
  }
  static tree::Change ChangeOf(std::string path, tree::AclPtr access = {}) {
    tree::Change change;
    change.type = tree::Change::Type::kChanged;
    change.path = std::move(path);
    change.access = std::move(access);
    return change;
  }
  void Publish(std::vector<tree::Change> changes) {
    woken_.clear();
    hub_.Publish(++zxid_, std::move(changes), woken_);
  }

  base::Counter forgotten_;
  WatchHub hub_{1'000'000, 1 << 30, std::make_shared<NobodyToWake>(), forgotten_};
  Zxid zxid_;
  WakeList woken_;
};

TEST_F(WatchHubTest, TellsWhoWatchesThePathAndWhoWatchesFromAbove) {
  const auto exact = Watch({"/a/b"}, false);
  const auto above = Watch({"/a"}, true);
  const auto root = Watch({"/"}, true);
  const auto other = Watch({"/a/bc", "/a"}, false);
  Publish({ChangeOf("/a/b")});
  EXPECT_THAT(exact->queued, ElementsAre(1));
  EXPECT_THAT(above->queued, ElementsAre(1));
  EXPECT_THAT(root->queued, ElementsAre(1));
  EXPECT_THAT(other->queued, IsEmpty());
  EXPECT_EQ(woken_.size(), 3u);
}

// All of it is under the exclusive hold of the tree.
TEST_F(WatchHubTest, WatchersAreAskedOnceForASetHoweverManyChangesItHas) {
  std::vector<std::shared_ptr<CountingWatcher>> watchers;
  for (int i = 0; i < 100; ++i) watchers.push_back(Watch({"/"}, true));
  std::vector<tree::Change> changes;
  for (int i = 0; i < 1'000; ++i) changes.push_back(ChangeOf(fmt::format("/n{}", i)));
  Publish(std::move(changes));
  for (const auto& watcher : watchers) {
    EXPECT_EQ(watcher->asked, 1u);
    EXPECT_THAT(watcher->queued, ElementsAre(1));
  }
  Publish({ChangeOf("/a")});
  EXPECT_THAT(watchers[0]->queued, ElementsAre(1, 2));
}

TEST_F(WatchHubTest, WhoMayNotSeeTheFirstChangeIsAskedAboutOthers) {
  const auto watcher = Watch({"/"}, true, /*may_see=*/false);
  const tree::AclPtr secret = AccessOf("f:1", tree::kRead);
  Publish({ChangeOf("/a", secret), ChangeOf("/b", secret), ChangeOf("/c")});
  EXPECT_THAT(watcher->queued, ElementsAre(1));
  EXPECT_EQ(watcher->asked, 2u) << "once for each ACL";
  EXPECT_EQ(watcher->unjudged, 0u);
  Publish({ChangeOf("/a", secret)});
  EXPECT_THAT(watcher->queued, ElementsAre(1));
}

TEST_F(WatchHubTest, ManyAclsAreNotLookedAtForEachWatcher) {
  const auto watcher = Watch({"/"}, true, /*may_see=*/false);
  std::vector<tree::Change> changes;
  for (int i = 0; i < 1'000; ++i) {
    changes.push_back(ChangeOf(fmt::format("/n{}", i), AccessOf(fmt::format("u{}:1", i), 1)));
  }
  Publish(std::move(changes));
  EXPECT_LT(watcher->asked, 30u);
  EXPECT_EQ(watcher->unjudged, 1u) << "it decides when its client takes them";
}

TEST_F(WatchHubTest, WhatNobodyWatchedIsThereForWhoResumes) {
  Publish({ChangeOf("/a"), ChangeOf("/b")});
  Publish({ChangeOf("/a")});
  Publish({ChangeOf("/b")});
  const auto late = std::make_shared<CountingWatcher>(std::vector<std::string>{"/b"}, false);
  EXPECT_TRUE(hub_.Subscribe(late, Zxid(1)).from_ring);
  Publish({ChangeOf("/b")});
  EXPECT_THAT(late->queued, ElementsAre(3, 4));
}

TEST_F(WatchHubTest, AllWhoReadTheRingShareItsSets) {
  Publish({ChangeOf("/a"), ChangeOf("/b")});
  const size_t changes = hub_.ring_changes();
  const size_t bytes = hub_.ring_bytes();
  const std::vector<ChangeSetPtr> sets = hub_.RingAfter(Zxid(), 10);
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_EQ(sets[0]->changes.size(), 2u);
  EXPECT_EQ(sets[0]->bytes, bytes);
  EXPECT_EQ(hub_.RingAfter(Zxid(), 10), sets);
  EXPECT_EQ(hub_.ring_changes(), changes);
  EXPECT_EQ(hub_.ring_bytes(), bytes);
}

TEST_F(WatchHubTest, LongerWatchesThatAreGoneAreNoneLess) {
  const auto deep = Watch({"/a/b/c"}, true);
  const auto shallow = Watch({"/a"}, true);
  hub_.Unsubscribe(*deep);
  Publish({ChangeOf("/a/b/c/d")});
  hub_.Unsubscribe(*shallow);
  const auto again = Watch({"/a/b"}, true);
  Publish({ChangeOf("/a/b/c/d")});
  EXPECT_THAT(deep->queued, IsEmpty());
  EXPECT_THAT(shallow->queued, ElementsAre(1));
  EXPECT_THAT(again->queued, ElementsAre(2));
}

}  // namespace
}  // namespace bellwether::coord
