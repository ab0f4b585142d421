#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/watch_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class WatchTest : public WatchServiceTest {};

TEST_F(WatchTest, StartsWithTheStateThenTellsEveryChange) {
  writer_->Create("/a", "1");
  writer_->Create("/a/b", "2");
  writer_->Create("/z");
  Settle();
  const Zxid armed = zxid();
  auto watcher = WatchPath("/a", true);
  EXPECT_THAT(watcher->StatePaths(), ElementsAre("/a", "/a/b"));
  ASSERT_EQ(watcher->All<WatchState>().size(), 1u);
  EXPECT_TRUE(watcher->All<WatchState>()[0].last);
  EXPECT_EQ(watcher->All<WatchState>()[0].zxid, armed);
  ASSERT_EQ(watcher->All<WatchProgress>().size(), 1u);
  EXPECT_EQ(watcher->All<WatchProgress>()[0].zxid, armed);

  writer_->Set("/a", "3");
  writer_->Set("/z", "4");
  writer_->Ask(tree::DeleteRecursive{"/a"});
  Settle();
  EXPECT_THAT(watcher->Changes(), ElementsAre("changed /a=3", "deleted /a/b", "deleted /a"));
}

TEST_F(WatchTest, AMissingZnodeIsAnEmptyState) {
  auto watcher = WatchPath("/a", false);
  EXPECT_THAT(watcher->StatePaths(), IsEmpty());
  EXPECT_EQ(watcher->All<WatchState>().size(), 1u);
  writer_->Create("/a", "1");
  writer_->Create("/a/b", "2");
  writer_->Set("/a/b", "3");
  Settle();
  EXPECT_THAT(watcher->Changes(), ElementsAre("created /a=1", "children /a"));
}

TEST_F(WatchTest, ARecursiveWatchOfTheRootSeesEverything) {
  auto watcher = WatchPath("/", true);
  writer_->Create("/a", "1");
  writer_->Create("/ab", "2");
  Settle();
  EXPECT_THAT(watcher->Changes(), ElementsAre("created /a=1", "created /ab=2"));
}

TEST_F(WatchTest, ARecursiveWatchDoesNotSeeSiblingsWithItsPrefix) {
  auto watcher = WatchPath("/a", true);
  writer_->Create("/ab", "2");
  Settle();
  EXPECT_THAT(watcher->Changes(), IsEmpty());
}

TEST_F(WatchTest, AllChangesOfOneZxidComeInOneFrame) {
  auto watcher = WatchPath("/", true);
  tree::Transaction transaction;
  transaction.operations = {tree::Create{"/a"}, tree::Create{"/a/b"}, tree::Create{"/c"}};
  writer_->Ask(transaction);
  Settle();
  ASSERT_EQ(watcher->All<WatchChanges>().size(), 1u);
  EXPECT_EQ(watcher->All<WatchChanges>()[0].changes.size(), 3u);
}

TEST_F(WatchTest, SeveralRootsAreOneStreamOfOneOrder) {
  for (const char* path : {"/a", "/a/b", "/ab", "/z"}) writer_->Create(path, "0");
  Settle();
  auto watcher = WatchPaths({"/z", "/a", "/missing"}, true);
  EXPECT_THAT(watcher->StatePaths(), ElementsAre("/a", "/a/b", "/z"));
  ASSERT_EQ(watcher->All<WatchState>().size(), 1u);

  writer_->Set("/z", "1");
  writer_->Set("/ab", "2");
  writer_->Set("/a/b", "3");
  writer_->Create("/missing", "4");
  Settle();
  EXPECT_THAT(watcher->Changes(),
              ElementsAre("changed /z=1", "changed /a/b=3", "created /missing=4"));
}

TEST_F(WatchTest, AZxidThatChangesSeveralRootsComesInOneFrame) {
  auto watcher = WatchPaths({"/a", "/c"}, true);
  tree::Transaction transaction;
  transaction.operations = {tree::Create{"/a"}, tree::Create{"/b"}, tree::Create{"/c"}};
  writer_->Ask(transaction);
  Settle();
  ASSERT_EQ(watcher->All<WatchChanges>().size(), 1u);
  EXPECT_EQ(watcher->All<WatchChanges>()[0].changes.size(), 2u);
}

TEST_F(WatchTest, RootsThatOverlapDeliverOnce) {
  writer_->Create("/a");
  writer_->Create("/a/b");
  Settle();
  auto watcher = WatchPaths({"/a/b", "/a", "/a"}, true);
  EXPECT_THAT(watcher->StatePaths(), ElementsAre("/a", "/a/b"));
  writer_->Set("/a/b", "1");
  Settle();
  EXPECT_THAT(watcher->Changes(), ElementsAre("changed /a/b=1"));
}

TEST_F(WatchTest, ZnodesWatchedAloneDoNotCoverWhatIsBelow) {
  writer_->Create("/a");
  writer_->Create("/a/b");
  Settle();
  auto watcher = WatchPaths({"/a", "/a/b"}, false);
  EXPECT_THAT(watcher->StatePaths(), ElementsAre("/a", "/a/b"));
  writer_->Create("/a/b/c");
  Settle();
  EXPECT_THAT(watcher->Changes(), ElementsAre("children /a/b"));
}

TEST_F(WatchTest, AWatchOfSeveralRootsResumesAndIsForgottenAsOne) {
  const uint64_t before = service_->Status().watches;
  auto first = WatchPaths({"/a", "/b"}, true);
  EXPECT_EQ(service_->Status().watches, before + 1);
  const Zxid seen = zxid();
  first->Close();
  Settle();
  EXPECT_EQ(service_->Status().watches, before);
  writer_->Create("/b", "1");
  writer_->Create("/a", "2");
  Settle();
  EXPECT_THAT(WatchPaths({"/a", "/b"}, true, seen)->Changes(),
              ElementsAre("created /b=1", "created /a=2"));
  EXPECT_THAT(first->Changes(), IsEmpty());
}

TEST_F(WatchTest, PromptProgressTellsSoonAndOnceOfChangesElsewhere) {
  auto prompt = WatchPaths({"/a"}, true, Zxid(), /*prompt_progress=*/true);
  auto patient = WatchPath("/a", true);
  writer_->Create("/y");
  writer_->Create("/z");
  Settle();
  scheduler_.RunFor(absl::Milliseconds(30));
  ASSERT_EQ(prompt->All<WatchProgress>().size(), 2u);
  EXPECT_EQ(prompt->All<WatchProgress>()[1].zxid, zxid());
  EXPECT_EQ(patient->All<WatchProgress>().size(), 1u);
}

// R39.
TEST_F(WatchTest, PromptProgressIsNotToldOfWhatIsDelivered) {
  auto watcher = WatchPaths({"/a"}, true, Zxid(), /*prompt_progress=*/true);
  writer_->Create("/a", "1");
  Settle();
  scheduler_.RunFor(absl::Milliseconds(30));
  EXPECT_THAT(watcher->Changes(), ElementsAre("created /a=1"));
  EXPECT_EQ(watcher->All<WatchProgress>().size(), 1u);
}

// A client may read in the middle of what the applier tells of one command (R39).
TEST_F(WatchTest, ASetQueuedAgainAfterItWasTakenIsDeliveredOnce) {
  auto watcher = WatchPath("/", true);
  std::vector<tree::Change> changes(1);
  changes[0].path = "/a";
  const ChangeSetPtr set = MakeChangeSet(zxid() + 1, std::move(changes));
  watcher->watch().QueueChanges(set, &set->changes[0]);
  watcher->OnOutput();
  watcher->watch().QueueChanges(set, &set->changes[0]);
  watcher->OnOutput();
  EXPECT_EQ(watcher->All<WatchChanges>().size(), 1u);
}

// The state is read without the tree's lock, so that changes may come before it.
TEST_F(WatchTest, NothingIsTakenBeforeTheState) {
  const Zxid start = zxid();
  auto watcher = WatchPath("/", true, start + 1000);  // not armed yet
  std::vector<tree::Change> changes(1);
  changes[0].path = "/a";
  watcher->watch().QueueChanges(MakeChangeSet(start + 1, std::move(changes)), nullptr);
  watcher->watch().QueueProgress(start + 2, /*repeat=*/true);
  watcher->watch().AddState(start, {{"/", {}, {}}});
  watcher->OnOutput();
  EXPECT_THAT(watcher->frames, IsEmpty());
  watcher->watch().SetArmed(start);
  watcher->OnOutput();
  ASSERT_EQ(watcher->frames.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<WatchState>(watcher->frames[0]));
  EXPECT_TRUE(std::holds_alternative<WatchChanges>(watcher->frames[1]));
  ASSERT_TRUE(std::holds_alternative<WatchProgress>(watcher->frames[2]));
  EXPECT_EQ(std::get<WatchProgress>(watcher->frames[2]).zxid, start + 2);
}

TEST_F(WatchTest, LargeStatesComeInChunks) {
  for (int i = 0; i < 5; ++i) {
    writer_->Create("/n" + std::to_string(i), std::string(600 << 10, 'x'));
  }
  Settle();
  auto watcher = WatchPath("/", true);
  const auto chunks = watcher->All<WatchState>();
  ASSERT_GE(chunks.size(), 4u);
  for (size_t i = 0; i < chunks.size(); ++i) EXPECT_EQ(chunks[i].last, i + 1 == chunks.size());
  EXPECT_EQ(watcher->StatePaths().size(), 9u) << "the root, five and the system's";
}

TEST_F(WatchTest, ALargeStateIsFoundInPiecesWhileChangesGoOn) {
  tree::Transaction transaction;
  for (int i = 0; i < 25'000; ++i) {
    transaction.operations.push_back(tree::Create{fmt::format("/n{}", i)});
    if (transaction.operations.size() == 5'000) writer_->Ask(std::exchange(transaction, {}));
  }
  Settle();
  size_t turns = 0;
  std::function<void()> count = [&] {
    ++turns;
    other_io_executor_.Post([&] { count(); });
  };
  other_io_executor_.Post([&] { count(); });  // the watch's, the writer's is the first
  WatchRequest request;
  request.filter.paths = {"/"};
  request.filter.recursive = true;
  request.stale_ok = true;
  auto watcher = std::make_shared<TestWatcher>();
  ASSERT_TRUE(watcher->Open(*service_, request).ok());
  int sets = 0;
  while (watcher->frames.empty()) {
    writer_->Set("/n24999", std::to_string(++sets));
    ASSERT_TRUE(scheduler_.RunOne());
  }
  EXPECT_GE(turns, 2u);
  count = [] {};
  Settle();

  const std::vector<std::string> paths = watcher->StatePaths();
  EXPECT_EQ(paths.size(), 25'004u) << "with the root and the system znodes";
  EXPECT_EQ(std::set<std::string>(paths.begin(), paths.end()).size(), paths.size());
  const Zxid zxid = watcher->All<WatchState>().front().zxid;
  int32_t version = -1;
  for (const WatchState& state : watcher->All<WatchState>()) {
    EXPECT_EQ(state.zxid, zxid);
    for (const WatchZnode& znode : state.znodes) {
      if (znode.path == "/n24999") version = znode.stat.version;
    }
  }
  std::vector<std::string> expected;
  for (int set = version + 1; set <= sets; ++set) {
    expected.push_back(fmt::format("changed /n24999={}", set));
  }
  EXPECT_GT(expected.size(), 0u);
  EXPECT_EQ(watcher->Changes(), expected);
}

TEST_F(WatchTest, ResumesWithWhatHappenedMeanwhile) {
  auto first = WatchPath("/", true);
  writer_->Create("/a", "1");
  Settle();
  const Zxid seen = zxid();
  first->Close();
  writer_->Set("/a", "2");
  writer_->Set("/a", "3");
  Settle();
  auto second = WatchPath("/", true, seen);
  EXPECT_THAT(second->Changes(), ElementsAre("changed /a=2", "changed /a=3"));
  EXPECT_THAT(second->All<WatchState>(), IsEmpty());
  EXPECT_THAT(second->All<WatchCompacted>(), IsEmpty());
  ASSERT_EQ(second->All<WatchProgress>().size(), 1u);
  EXPECT_EQ(second->All<WatchProgress>()[0].zxid, zxid());
}

TEST_F(WatchTest, AResumeFromTheFutureWaitsForIt) {
  auto watcher = WatchPath("/", true, zxid() + 1);
  EXPECT_THAT(watcher->frames, IsEmpty());
  writer_->Create("/a", "1");
  writer_->Create("/b", "2");
  Settle();
  EXPECT_THAT(watcher->Changes(), ElementsAre("created /b=2"));
}

TEST_F(WatchTest, GivesUpWaitingForAZxidThatNeverComes) {
  auto watcher = WatchPath("/", true, zxid() + 1000);
  scheduler_.RunFor(absl::Seconds(6));
  EXPECT_TRUE(watcher->end.finished);
  ASSERT_TRUE(watcher->end.failure.has_value());
  EXPECT_EQ(watcher->end.failure->code, absl::StatusCode::kUnavailable);
}

TEST_F(WatchTest, TellsItsProgressWhileIdle) {
  auto watcher = WatchPath("/a", true);
  writer_->Create("/z");
  Settle();
  const Zxid now = zxid();
  scheduler_.RunFor(absl::Seconds(3));
  const auto progress = watcher->All<WatchProgress>();
  EXPECT_GE(progress.size(), 4u);
  EXPECT_EQ(progress.back().zxid, now);
}

TEST_F(WatchTest, RefusesWhatMakesNoSense) {
  auto watcher = std::make_shared<TestWatcher>();
  WatchRequest request;
  request.filter.paths = {"/a", "no path"};
  EXPECT_EQ(watcher->Open(*service_, request).code(), absl::StatusCode::kInvalidArgument);
  request.filter.paths.assign(65, "/a");
  EXPECT_EQ(watcher->Open(*service_, request).code(), absl::StatusCode::kInvalidArgument);
  request.filter.paths = {"/a"};
  request.ensemble_id = base::Uuid(1, 1);
  EXPECT_EQ(watcher->Open(*service_, request).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(WatchTest, WithoutALeaderOnlyAStaleWatchStarts) {
  log_.SetLeader(false);
  auto fresh = WatchPath("/", true);
  EXPECT_TRUE(fresh->end.finished);
  EXPECT_EQ(fresh->end.failure->code, absl::StatusCode::kUnavailable);
  auto stale = std::make_shared<TestWatcher>();
  WatchRequest request;
  request.filter = {.paths = {"/"}, .recursive = true};
  request.stale_ok = true;
  EXPECT_TRUE(stale->Open(*service_, request).ok());
  Settle();
  EXPECT_EQ(stale->All<WatchState>().size(), 1u);
}

// R36.
TEST_F(WatchTest, AClosedWatchIsForgotten) {
  const uint64_t before = service_->Status().watches;
  auto watcher = WatchPath("/", true);
  EXPECT_EQ(service_->Status().watches, before + 1);
  watcher->Close();
  Settle();
  EXPECT_EQ(service_->Status().watches, before);
  EXPECT_TRUE(watcher->end.finished);
}

// Changes arrive whatever the moment at which the watch starts: each exactly once, in order.
TEST_F(WatchTest, LosesAndRepeatsNothingWhileItIsArmed) {
  std::vector<std::shared_ptr<TestWatcher>> watchers;
  writer_->Create("/n", "0");
  for (int i = 1; i <= 100; ++i) {
    writer_->Set("/n", std::to_string(i));
    WatchRequest request;
    request.filter = {.paths = {"/n"}, .recursive = i % 2 == 0};
    auto watcher = std::make_shared<TestWatcher>();
    ASSERT_TRUE(watcher->Open(*service_, request).ok());
    watchers.push_back(watcher);
    scheduler_.RunFor(absl::Microseconds(scheduler_.random().Below(100)));
  }
  Settle();
  for (const auto& watcher : watchers) {
    const auto state = watcher->All<WatchState>();
    ASSERT_EQ(state.size(), 1u);
    ASSERT_EQ(state[0].znodes.size(), 1u);
    int expected = std::stoi(std::string(state[0].znodes[0].data.view()));
    for (const WatchChanges& set : watcher->All<WatchChanges>()) {
      ASSERT_EQ(set.changes.size(), 1u);
      EXPECT_EQ(set.changes[0]->data.view(), std::to_string(++expected));
      EXPECT_GT(set.set->zxid, state[0].zxid);
    }
    EXPECT_EQ(expected, 100);
  }
}

class SmallWatchTest : public WatchServiceTest {
 protected:
  static ServiceOptions Small() {
    ServiceOptions options = DefaultOptions();
    options.watch_ring_changes_max = 16;
    options.watch_queue_bytes_max = 10'000;
    return options;
  }
  SmallWatchTest() : WatchServiceTest(Small()) {}
};

// R39: what is compacted is not skipped.
TEST_F(SmallWatchTest, BeyondTheRingTheStateIsSentAgain) {
  writer_->Create("/n");
  Settle();
  const Zxid seen = zxid();
  for (int i = 0; i < 100; ++i) writer_->Set("/n", std::to_string(i));
  Settle();
  auto watcher = WatchPath("/", true, seen);
  ASSERT_EQ(watcher->All<WatchCompacted>().size(), 1u);
  EXPECT_TRUE(std::holds_alternative<WatchCompacted>(watcher->frames.front()));
  EXPECT_EQ(watcher->All<WatchCompacted>()[0].zxid, zxid() - 16);
  EXPECT_THAT(watcher->StatePaths(),
              ElementsAre("/", "/n", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"));
  EXPECT_THAT(watcher->Changes(), IsEmpty());
}

TEST_F(SmallWatchTest, TheRingHasMetrics) {
  writer_->Create("/n");
  for (int i = 0; i < 99; ++i) writer_->Set("/n", std::to_string(i));
  Settle();
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("\nbell_watch_ring_changes 16\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE bell_watch_ring_forgotten_total counter\n"));
  EXPECT_THAT(text, Not(HasSubstr("\nbell_watch_ring_bytes 0\n")));
  const auto forgotten = [this] {
    return metrics_.AddCounter("bell_watch_ring_forgotten_total", "").value();
  };
  const uint64_t before = forgotten();
  EXPECT_GE(before, 100u - 16u);
  writer_->Set("/n", "one more");
  Settle();
  EXPECT_EQ(forgotten(), before + 1);
}

TEST_F(SmallWatchTest, BytesThatWaitForAWatcherAreTold) {
  auto watcher = WatchPath("/", true);
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_watch_queue_bytes 0\n"));
  watcher->SetReads(false);
  writer_->Create("/n");
  Settle();
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("\nbell_watch_queue_bytes 0\n")));
  watcher->SetReads(true);
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_watch_queue_bytes 0\n"));
}

TEST_F(SmallWatchTest, TheOldestZxidNamedCanBeResumedFrom) {
  writer_->Create("/n");
  for (int i = 0; i < 100; ++i) writer_->Set("/n", std::to_string(i));
  Settle();
  auto late = WatchPath("/", true, Zxid(1));
  const Zxid oldest = late->All<WatchCompacted>().at(0).zxid;
  EXPECT_EQ(WatchPath("/", true, oldest)->Changes().size(), 16u);
  EXPECT_EQ(WatchPath("/", true, oldest - 1)->All<WatchCompacted>().size(), 1u);
}

// R39: nor what a slow one can't take.
TEST_F(SmallWatchTest, ASlowWatcherIsCancelledAndOthersAreNot) {
  auto slow = WatchPath("/", true);
  auto quick = WatchPath("/", true);
  slow->SetReads(false);
  writer_->Create("/n");
  for (int i = 0; i < 100; ++i) {
    writer_->Set("/n", std::string(1'000, 'x'));
    Settle();
  }
  slow->SetReads(true);
  EXPECT_TRUE(slow->end.finished);
  ASSERT_TRUE(slow->end.failure.has_value());
  EXPECT_EQ(slow->end.failure->code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(quick->Changes().size(), 101u);
  EXPECT_FALSE(quick->end.finished);
}

TEST_F(SmallWatchTest, ALargeTransactionDoesNotCancelAWatcherThatKeepsUp) {
  auto watcher = WatchPath("/", true);
  tree::Transaction transaction;
  for (int i = 0; i < 100; ++i) {
    transaction.operations.push_back(
        tree::Create{"/n" + std::to_string(i), tree::SharedBytes::Copy(std::string(1'000, 'x'))});
  }
  writer_->Ask(transaction);
  Settle();
  EXPECT_EQ(watcher->Changes().size(), 100u);
  EXPECT_FALSE(watcher->end.finished);
}

}  // namespace
}  // namespace bellwether::coord
