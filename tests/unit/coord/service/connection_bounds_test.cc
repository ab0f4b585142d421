// What a connection lets a client cost: memory of what waits, and time of its executor.
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::HasSubstr;

// ---- Bytes ----

TEST(FrameBytes, CountWhatAFrameTakes) {
  Response response;
  EXPECT_GE(FrameBytes(response), sizeof(ServerFrame));
  const size_t empty = FrameBytes(response);
  response.failure = Failure{absl::StatusCode::kNotFound, std::string(1000, 'x'), "no_node"};
  EXPECT_GE(FrameBytes(response), empty + 1000);
  response.failure.reset();
  response.result = ListResult{std::vector<std::string>(100, std::string(50, 'x')), false, {}};
  EXPECT_GE(FrameBytes(response), empty + 100 * (50 + sizeof(std::string)));
  response.result = MultiReadResult{{100, Failure{absl::StatusCode::kNotFound, "none"}}};
  EXPECT_GE(FrameBytes(response), empty + 100 * sizeof(Failure));
  response.result = GetAclResult{tree::Acl(100, {1, "world", "anyone"}), {}};
  EXPECT_GE(FrameBytes(response), empty + 100 * sizeof(tree::AclEntry));
  EXPECT_GE(FrameBytes(Detached{{absl::StatusCode::kAborted, std::string(1000, 'x')}}), 1000u);
}

TEST(FailureOf, NamesNoMoreThanTheBeginningOfALongPath) {
  const std::string path = "/" + std::string(1 << 20, 'x');
  const Failure failure = FailureOf(tree::ResultCode::kNoNode, path);
  EXPECT_LT(failure.message.size(), kMessagePathBytesMax + 100);
  EXPECT_THAT(failure.message, HasSubstr("1048577 bytes"));
  EXPECT_THAT(failure.message, HasSubstr("no such znode"));
  EXPECT_EQ(PathForMessage("/a"), "/a");
}

TEST(PathForMessage, CutsBetweenCharacters) {
  for (size_t before = 0; before < 4; ++before) {
    std::string path(before, 'x');
    while (path.size() < 2 * kMessagePathBytesMax) path += "\xe2\x82\xac";
    const std::string cut = PathForMessage(path);
    const size_t end = cut.find("...");
    ASSERT_NE(end, std::string::npos);
    EXPECT_EQ((end - before) % 3, 0u) << before;
    EXPECT_GE(end, kMessagePathBytesMax - 2);
  }
}

TEST(FailureOf, SaysWhyAQuotaCountsNoFurther) {
  const Failure failure =
      FailureOf(tree::ResultCode::kTooLarge, "/zookeeper/quota/a/zookeeper_stats");
  EXPECT_THAT(failure.message, HasSubstr("200000 znodes"));
  EXPECT_THAT(FailureOf(tree::ResultCode::kTooLarge, "/a").message, Not(HasSubstr("quota")));
}

class ConnectionBoundsTest : public ServiceTest {
 protected:
  ConnectionBoundsTest() : ServiceTest(WithSmallOutbox()) {}

  static ServiceOptions WithSmallOutbox() {
    ServiceOptions options = DefaultOptions();
    options.outbox_bytes_max = 256 << 10;
    options.child_lists.bytes_max = 0;  // each list is made
    return options;
  }
  // A znode with so many children.
  void MakeLarge(const std::string& path, size_t children) {
    auto maker = Connect();
    maker->Create(path);
    tree::Transaction transaction;
    for (size_t i = 1; i <= children; ++i) {
      transaction.operations.push_back(tree::Create{fmt::format("{}/{}", path, i)});
      if (i == children || transaction.operations.size() == tree::kTransactionItemsMax) {
        maker->Ask(std::exchange(transaction, {}));
      }
    }
    Settle();
    maker->Close();
    Settle();
  }
  static ListRead WholeList(std::string path) {
    ListRead list{std::move(path)};
    list.whole = true;
    return list;
  }
  std::shared_ptr<TestClient> ConnectAt(base::Executor& executor) {
    return Connect(NewSession(++last_nonce_), "test", &executor);
  }
  // Tasks of the frontend's executor that run from now until the client has that many responses.
  size_t TasksUntil(const TestClient& client, size_t responses) {
    size_t tasks = 0;
    std::function<void()> count = [&] {
      ++tasks;
      if (client.All<Response>().size() < responses) frontend_executor_.Post([&] { count(); });
    };
    frontend_executor_.Post([&] { count(); });
    scheduler_.RunFor(absl::Seconds(1));
    return tasks;
  }
};

TEST_F(ConnectionBoundsTest, ARequestCountsWithWhatItTakesInMemory) {
  auto client = Connect();
  log_.Hold();
  client->Send(client->Make(tree::Create{"/a"}), /*bytes=*/20);
  EXPECT_THAT(metrics_.Text(),
              HasSubstr(fmt::format("\nbell_unanswered_request_bytes {}\n", 20 + sizeof(Request))));
}

// Each answer is small, and there is one for each byte of a request.
TEST_F(ConnectionBoundsTest, EvenEmptyAnswersFillTheOutbox) {
  auto client = Connect();
  client->SetReads(false);
  size_t sent = 0;
  for (; sent < 100'000; ++sent) {
    Request echo = client->Make(EchoRead{});
    echo.stale_ok = true;
    if (!client->Send(std::move(echo), 1)) {
      Settle();
      if (client->resumes == 0) break;
      client->resumes = 0;
    }
  }
  EXPECT_LT(sent * sizeof(ServerFrame), 2 * options_.outbox_bytes_max);
}

// ---- Time ----

TEST_F(ConnectionBoundsTest, OthersOfTheExecutorGoOnBetweenManyReads) {
  auto busy = ConnectAt(frontend_executor_);
  for (int i = 0; i < 1'000; ++i) busy->AskStale(GetRead{"/"});
  EXPECT_GE(TasksUntil(*busy, 1'000), 4u);
}

TEST_F(ConnectionBoundsTest, OthersOfTheExecutorGoOnBetweenThePiecesOfALongRead) {
  MakeLarge("/big", 21'000);
  auto busy = ConnectAt(frontend_executor_);
  const uint64_t list = busy->AskStale(WholeList("/big"));
  EXPECT_GE(TasksUntil(*busy, 1), 3u);
  EXPECT_EQ(std::get<ListResult>(busy->Find(list)->result).names.size(), 21'000u);

  const uint64_t count = busy->AskStale(DescendantsRead{"/big"});
  EXPECT_GE(TasksUntil(*busy, 2), 3u);
  EXPECT_EQ(std::get<CountResult>(busy->Find(count)->result).count, 21'000u);

  ListRead all{"/", false, true};
  all.whole = true;
  const uint64_t walk = busy->AskStale(all);
  EXPECT_GE(TasksUntil(*busy, 3), 3u);
  EXPECT_EQ(std::get<ListResult>(busy->Find(walk)->result).names.size(), 21'002u);
}

TEST_F(ConnectionBoundsTest, LongReadsAndWritesBehindThemKeepTheirTurn) {
  MakeLarge("/big", 12'000);
  auto client = Connect();
  const uint64_t before = client->Ask(DescendantsRead{"/big"});
  client->Create("/big/more");
  const uint64_t after = client->Ask(DescendantsRead{"/big"});
  const uint64_t list = client->Ask(WholeList("/big"));
  Settle();
  EXPECT_EQ(std::get<CountResult>(client->Find(before)->result).count, 12'000u);
  EXPECT_EQ(std::get<CountResult>(client->Find(after)->result).count, 12'001u);
  EXPECT_EQ(std::get<ListResult>(client->Find(list)->result).names.size(), 12'001u);
}

// Z25, the other way round: what an event tells is never older than the replies behind it.
TEST_F(ConnectionBoundsTest, NoEventOvertakesALongReadOfTheStateBeforeIt) {
  MakeLarge("/big", 12'000);
  auto reader = ConnectAt(frontend_executor_);
  auto writer = Connect();
  reader->Ask(AddWatch{"/w", true});
  Settle();
  writer->Create("/w");
  Settle();
  for (int i = 0; i < 20; ++i) {
    reader->AskStale(WholeList("/big"));
    for (int step = 0; step < 30; ++step) {
      if (step % 3 == 0) writer->Set("/w", "x");
      scheduler_.RunOne();
    }
  }
  Settle();
  Zxid told;
  size_t lists = 0;
  for (const ServerFrame& frame : reader->frames) {
    if (const auto* event = std::get_if<WatchEvent>(&frame)) told = event->zxid;
    const auto* response = std::get_if<Response>(&frame);
    if (response == nullptr || !std::holds_alternative<ListResult>(response->result)) continue;
    ++lists;
    EXPECT_GE(response->zxid, told);
  }
  EXPECT_EQ(lists, 20u);
  EXPECT_EQ(reader->All<WatchEvent>().size(), 201u);
}

// The watch is of the state that the list tells.
TEST_F(ConnectionBoundsTest, ALongListSetsItsWatchWithItsState) {
  MakeLarge("/big", 12'000);
  auto reader = ConnectAt(frontend_executor_);
  auto writer = Connect();
  ListRead list = WholeList("/big");
  list.watch = true;
  const uint64_t id = reader->AskStale(list);
  while (service_->znode_watches().count() == 0) ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_EQ(reader->Find(id), nullptr) << "only begun";
  writer->Create("/big/more");
  Settle();
  ASSERT_EQ(reader->All<WatchEvent>().size(), 1u);
  EXPECT_TRUE(std::holds_alternative<WatchEvent>(reader->frames.back())) << "behind the list";
  EXPECT_EQ(std::get<ListResult>(reader->Find(id)->result).names.size(), 12'000u);
}

TEST_F(ConnectionBoundsTest, ALongReadEndsWithItsConnection) {
  MakeLarge("/big", 12'000);
  auto reader = ConnectAt(frontend_executor_);
  ListRead list = WholeList("/big");
  list.watch = true;
  reader->AskStale(list);
  while (service_->znode_watches().count() == 0) ASSERT_TRUE(scheduler_.RunOne());
  auto again = Connect(Again(*reader));
  EXPECT_TRUE(reader->finished);
  EXPECT_EQ(reader->All<Response>().size(), 0u);
  EXPECT_EQ(reader->All<Detached>().size(), 1u);
}

// ---- The client's end ----

TEST_F(ConnectionBoundsTest, WhatCameBeforeTheClientsEndIsProposed) {
  auto client = Connect();
  client->Get("/");
  for (int i = 0; i < 300; ++i) client->Create(fmt::format("/n{}", i));
  client->Close();
  Settle();
  EXPECT_EQ(service_->View().DescendantCount("/"), 303u) << "with the system's";
  EXPECT_EQ(client->All<Response>().size(), 0u);
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionBoundsTest, WritesBehindReadsThatWaitAreProposedAtTheClientsEnd) {
  auto client = Connect();
  Request never = client->Make(GetRead{"/"});
  never.min_zxid = Zxid(1'000'000);
  client->Send(std::move(never));
  client->Create("/a");
  client->Ask(tree::CloseSession());
  Settle();
  EXPECT_FALSE(service_->View().Exists("/a").has_value());
  client->Close();
  Settle();
  EXPECT_TRUE(service_->View().Exists("/a").has_value());
  EXPECT_EQ(service_->Status().sessions, 0u) << "which the client closed";
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_connections 0\n"));
}

TEST_F(ConnectionBoundsTest, NothingIsProposedBehindAWriteThatWasRefused) {
  auto client = Connect();
  log_.RejectNext();
  client->Create("/a");
  Settle();
  Request next = client->Make(tree::Create{"/b"});
  next.sequence = kNextSequence;
  client->Send(std::move(next));
  client->Close();
  Settle();
  EXPECT_FALSE(service_->View().Exists("/b").has_value());
}

TEST_F(ConnectionBoundsTest, AServerThatStopsProposesNothingAtTheClientsEnd) {
  auto client = Connect();
  Request never = client->Make(GetRead{"/"});
  never.min_zxid = Zxid(1'000'000);
  client->Send(std::move(never));
  client->Create("/a");
  Settle();
  service_->Stop();
  client->Close();
  Settle();
  EXPECT_FALSE(service_->View().Exists("/a").has_value());
}

}  // namespace
}  // namespace bellwether::coord
