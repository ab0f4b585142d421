#include "coord/service/top_lists.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/recording_watcher.h"
#include "tests/unit/coord/service/service_fixture.h"
#include "tests/unit/coord/service/watch_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class TopListsTest : public ServiceTest {
 protected:
  TopReport Top(TopOrder by, size_t limit = 3) {
    TopReport report;
    service_->Top(by, limit, [&](absl::StatusOr<TopReport> made) {
      ASSERT_TRUE(made.ok()) << made.status();
      report = *std::move(made);
    });
    Settle();
    return report;
  }
  // As in "/a 5".
  static std::vector<std::string> Znodes(const TopReport& report) {
    std::vector<std::string> znodes;
    for (const auto& one : report.znodes) znodes.push_back(fmt::format("{} {}", one.path, one.count));
    return znodes;
  }
};

TEST_F(TopListsTest, ByBytesTheLargestDataComesFirst) {
  auto client = Connect();
  for (const auto& [path, bytes] : std::map<std::string, size_t>{
           {"/a", 10}, {"/a/b", 30}, {"/c", 20}, {"/d", 30}, {"/e", 0}}) {
    client->Create(path, std::string(bytes, 'x'));
  }
  Settle();
  const TopReport report = Top(TopOrder::kBytes);
  EXPECT_THAT(Znodes(report), ElementsAre("/a/b 30", "/d 30", "/c 20"));
  EXPECT_EQ(report.total, 90u);
  EXPECT_EQ(report.examined, service_->View().znode_count());
  EXPECT_EQ(report.zxid, service_->applied_zxid());
  EXPECT_THAT(Znodes(Top(TopOrder::kBytes, 10)), testing::SizeIs(4));  // nothing has no place
}

TEST_F(TopListsTest, BySubtreeWhatIsBelowCounts) {
  auto client = Connect();
  for (const std::string path : {"/a", "/a/b", "/a/b/c", "/a/d", "/e", "/f", "/f/g"}) {
    client->Create(path, path);  // as many bytes as its path has
  }
  Settle();
  const TopReport report = Top(TopOrder::kSubtree, 10);
  EXPECT_THAT(Znodes(report), ElementsAre("/ 24", "/a 16", "/a/b 10", "/a/b/c 6", "/f 6", "/a/d 4",
                                          "/f/g 4", "/e 2"));
  EXPECT_EQ(report.total, 24u);
}

TEST_F(TopListsTest, ByChildrenTheWidestComesFirst) {
  auto client = Connect();
  for (const std::string path : {"/a", "/a/b", "/a/c", "/d", "/d/e"}) client->Create(path);
  Settle();
  const TopReport report = Top(TopOrder::kChildren, 2);
  EXPECT_EQ(Znodes(report)[1], "/a 2");
  EXPECT_EQ(report.znodes[0].path, "/");
}

TEST_F(TopListsTest, ByWritesWhatTheRingHasIsCounted) {
  auto client = Connect();
  client->Create("/often");
  for (int i = 0; i < 5; ++i) client->Set("/often", "x");
  for (int i = 0; i < 2; ++i) {
    client->Create("/again");
    client->Ask(tree::Delete{"/again"});
  }
  client->Create("/once");
  Settle();
  const TopReport report = Top(TopOrder::kWrites, 2);
  EXPECT_THAT(Znodes(report), ElementsAre("/often 6", "/again 4"));
  EXPECT_EQ(report.zxid, service_->applied_zxid());
  EXPECT_LT(report.since_zxid, report.zxid);
}

TEST_F(TopListsTest, ByWritesThoseThatTheRingForgotDoNotCount) {
  WatchRing ring(4, 1 << 20);
  for (int64_t zxid = 1; zxid <= 6; ++zxid) {
    ring.Append(MakeChangeSet(Zxid(zxid), std::vector<tree::Change>(1)));
  }
  const auto zxids = [](const std::vector<ChangeSetPtr>& sets) {
    std::vector<int64_t> all;
    for (const auto& set : sets) all.push_back(set->zxid.value());
    return all;
  };
  EXPECT_EQ(ring.resumable_from(), Zxid(2));
  EXPECT_THAT(zxids(ring.After(Zxid(0), 2)), ElementsAre(3, 4));
  EXPECT_THAT(zxids(ring.After(Zxid(4), 5)), ElementsAre(5, 6));
  EXPECT_THAT(zxids(ring.After(Zxid(6), 5)), IsEmpty());
}

TEST_F(TopListsTest, ByWatchesThoseOfBothApisCount) {
  auto client = Connect();
  auto other = Connect();
  for (const std::string path : {"/a", "/b", "/c"}) client->Create(path);
  Settle();
  client->Get("/a", true);
  client->Ask(ListRead{"/a", true});
  other->Get("/a", true);
  other->Ask(AddWatch{"/b", true});
  Settle();
  auto sink = std::make_shared<TestWatcher>();
  WatchRequest request;
  request.filter.paths = {"/b", "/native"};
  ASSERT_TRUE(sink->Open(*service_, request).ok());
  Settle();
  const TopReport report = Top(TopOrder::kWatches);
  EXPECT_THAT(Znodes(report), ElementsAre("/a 3", "/b 2", "/native 1"));
  EXPECT_EQ(report.total, 6u);
  EXPECT_EQ(report.examined, 3u);
}

TEST_F(TopListsTest, ByClientsTheBusiestComesFirst) {
  auto idle = Connect(NewSession(50), "idle");
  auto busy = Connect(NewSession(51), "busy");
  busy->Create("/a", "x");
  for (int i = 0; i < 3; ++i) busy->Get("/a");
  idle->Get("/a");
  scheduler_.RunFor(absl::Seconds(2));
  log_.Hold();
  busy->SetReads(false);
  busy->Set("/a", "y");
  Settle();
  const TopReport report = Top(TopOrder::kClients);
  ASSERT_EQ(report.clients.size(), 2u);
  const ConnectionFigures& first = report.clients[0];
  EXPECT_EQ(first.address, "busy");
  EXPECT_EQ(first.session, busy->attached()->grant.session);
  EXPECT_EQ(first.requests, 5u);
  EXPECT_EQ(first.writes, 2u);
  EXPECT_EQ(first.request_bytes, 500u);  // a TestClient's requests have 100
  EXPECT_EQ(first.unanswered, 1u);
  EXPECT_GE(first.open, absl::Seconds(2));
  EXPECT_EQ(report.clients[1].address, "idle");
  EXPECT_EQ(report.total, 6u);
  EXPECT_EQ(Top(TopOrder::kClients, 1).clients.size(), 1u);
}

TEST_F(TopListsTest, OneListIsMadeAtATime) {
  std::vector<absl::Status> answers;
  const auto done = [&](const absl::StatusOr<TopReport>& report) {
    answers.push_back(report.status());
  };
  service_->Top(TopOrder::kBytes, 1, done);
  service_->Top(TopOrder::kClients, 1, done);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::ReasonOf(answers[0]), "busy");
  Settle();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[1].ok());
  service_->Top(TopOrder::kBytes, 1, done);
  Settle();
  EXPECT_TRUE(answers.back().ok());
}

TEST_F(TopListsTest, RefusesListsOfNothingAndOfTooMuch) {
  for (const size_t limit : {size_t{0}, TopLists::kLimitMax + 1}) {
    absl::Status answer;
    service_->Top(TopOrder::kBytes, limit, [&](const auto& report) { answer = report.status(); });
    EXPECT_TRUE(absl::IsInvalidArgument(answer));
  }
}

TEST_F(TopListsTest, AServerThatStopsMakesNone) {
  absl::Status answer;
  const auto done = [&](const auto& report) { answer = report.status(); };
  service_->Top(TopOrder::kBytes, 1, done);
  service_->Stop();
  Settle();
  EXPECT_TRUE(absl::IsUnavailable(answer));
  answer = absl::OkStatus();
  service_->Top(TopOrder::kBytes, 1, done);
  EXPECT_TRUE(absl::IsUnavailable(answer));
}

TEST(WatchesByPath, AreCountedOnceEachInPieces) {
  ZnodeWatches watches({});
  std::vector<std::shared_ptr<RecordingWatcher>> watchers;
  for (int i = 0; i < 5; ++i) watchers.push_back(std::make_shared<RecordingWatcher>());
  for (int path = 0; path < 40; ++path) {
    const std::string name = fmt::format("/{}", path);
    for (int i = 0; i <= path % 5; ++i) {
      const auto table = path % 2 == 0 ? ZnodeWatches::Table::kData : ZnodeWatches::Table::kChild;
      watches.Add(table, name, watchers[static_cast<size_t>(4 - i)]);
    }
    if (path % 3 == 0) watches.AddPersistent(name, false, watchers[0]);
  }
  for (const size_t piece : {1, 2, 7, 1000}) {
    std::map<std::string, size_t> counts;
    size_t sum = 0;
    watches.CountByPath(piece, [&](std::string_view path, size_t count) {
      EXPECT_TRUE(counts.emplace(path, count).second) << path;
      sum += count;
    });
    EXPECT_EQ(counts.size(), 40u);
    EXPECT_EQ(sum, watches.count());
    EXPECT_EQ(counts["/4"], 5u);
    EXPECT_EQ(counts["/0"], 3u);  // one-shot, and a persistent one in both tables
  }
}

}  // namespace
}  // namespace bellwether::coord
