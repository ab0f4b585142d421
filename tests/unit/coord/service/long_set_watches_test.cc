// Watches set again that are too many for one hold of the tree.
#include <map>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

class LongSetWatchesTest : public ServiceTest {
 protected:
  static constexpr size_t kZnodes = 4'500;

  explicit LongSetWatchesTest(ServiceOptions options = DefaultOptions()) : ServiceTest(options) {}

  void SetUp() override {
    ServiceTest::SetUp();
    writer_ = Connect();
    tree::Transaction transaction;
    for (size_t i = 0; i < kZnodes; ++i) transaction.operations.push_back(tree::Create{PathOf(i)});
    writer_->Ask(std::move(transaction));
    Settle();
    relative_ = service_->applied_zxid();
    client_ = Connect(NewSession(77), "test", &frontend_executor_);
  }

  static std::string PathOf(size_t i) { return fmt::format("/n{}", i); }
  SetWatches All() const {
    SetWatches request;
    request.relative = relative_;
    for (size_t i = 0; i < kZnodes; ++i) request.data.push_back(PathOf(i));
    return request;
  }
  // Runs until it is answered; calls `between` before each task.
  void RunUntilAnswered(uint64_t id, const std::function<void()>& between) {
    while (client_->Find(id) == nullptr) {
      between();
      ASSERT_TRUE(scheduler_.RunOne());
    }
  }

  std::shared_ptr<TestClient> writer_;
  std::shared_ptr<TestClient> client_;
  Zxid relative_;
};

TEST_F(LongSetWatchesTest, OthersOfTheExecutorGoOnInBetween) {
  size_t turns = 0;
  std::function<void()> count = [&] {
    ++turns;
    frontend_executor_.Post([&] { count(); });
  };
  const uint64_t id = client_->AskStale(All());
  frontend_executor_.Post([&] { count(); });
  RunUntilAnswered(id, [] {});
  EXPECT_GE(turns, 4u);
  EXPECT_EQ(client_->ReasonOf(id), "ok");
  EXPECT_EQ(service_->znode_watches().count(), kZnodes);
  count = [] {};
  Settle();
}

// Z31, Z34: and what a client has seen when its connection ends early is never ahead of what it was told.
TEST_F(LongSetWatchesTest, WhatChangesMeanwhileIsToldOnceAndInOrder) {
  std::map<std::string, int> changed;
  const auto change = [&](size_t i) {
    writer_->Set(PathOf(i), "x");
    ++changed[PathOf(i)];
  };
  for (size_t i = 0; i < kZnodes; i += 700) change(i);
  Settle();
  const uint64_t id = client_->AskStale(All());
  size_t step = 0;
  RunUntilAnswered(id, [&] {
    change(++step * 37 % kZnodes);                 // set by now or not
    if (step % 2 == 0) change(step / 2 % 100);     // among the first
  });
  const size_t before_answer = client_->frames.size();
  change(1);
  change(kZnodes - 1);
  Settle();

  const Zxid answered = client_->Find(id)->zxid;
  std::map<std::string, int> told;
  bool live = false;
  bool behind = false;
  size_t live_before = 0;
  for (const ServerFrame& frame : client_->frames) {
    if (const auto* response = std::get_if<Response>(&frame)) behind = response->request_id == id;
    const auto* event = std::get_if<WatchEvent>(&frame);
    if (event == nullptr) continue;
    ++told[std::string(event->path.view())];
    if (event->zxid == kCaughtUpZxid) {
      EXPECT_FALSE(live || behind) << "what was missed comes first";
      continue;
    }
    live = true;
    if (!behind) ++live_before;
    EXPECT_EQ(behind, event->zxid > answered);
  }
  EXPECT_GT(live_before, 0u) << "nothing happened between the parts";
  EXPECT_GE(client_->frames.size(), before_answer);
  EXPECT_EQ(told.size(), changed.size());
  for (const auto& [path, times] : told) EXPECT_EQ(times, 1) << path;
  EXPECT_EQ(service_->znode_watches().count(), kZnodes - changed.size());
}

TEST_F(LongSetWatchesTest, RequestsBehindThemKeepTheirTurn) {
  const uint64_t id = client_->AskStale(All());
  const uint64_t write = client_->Set("/n0", "x");
  Settle();
  ASSERT_NE(client_->Find(write), nullptr);
  const auto& frames = client_->frames;
  ASSERT_GE(frames.size(), 3u);
  EXPECT_EQ(std::get<Response>(frames[frames.size() - 3]).request_id, id);
  EXPECT_EQ(std::get<WatchEvent>(frames[frames.size() - 2]).path.view(), "/n0");
  EXPECT_EQ(std::get<Response>(frames[frames.size() - 1]).request_id, write);
}

TEST_F(LongSetWatchesTest, TheEndOfTheConnectionEndsThem) {
  client_->AskStale(All());
  while (service_->znode_watches().count() == 0) ASSERT_TRUE(scheduler_.RunOne());
  client_->Close();
  Settle();
  EXPECT_EQ(service_->znode_watches().count(), 0u);
}

class FewWatchesTest : public LongSetWatchesTest {
 protected:
  FewWatchesTest() : LongSetWatchesTest(WithFewWatches()) {}

  static ServiceOptions WithFewWatches() {
    ServiceOptions options = DefaultOptions();
    options.znode_watches_per_connection_max = 1'500;
    return options;
  }
};

TEST_F(FewWatchesTest, ABoundEndsTheWorkAndIsTold) {
  const uint64_t id = client_->AskStale(All());
  Settle();
  EXPECT_EQ(client_->ReasonOf(id), "too_many_watches");
  EXPECT_EQ(service_->znode_watches().count(), 1'500u);
}

}  // namespace
}  // namespace bellwether::coord
