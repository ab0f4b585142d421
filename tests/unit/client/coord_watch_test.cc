#include "client/coord_watch.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/server_list.h"
#include "tests/unit/client/fake_ensemble.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

struct ZnodeSpec {
  std::string path;
  int64_t czxid;
  int64_t mzxid;
};

coord::v1::WatchResponse StateFrame(int64_t zxid, const std::vector<ZnodeSpec>& znodes,
                                    bool last = true) {
  coord::v1::WatchResponse frame;
  frame.mutable_state()->set_zxid(zxid);
  frame.mutable_state()->set_last(last);
  for (const ZnodeSpec& spec : znodes) {
    coord::v1::Znode& znode = *frame.mutable_state()->add_znodes();
    znode.set_path(spec.path);
    znode.set_data("v");
    znode.mutable_stat()->set_czxid(spec.czxid);
    znode.mutable_stat()->set_mzxid(spec.mzxid);
  }
  return frame;
}

coord::v1::WatchResponse ChangeFrame(int64_t zxid, coord::v1::ChangeType type,
                                     const std::string& path) {
  coord::v1::WatchResponse frame;
  frame.mutable_changes()->set_zxid(zxid);
  coord::v1::Change& change = *frame.mutable_changes()->add_changes();
  change.set_type(type);
  change.set_path(path);
  if (type != coord::v1::CHANGE_TYPE_DELETED) {
    change.mutable_stat()->set_czxid(type == coord::v1::CHANGE_TYPE_CREATED ? zxid : 1);
    change.mutable_stat()->set_mzxid(zxid);
  }
  return frame;
}

coord::v1::WatchResponse CompactedFrame() {
  coord::v1::WatchResponse frame;
  frame.mutable_compacted()->set_zxid(90);
  return frame;
}

coord::v1::WatchResponse ProgressFrame(int64_t zxid) {
  coord::v1::WatchResponse frame;
  frame.mutable_progress()->set_zxid(zxid);
  return frame;
}

// As in "9 resync created:/a deleted:/b", "..." at the end of a part.
std::string Text(const WatchBatch& batch) {
  std::vector<std::string> words = {absl::StrCat(batch.zxid.value())};
  if (batch.initial) words.push_back("initial");
  if (batch.resync) words.push_back("resync");
  if (batch.deletions_unknown) words.push_back("deletions_unknown");
  static constexpr const char* kTypes[] = {"created:", "changed:", "deleted:", "children:"};
  for (const WatchChange& change : batch.changes) {
    words.push_back(kTypes[static_cast<int>(change.type)] + change.path);
  }
  if (!batch.complete) words.push_back("...");
  return absl::StrJoin(words, " ");
}

class CoordWatchTest : public ::testing::Test {
 protected:
  void Start(WatchOptions options) {
    WatchCallbacks callbacks;
    callbacks.on_batch = [this](WatchBatch batch) { batches_.push_back(Text(batch)); };
    callbacks.on_end = [this](absl::Status status) { end_ = status; };
    watch_ = std::make_unique<CoordWatch>(servers_, ensemble_, executor_, credentials_, "/r",
                                          options, std::move(callbacks));
    executor_.Run();
  }
  static WatchOptions Recursive(int64_t from_zxid = 0) {
    WatchOptions options;
    options.recursive = true;
    options.from_zxid = Zxid(from_zxid);
    return options;
  }

  FakeEnsemble::Watch& Last() { return *ensemble_.watches.back(); }
  void Deliver(coord::v1::WatchResponse frame) { Last().Deliver(executor_, std::move(frame)); }
  void Break() {
    const size_t before = ensemble_.watches.size();
    Last().End(executor_, absl::UnavailableError("connection reset"));
    executor_.Advance(absl::Seconds(2));
    ASSERT_EQ(ensemble_.watches.size(), before + 1);
  }

  ManualExecutor executor_;
  FakeEnsemble ensemble_;
  ServerList servers_{{"a:1", "b:1"}, base::Uuid(), 7};
  std::vector<Credential> credentials_;
  std::vector<std::string> batches_;
  absl::Status end_;
  std::unique_ptr<CoordWatch> watch_;
};

// R35.
TEST_F(CoordWatchTest, DeliversStateThenChangesAndResumesByZxidAtAnotherServer) {
  Start(Recursive());
  EXPECT_EQ(Last().request.from_zxid(), 0);
  const std::string first = Last().address;
  Deliver(StateFrame(5, {{"/r", 1, 1}}, false));
  Deliver(StateFrame(5, {{"/r/a", 2, 3}}));
  Deliver(ChangeFrame(7, coord::v1::CHANGE_TYPE_CHANGED, "/r/a"));
  Deliver(ProgressFrame(9));
  Break();
  EXPECT_NE(Last().address, first);
  EXPECT_EQ(Last().request.from_zxid(), 9);
  EXPECT_EQ(Last().request.min_zxid(), 9);
  Deliver(ChangeFrame(9, coord::v1::CHANGE_TYPE_CHANGED, "/r/a"));  // seen already
  Deliver(ChangeFrame(11, coord::v1::CHANGE_TYPE_DELETED, "/r/a"));
  EXPECT_THAT(batches_, ElementsAre("5 initial created:/r ...", "5 initial created:/r/a",
                                    "7 changed:/r/a", "9", "11 deleted:/r/a"));
}

TEST_F(CoordWatchTest, SeveralPathsAreAskedForTogetherAndComparedTogether) {
  WatchOptions options = Recursive();
  options.further_paths = {"/s", "/t"};
  options.prompt_progress = true;
  Start(options);
  Deliver(StateFrame(5, {{"/r", 1, 1}, {"/s", 2, 2}, {"/t", 3, 3}}));
  Break();
  EXPECT_THAT(Last().request.further_paths(), ElementsAre("/s", "/t"));
  EXPECT_TRUE(Last().request.prompt_progress());
  Deliver(CompactedFrame());
  Deliver(StateFrame(95, {{"/r", 1, 1}, {"/t", 3, 92}}));
  EXPECT_THAT(batches_, ElementsAre("5 initial created:/r created:/s created:/t",
                                    "95 resync changed:/t deleted:/s"));
}

TEST_F(CoordWatchTest, APathThatIsNotUtf8EndsTheWatch) {
  WatchOptions options;
  options.further_paths = {"/s", "/\xff"};
  Start(options);
  EXPECT_EQ(end_.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ensemble_.watches.empty());
}

TEST_F(CoordWatchTest, TheInitialStateHoldsTheRootWhichNoCommandCreated) {
  Start(Recursive());
  Deliver(StateFrame(10, {{"/", 0, 0}, {"/r", 1, 1}}));
  EXPECT_THAT(batches_, ElementsAre("10 initial created:/ created:/r"));
}

TEST_F(CoordWatchTest, AfterCompactionDeliversTheDifferences) {
  Start(Recursive());
  Deliver(StateFrame(5, {{"/r", 1, 1}, {"/r/kept", 2, 2}, {"/r/gone", 3, 3}, {"/r/gone/x", 4, 4},
                         {"/r/set", 5, 5}, {"/r/anew", 5, 5}}));
  batches_.clear();
  Break();
  Deliver(CompactedFrame());
  Deliver(StateFrame(100, {{"/r", 1, 1}, {"/r/anew", 70, 70}, {"/r/kept", 2, 2}}, false));
  Deliver(StateFrame(100, {{"/r/new", 80, 80}, {"/r/set", 5, 60}}));
  EXPECT_THAT(batches_,
              ElementsAre("100 resync created:/r/anew ...",
                          "100 resync created:/r/new changed:/r/set deleted:/r/gone/x "
                          "deleted:/r/gone"));
  EXPECT_EQ(watch_->position(), Zxid(100));
}

TEST_F(CoordWatchTest, AResyncThatBreaksIsRedoneFromTheOldPosition) {
  Start(Recursive());
  Deliver(StateFrame(5, {{"/r", 1, 1}, {"/r/gone", 3, 3}}));
  batches_.clear();
  Break();
  Deliver(CompactedFrame());
  Deliver(StateFrame(100, {{"/r", 1, 1}, {"/r/new", 80, 80}}, false));
  Break();
  EXPECT_EQ(Last().request.from_zxid(), 5);
  EXPECT_EQ(Last().request.min_zxid(), 100);
  Deliver(CompactedFrame());
  Deliver(StateFrame(101, {{"/r", 1, 1}, {"/r/new", 80, 80}}));
  EXPECT_THAT(batches_, ElementsAre("100 resync created:/r/new ...", "101 resync deleted:/r/gone"));
}

TEST_F(CoordWatchTest, ResumedFromOutsideCompactionDeliversWhatIsNewerAndSaysWhatIsUnknown) {
  Start(Recursive(50));
  EXPECT_EQ(Last().request.from_zxid(), 50);
  Deliver(CompactedFrame());
  Deliver(StateFrame(100, {{"/r", 1, 1}, {"/r/old", 2, 2}, {"/r/set", 3, 60}, {"/r/new", 70, 70}}));
  EXPECT_THAT(batches_, ElementsAre("100 resync deletions_unknown changed:/r/set created:/r/new"));
}

TEST_F(CoordWatchTest, ReadsOneFrameAtATimeAndNoneWhilePaused) {
  Start(Recursive());
  EXPECT_EQ(Last().reads_wanted, 1);
  watch_->Pause();
  Deliver(StateFrame(5, {{"/r", 1, 1}}));
  EXPECT_EQ(Last().reads_wanted, 1);
  executor_.Advance(absl::Minutes(1));  // silence while paused is no failure
  EXPECT_EQ(ensemble_.watches.size(), 1u);
  watch_->Resume();
  EXPECT_EQ(Last().reads_wanted, 2);
}

TEST_F(CoordWatchTest, LeavesASilentServer) {
  Start(Recursive());
  Deliver(StateFrame(5, {{"/r", 1, 1}}));
  executor_.Advance(absl::Seconds(5));
  EXPECT_EQ(ensemble_.watches.size(), 2u);
  EXPECT_EQ(Last().request.from_zxid(), 5);
}

TEST_F(CoordWatchTest, EndsWhenNoServerCouldHelp) {
  Start(Recursive());
  Last().End(executor_, absl::InvalidArgumentError("bad path"));
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(end_.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ensemble_.watches.size(), 1u);
}

TEST_F(CoordWatchTest, EachConnectionGivesTheCredentialsOfItsTime) {
  credentials_ = {{"digest", "bob:pw"}};
  Start({});
  ASSERT_EQ(Last().request.credentials_size(), 1);
  EXPECT_EQ(Last().request.credentials(0).credential(), "bob:pw");
  credentials_.push_back({"digest", "eve:pw"});
  Break();
  EXPECT_EQ(Last().request.credentials_size(), 2);
}

}  // namespace
}  // namespace bellwether::client
