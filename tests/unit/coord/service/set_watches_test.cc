#include "coord/service/set_watches.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/recording_watcher.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

class SetWatchesTest : public testing::Test {
 protected:
  bool Set(const SetWatches& request) {
    return SetWatchesAgain(request, machine_.state, watcher_, watches_, woken_);
  }
  bool Has(const std::string& path, WatchKind kind) const {
    return watches_.Contains(path, kind, *watcher_);
  }
  Zxid Now() const { return machine_.state.zxid(); }

  tree::Machine machine_;
  ZnodeWatches watches_{{10, 10}};
  std::shared_ptr<RecordingWatcher> watcher_ = std::make_shared<RecordingWatcher>();
  WakeList woken_;
};

// Z31, and all below.
TEST_F(SetWatchesTest, WhatHasNotChangedIsWatchedAgain) {
  machine_.Create("/a");
  EXPECT_TRUE(Set({Now(), {"/a"}, {"/missing"}, {"/a"}, {}, {}}));
  EXPECT_THAT(watcher_->events, IsEmpty());
  EXPECT_THAT(woken_, IsEmpty());
  EXPECT_TRUE(Has("/a", WatchKind::kData));
  EXPECT_TRUE(Has("/a", WatchKind::kChildren));
  EXPECT_TRUE(Has("/missing", WatchKind::kData));
}

TEST_F(SetWatchesTest, ChangedDataIsToldInsteadOfWatched) {
  machine_.Create("/a");
  const Zxid seen = Now();
  machine_.Set("/a", "new");
  EXPECT_TRUE(Set({seen, {"/a"}, {}, {"/a"}, {}, {}}));
  EXPECT_THAT(watcher_->events, ElementsAre("changed /a"));
  EXPECT_EQ(woken_.size(), 1u);
  EXPECT_FALSE(Has("/a", WatchKind::kData));
  EXPECT_TRUE(Has("/a", WatchKind::kChildren));
}

TEST_F(SetWatchesTest, ChangedChildrenAreToldInsteadOfWatched) {
  machine_.Create("/a");
  const Zxid seen = Now();
  machine_.Create("/a/x");
  EXPECT_TRUE(Set({seen, {"/a"}, {}, {"/a"}, {}, {}}));
  EXPECT_THAT(watcher_->events, ElementsAre("children /a"));
  EXPECT_TRUE(Has("/a", WatchKind::kData));
  EXPECT_FALSE(Has("/a", WatchKind::kChildren));
}

TEST_F(SetWatchesTest, ADeletedZnodeIsToldToDataAndToChildWatches) {
  EXPECT_TRUE(Set({Now(), {"/gone"}, {}, {"/gone"}, {}, {}}));
  EXPECT_THAT(watcher_->events, ElementsAre("deleted /gone", "deleted /gone"));
  EXPECT_EQ(watches_.count(), 0u);
}

TEST_F(SetWatchesTest, AZnodeThatAppearedIsToldHoweverOldItIs) {
  machine_.Create("/a");
  EXPECT_TRUE(Set({Now(), {}, {"/a"}, {}, {}, {}}));
  EXPECT_THAT(watcher_->events, ElementsAre("created /a"));
  EXPECT_EQ(watches_.count(), 0u);
}

// Z34.
TEST_F(SetWatchesTest, WhatIsToldHasNoZxid) {
  machine_.Create("/a");
  Set({Zxid(0), {"/a", "/gone"}, {"/a"}, {"/a"}, {}, {}});
  EXPECT_THAT(watcher_->zxids, testing::SizeIs(4));
  EXPECT_THAT(watcher_->zxids, Each(-1));
}

// Z30.
TEST_F(SetWatchesTest, PersistentWatchesAreOnlySet) {
  machine_.Create("/a");
  EXPECT_TRUE(Set({Zxid(0), {}, {}, {}, {"/a"}, {"/", "/missing"}}));
  EXPECT_THAT(watcher_->events, IsEmpty());
  EXPECT_TRUE(Has("/a", WatchKind::kPersistent));
  EXPECT_TRUE(Has("/", WatchKind::kRecursive));
  EXPECT_TRUE(Has("/missing", WatchKind::kRecursive));
}

TEST_F(SetWatchesTest, WhatIsWatchedAgainFires) {
  machine_.Create("/a");
  Set({Now(), {"/a"}, {}, {}, {}, {"/"}});
  watches_.Fire(machine_.ChangesOf(tree::SetData{"/a", tree::Data("new")}), woken_);
  EXPECT_THAT(watcher_->events, ElementsAre("changed /a"));
}

TEST_F(SetWatchesTest, ABoundEndsTheWork) {
  SetWatches request;
  for (int i = 0; i < 11; ++i) request.exist.push_back("/" + std::to_string(i));
  request.recursive = {"/"};
  EXPECT_FALSE(Set(request));
  EXPECT_EQ(watches_.count(), 10u);
  EXPECT_FALSE(Has("/", WatchKind::kRecursive));
}

}  // namespace
}  // namespace bellwether::coord
