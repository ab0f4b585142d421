// Connections without a session.
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

class ReadOnlyTest : public ServiceTest {
 protected:
  static AttachRequest ReadOnly() {
    AttachRequest request;
    request.read_only = true;
    return request;
  }
  static uint64_t GetStale(TestClient& client, std::string path, bool watch = false) {
    Request request = client.Make(GetRead{std::move(path), watch});
    request.stale_ok = true;
    const uint64_t id = request.id;
    client.Send(std::move(request));
    return id;
  }
};

TEST_F(ReadOnlyTest, ServesStaleReadsWithoutALeader) {
  auto writer = Connect();
  writer->Create("/a", "1");
  Settle();
  log_.SetLeader(false);
  const size_t commands = log_.principals().size();
  const int reads = log_.read_requests();

  auto client = Connect(ReadOnly());
  ASSERT_NE(client->attached(), nullptr);
  EXPECT_FALSE(client->attached()->failure.has_value());
  EXPECT_EQ(client->attached()->grant.session, SessionId(0));
  EXPECT_EQ(client->attached()->ensemble_id, log_.ensemble_id());
  EXPECT_EQ(client->attached()->zxid, service_->Status().zxid);
  const uint64_t get = GetStale(*client, "/a");
  const uint64_t missing = GetStale(*client, "/b");
  Settle();
  ASSERT_EQ(client->ReasonOf(get), "ok");
  EXPECT_EQ(std::get<GetResult>(client->Find(get)->result).data.view(), "1");
  EXPECT_EQ(client->ReasonOf(missing), "no_node");
  EXPECT_EQ(log_.principals().size(), commands) << "nothing was proposed";
  EXPECT_EQ(log_.read_requests(), reads) << "nor the leader asked";
  EXPECT_EQ(service_->Status().sessions, 1u);
}

TEST_F(ReadOnlyTest, RefusesWhatNeedsTheLeaderAndGoesOn) {
  auto client = Connect(ReadOnly());
  const uint64_t write = client->Create("/a");
  const uint64_t read = client->Get("/");
  Request sync = client->Make(SyncRead{});
  sync.stale_ok = true;
  const uint64_t barrier = sync.id;
  client->Send(std::move(sync));
  const uint64_t stale = GetStale(*client, "/");
  Settle();
  for (const uint64_t id : {write, read, barrier}) {
    EXPECT_EQ(client->ReasonOf(id), "read_only");
    EXPECT_EQ(client->Find(id)->failure->code, absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(client->Find(id)->failure->outcome, base::Outcome::kRejected);
  }
  EXPECT_EQ(client->ReasonOf(stale), "ok");
  EXPECT_EQ(service_->Status().znodes, 4u) << "the root and the system's";
}

TEST_F(ReadOnlyTest, AKeepAliveBreaksTheProtocol) {
  auto client = Connect(ReadOnly());
  client->Send(KeepAliveRequest{1});
  Settle();
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  EXPECT_EQ(client->All<Detached>()[0].failure.reason, "protocol_error");
  EXPECT_TRUE(client->finished);
}

TEST_F(ReadOnlyTest, WatchesFireAndRequestsMayFollowTheAttachAtOnce) {
  auto client = std::make_shared<TestClient>();
  client->Open(*service_);
  client->Send(ReadOnly());
  const uint64_t get = GetStale(*client, "/a", /*watch=*/true);
  Settle();
  EXPECT_EQ(client->ReasonOf(get), "no_node");
  Connect()->Create("/a");
  Settle();
  ASSERT_EQ(client->All<WatchEvent>().size(), 1u);
  EXPECT_EQ(client->All<WatchEvent>()[0].path.view(), "/a");
  EXPECT_EQ(service_->Status().watches, 0u);
}

TEST_F(ReadOnlyTest, RefusesAnotherEnsemblesClient) {
  AttachRequest request = ReadOnly();
  request.ensemble_id = base::Uuid(1, 2);
  auto client = Connect(request);
  ASSERT_NE(client->attached(), nullptr);
  EXPECT_EQ(client->attached()->failure->code, absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(client->finished);
}

TEST_F(ReadOnlyTest, IsToldWhenTheServerStops) {
  auto client = Connect(ReadOnly());
  service_->Stop();
  Settle();
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  EXPECT_EQ(client->All<Detached>()[0].failure.code, absl::StatusCode::kUnavailable);
  EXPECT_TRUE(client->finished);
}

class FewConnectionsTest : public ReadOnlyTest {
 protected:
  FewConnectionsTest() { options_.connections_max = 1; }
};

TEST_F(FewConnectionsTest, CountsAsAConnection) {
  auto first = Connect(ReadOnly());
  const auto refused = service_->OpenConnection({"test"}, std::make_shared<TestClient>());
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  first->Close();
  Settle();
  EXPECT_TRUE(service_->OpenConnection({"test"}, std::make_shared<TestClient>()).ok());
}

class FormingTest : public ReadOnlyTest {
 protected:
  void SetUp() override {
    log_.SetLeader(false);
    ServiceTest::SetUp();
  }
};

TEST_F(FormingTest, ThereIsNoStateToRead) {
  auto client = Connect(ReadOnly());
  ASSERT_NE(client->attached(), nullptr);
  EXPECT_EQ(client->attached()->failure->code, absl::StatusCode::kUnavailable);
  EXPECT_TRUE(client->finished);
}

}  // namespace
}  // namespace bellwether::coord
