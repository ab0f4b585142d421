#include <limits>
#include <string>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

class ZkProtocol : public ProtocolTest {};

// Z46
TEST_F(ZkProtocol, AnswersInOrder) {
  const auto client = Connect();
  log_.Hold();
  client->Create("/a");
  client->Ping();
  client->Ask(Opcode::kReconfig, wire::ReconfigRequest{});
  client->Get("/a");
  Settle();
  EXPECT_TRUE(client->xids().empty());
  log_.Release();
  Settle();
  EXPECT_EQ(client->xids(), (std::vector<int32_t>{1, wire::kPingXid, 2, 3}));
}

// Z8
TEST_F(ZkProtocol, TellsTheLastAppliedZxid) {
  const auto client = Connect();
  const auto other = Connect();
  const int32_t theirs = other->Create("/a");
  Settle();
  const int64_t zxid = other->ZxidOf(theirs);
  EXPECT_EQ(Zxid(zxid), service_->applied_zxid());
  const int32_t read = client->Get("/none");
  const int32_t ping = client->Ping();
  Settle();
  EXPECT_EQ(client->ZxidOf(read), zxid);
  EXPECT_EQ(client->ZxidOf(ping), zxid);
}

// Z7
TEST_F(ZkProtocol, CountsFailedWritesAndNoReads) {
  const auto client = Connect();
  const int64_t zxid = service_->applied_zxid().value();
  const int32_t missing = client->Delete("/none");
  const int32_t malformed = client->Create("a");
  const int32_t read = client->Get("/none");
  const int32_t sync = client->Ask(Opcode::kSync, wire::SyncRequest{"/"});
  Settle();
  EXPECT_EQ(client->ZxidOf(missing), zxid + 1);
  EXPECT_EQ(client->ZxidOf(malformed), zxid + 2);
  EXPECT_EQ(client->ZxidOf(read), zxid + 2);
  EXPECT_EQ(client->ZxidOf(sync), zxid + 2);
}

// Z47
TEST_F(ZkProtocol, EndsAfterAnUnknownOpcode) {
  for (const int32_t opcode : {10, 13, 20, 99, 0, -1, -10, std::numeric_limits<int32_t>::min()}) {
    const auto client = Connect();
    const int32_t before = client->Create("/" + std::to_string(opcode));
    client->AskAs(50, static_cast<Opcode>(opcode), wire::EmptyRequest{});
    client->AskAs(51, Opcode::kExists, wire::ReadRequest{"/", false});
    Settle();
    EXPECT_EQ(client->ErrorOf(before), ZkError::kOk);
    EXPECT_EQ(client->ErrorOf(50), ZkError::kUnimplemented);
    EXPECT_EQ(client->frame_count(), 3u);
    EXPECT_TRUE(client->closed());
  }
}

// Z47
TEST_F(ZkProtocol, GoesOnAfterABodyThatCantBeRead) {
  const auto client = Connect();
  const std::string whole = client->Encoded(7, Opcode::kCreate, ZkClient::Making("/a", "x"));
  client->SendFrame(std::string_view(whole).substr(0, whole.size() - 1));
  const int32_t next = client->Create("/b");
  Settle();
  EXPECT_EQ(client->ErrorOf(7), ZkError::kMarshallingError);
  EXPECT_EQ(client->ErrorOf(next), ZkError::kOk);
  EXPECT_FALSE(client->closed());
}

// Z47
TEST_F(ZkProtocol, EndsAtAFrameOfAnImpossibleLength) {
  for (const std::string& length : {std::string("\377\377\377\377", 4),
                                    std::string("\0\20\0\0", 4),
                                    std::string("\0\0\0\7headers", 11)}) {
    const auto client = Connect();
    client->SendBytes(length);
    Settle();
    EXPECT_TRUE(client->closed());
    EXPECT_EQ(client->frame_count(), 1u);
  }
}

// Z47: the largest frame there may be.
TEST_F(ZkProtocol, TakesAFrameInPieces) {
  const auto client = Connect();
  const size_t rest = client->Encoded(50, Opcode::kCreate, ZkClient::Making("/a")).size();
  const std::string data(wire::kFrameBytesMax - rest, 'x');
  const std::string bytes =
      ZkClient::Framed(client->Encoded(50, Opcode::kCreate, ZkClient::Making("/a", data)));
  for (size_t i = 0; i < bytes.size(); i += 65'537) {
    EXPECT_TRUE(client->wants_input());
    client->SendBytes(std::string_view(bytes).substr(i, 65'537));
  }
  const int32_t get = client->Get("/a");
  Settle();
  EXPECT_EQ(client->PathOf(50), "/a");
  EXPECT_EQ(client->BodyOf<wire::DataReply>(get).stat.data_length,
            static_cast<int32_t>(data.size()));
}

// Z44
TEST_F(ZkProtocol, ClosesASessionThenTheConnection) {
  const auto client = Connect();
  client->Create("/e", "", wire::CreateFlags::kEphemeral);
  const int32_t close = client->Ask(Opcode::kCloseSession, wire::EmptyRequest{});
  client->Create("/behind");
  Settle();
  EXPECT_EQ(client->ErrorOf(close), ZkError::kOk);
  EXPECT_EQ(client->xids().back(), close);
  EXPECT_TRUE(client->closed());
  const auto other = Connect();
  const int32_t exists = other->Exists("/e");
  const int32_t behind = other->Exists("/behind");
  Settle();
  EXPECT_EQ(other->ErrorOf(exists), ZkError::kNoNode);
  EXPECT_EQ(other->ErrorOf(behind), ZkError::kNoNode);
  EXPECT_EQ(Connect(ZkClient::Again(*client))->handshake().session_id, 0);  // Z39
}

// Z44, Z45
TEST_F(ZkProtocol, LeavesTheSessionWhenTheSocketGoes) {
  const auto client = Connect();
  client->Create("/e", "", wire::CreateFlags::kEphemeral);
  Settle();
  const wire::ConnectRequest again = ZkClient::Again(*client);
  client->Disconnect();
  Settle();
  const auto other = Connect();
  const int32_t create = other->Create("/e", "", wire::CreateFlags::kEphemeral);
  Settle();
  EXPECT_EQ(other->ErrorOf(create), ZkError::kNodeExists);
  const auto back = Connect(again);
  const int32_t exists = back->Exists("/e");
  Settle();
  EXPECT_EQ(back->BodyOf<wire::StatReply>(exists).stat.ephemeral_owner,
            back->handshake().session_id);
}

TEST_F(ZkProtocol, GoesOnCountingWritesAfterAnAttach) {
  const auto client = Connect();
  client->Create("/a");
  client->Create("/b");
  Settle();
  const auto back = Connect(ZkClient::Again(*client));
  const int32_t create = back->Create("/c");
  Settle();
  EXPECT_EQ(back->ErrorOf(create), ZkError::kOk);
}

TEST_F(ZkProtocol, EndsUnansweredWhenTheFateOfAWriteIsUnknown) {
  const auto client = Connect();
  const int32_t before = client->Create("/a");
  Settle();
  log_.LoseNext();
  const int32_t lost = client->Create("/b");
  Settle();
  EXPECT_EQ(client->ErrorOf(before), ZkError::kOk);
  EXPECT_FALSE(client->Find(lost).has_value());
  EXPECT_TRUE(client->closed());
}

TEST_F(ZkProtocol, EndsUnansweredWhenTheServerCantServe) {
  const auto client = Connect();
  log_.RejectNext();
  const int32_t refused = client->Create("/b");
  Settle();
  EXPECT_FALSE(client->Find(refused).has_value());
  EXPECT_TRUE(client->closed());
}

TEST_F(ZkProtocol, GivesClientsUpWithoutALeader) {
  const auto client = Connect();
  log_.SetLeader(false);
  service_->OnTick(absl::Milliseconds(10));
  const int32_t ping = client->Ping();
  Settle();
  EXPECT_FALSE(client->Find(ping).has_value());
  EXPECT_TRUE(client->closed());
}

// Z52
TEST_F(ZkProtocol, SyncsWithTheLeader) {
  const auto client = Connect();
  const int before = log_.read_requests();
  const int32_t sync = client->Ask(Opcode::kSync, wire::SyncRequest{"/any/thing"});
  const int32_t null = client->Ask(Opcode::kSync, wire::SyncRequest{std::nullopt});
  Settle();
  EXPECT_EQ(client->PathOf(sync), "/any/thing");
  EXPECT_EQ(client->PathOf(null), "null");
  EXPECT_GT(log_.read_requests(), before);
}

TEST_F(ZkProtocol, ReadsWithoutAskingTheLeader) {
  const auto client = Connect();
  const int before = log_.read_requests();
  client->Get("/");
  client->Ping();
  Settle();
  EXPECT_EQ(client->frame_count(), 3u);
  EXPECT_EQ(log_.read_requests(), before);
}

TEST_F(ZkProtocol, RefusesSasl) {
  const auto client = Connect();
  const int32_t xid = client->Ask(Opcode::kSasl, wire::SaslRequest{"token"});
  EXPECT_EQ(client->ErrorOf(xid), ZkError::kAuthFailed);
  EXPECT_TRUE(client->closed());
}

TEST_F(ZkProtocol, KeepsFigures) {
  const auto client = Connect();
  client->Create("/a");
  client->Get("/a");
  Settle();
  ConnectionInfo info = client->Info();
  EXPECT_EQ(info.address, "127.0.0.1:40312");
  EXPECT_EQ(static_cast<int64_t>(info.session.value()), client->handshake().session_id);
  EXPECT_EQ(info.timeout_ms, 10'000);
  EXPECT_EQ(info.outstanding, 0u);
  EXPECT_EQ(info.last_operation, "GETD");
  EXPECT_EQ(info.last_xid, 2);
  EXPECT_EQ(info.last_zxid, service_->applied_zxid());
  EXPECT_EQ(info.traffic.received, 3u);
  EXPECT_EQ(info.traffic.sent, 3u);
  EXPECT_EQ(info.traffic.latency.count, 2u);
  EXPECT_FALSE(info.wants_output);
  client->ResetFigures();
  EXPECT_EQ(client->Info().traffic.received, 0u);
}

// ---- Bounds ----

class ZkBounds : public ProtocolTest {
 protected:
  ZkBounds() : ProtocolTest(Options()) {}

  static ServiceOptions Options() {
    ServiceOptions options = DefaultOptions();
    options.outstanding_requests_max = 4;
    options.outbox_bytes_max = 4096;
    options.list_page_bytes_max = 64;
    options.reply_bytes_max = 2000;
    options.znode_watches_per_connection_max = 2;
    return options;
  }
};

TEST_F(ZkBounds, StopsReadingWhileRequestsWait) {
  const auto client = Connect();
  log_.Hold();
  client->SendCreations(20);
  EXPECT_FALSE(client->wants_input());
  EXPECT_EQ(client->Info().outstanding, 4u);
  log_.Release();
  Settle();
  EXPECT_TRUE(client->wants_input());
  EXPECT_EQ(client->xids().size(), 20u);
  EXPECT_EQ(client->xids().back(), 20);
}

TEST_F(ZkBounds, StopsEvaluatingForAClientThatDoesNotRead) {
  const auto client = Connect();
  const std::string data(3000, 'x');
  client->Create("/a", data);
  Settle();
  client->SetReads(false);
  for (int i = 0; i < 8; ++i) {
    client->Get("/a");
    Settle();
  }
  EXPECT_FALSE(client->wants_input());
  EXPECT_TRUE(client->Info().wants_output);
  EXPECT_GT(client->Info().outstanding, 0u);
  client->SetReads(true);
  Settle();
  EXPECT_EQ(client->xids().size(), 9u);
  EXPECT_TRUE(client->wants_input());
}

// Replies to auth don't wait for their turn, but somewhere they do wait.
TEST_F(ZkBounds, StopsReadingWhenRepliesToAuthPileUp) {
  const auto client = Connect();
  client->SetReads(false);
  for (int i = 0; i < 5000; ++i) client->Auth("digest", "a:b");
  EXPECT_FALSE(client->wants_input());
  client->SetReads(true);
  EXPECT_TRUE(client->wants_input());
  EXPECT_EQ(client->xids().size(), 5000u);
}

// Z60
TEST_F(ZkBounds, TellsAllChildrenOrNone) {
  const auto client = Connect();
  for (int i = 0; i < 20; ++i) {
    client->Create("/child-with-a-name-" + std::to_string(i));
    Settle();
  }
  const int32_t list = client->Ask(Opcode::kGetChildren, wire::ReadRequest{"/", false});
  Settle();
  EXPECT_EQ(client->BodyOf<wire::NamesReply>(list).names.size(), 21u);  // with /zookeeper
  for (int i = 20; i < 100; ++i) {
    client->Create("/child-with-a-name-" + std::to_string(i));
    Settle();
  }
  const int32_t more = client->Ask(Opcode::kGetChildren2, wire::ReadRequest{"/", false});
  const int32_t next = client->Exists("/");
  Settle();
  EXPECT_EQ(client->ErrorOf(more), ZkError::kBadArguments);
  EXPECT_EQ(client->ErrorOf(next), ZkError::kOk);
}

// Z59: a watch that has no room was not set, and the client is told so.
TEST_F(ZkBounds, RefusesMoreWatches) {
  const auto client = Connect();
  client->Exists("/a", /*watch=*/true);
  client->Exists("/b", /*watch=*/true);
  Settle();
  const int32_t one_more = client->Exists("/c", /*watch=*/true);
  const int32_t next = client->Create("/c");
  Settle();
  EXPECT_EQ(client->ErrorOf(one_more), ZkError::kThrottledOp);
  EXPECT_EQ(client->ErrorOf(next), ZkError::kOk);
  EXPECT_TRUE(client->events().empty());
}

TEST_F(ZkBounds, RefusesATransactionOfTooManyOperations) {
  const auto client = Connect();
  wire::MultiRequest multi;
  multi.operations.resize(tree::kTransactionItemsMax + 1,
                          {Opcode::kDelete, wire::DeleteRequest{"/a", -1}});
  const int32_t xid = client->Ask(Opcode::kMulti, std::move(multi));
  const int32_t next = client->Create("/c");
  Settle();
  EXPECT_EQ(client->ErrorOf(xid), ZkError::kBadArguments);
  EXPECT_EQ(client->ErrorOf(next), ZkError::kOk);
}

}  // namespace
}  // namespace bellwether::coord::zk
