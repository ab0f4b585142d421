#include "coord/zk/read_only.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

// Clients of a server that has lost its leader (Z57).
class ReadOnly : public ProtocolTest {
 protected:
  void SetUp() override {
    ProtocolTest::SetUp();
    writer_ = Connect();
    writer_->Create("/a", "x");
    writer_->Create("/e", "", wire::CreateFlags::kEphemeral);
    Settle();
    log_.SetLeader(false);
  }

  static wire::ConnectRequest TakesReadOnly(wire::ConnectRequest request = ZkClient::NewSession()) {
    request.read_only = true;
    return request;
  }

  std::unique_ptr<ZkClient> writer_;
};

TEST_F(ReadOnly, OpensASessionThatIsMadeUp) {
  const auto client = Connect(TakesReadOnly());
  const wire::ConnectResponse answer = client->handshake();
  EXPECT_EQ(answer.read_only, true);
  EXPECT_TRUE(IsReadOnlySession(SessionId(static_cast<uint64_t>(answer.session_id))));
  EXPECT_EQ(answer.timeout_ms, 10'000);
  EXPECT_EQ(answer.password.size(), 16u);
  EXPECT_NE(answer.password, std::string(16, '\0'));
  EXPECT_NE(Connect(TakesReadOnly())->handshake().session_id, answer.session_id);
  EXPECT_FALSE(IsReadOnlySession(
      SessionId(static_cast<uint64_t>(writer_->handshake().session_id))));
}

TEST_F(ReadOnly, OthersAreTurnedAway) {
  const auto client = Connect();
  EXPECT_FALSE(client->is_answered());
  EXPECT_TRUE(client->closed());
}

TEST_F(ReadOnly, ServesReads) {
  const auto client = Connect(TakesReadOnly());
  const int32_t get = client->Get("/a", /*watch=*/true);
  const int32_t exists = client->Exists("/none", /*watch=*/true);
  const int32_t list = client->Ask(Opcode::kGetChildren2, wire::ReadRequest{"/", false});
  const int32_t who = client->Ask(Opcode::kWhoAmI, wire::EmptyRequest{});
  const int32_t auth = client->Auth("digest", "a:b");
  const int32_t ping = client->Ping();
  Settle();
  EXPECT_EQ(client->BodyOf<wire::DataReply>(get).data, "x");
  EXPECT_EQ(client->ErrorOf(exists), ZkError::kNoNode);
  EXPECT_EQ(client->BodyOf<wire::NamesStatReply>(list).names.size(), 3u);
  for (const int32_t xid : {who, auth, ping}) EXPECT_EQ(client->ErrorOf(xid), ZkError::kOk);
}

TEST_F(ReadOnly, RefusesInItsTurnWhatNeedsAQuorum) {
  const auto client = Connect(TakesReadOnly());
  const std::vector<int32_t> refused = {
      client->Create("/b"),
      client->Ask(Opcode::kCreate2, ZkClient::Making("/b")),
      client->Ask(Opcode::kCreateContainer, wire::CreateRequest{"/b", "", ZkClient::OpenAcl(), 4}),
      client->Ask(Opcode::kCreateTtl, wire::CreateRequest{"/b", "", ZkClient::OpenAcl(), 5, 1000}),
      client->Delete("/a"),
      client->Set("/a", "y"),
      client->Ask(Opcode::kSetAcl, wire::SetAclRequest{"/a", ZkClient::OpenAcl(), -1}),
      client->Ask(Opcode::kMulti, wire::MultiRequest{}),
      client->Ask(Opcode::kSync, wire::SyncRequest{"/a"}),
      client->Ask(Opcode::kReconfig, wire::ReconfigRequest{})};
  const int32_t get = client->Get("/a");
  Settle();
  for (const int32_t xid : refused) EXPECT_EQ(client->ErrorOf(xid), ZkError::kNotReadOnly) << xid;
  EXPECT_EQ(client->BodyOf<wire::DataReply>(get).data, "x");
  const std::vector<int32_t> xids = client->xids();
  EXPECT_TRUE(std::is_sorted(xids.begin(), xids.end()));
}

TEST_F(ReadOnly, AMadeUpSessionIsClosed) {
  const auto client = Connect(TakesReadOnly());
  const int32_t close = client->Ask(Opcode::kCloseSession, wire::EmptyRequest{});
  Settle();
  EXPECT_EQ(client->ErrorOf(close), ZkError::kOk);
  EXPECT_TRUE(client->closed());
}

TEST_F(ReadOnly, AMadeUpSessionGoesOnElsewhere) {
  const auto first = Connect(TakesReadOnly());
  const auto again = Connect(TakesReadOnly(ZkClient::Again(*first)));
  EXPECT_EQ(again->handshake(), first->handshake());
}

TEST_F(ReadOnly, TakesASessionOfTheEnsembleAndLeavesItAsItIs) {
  const auto client = Connect(TakesReadOnly(ZkClient::Again(*writer_)));
  EXPECT_EQ(client->handshake().session_id, writer_->handshake().session_id);
  EXPECT_EQ(client->handshake().read_only, true);
  const int32_t get = client->Get("/e");
  const int32_t ephemerals =
      client->Ask(Opcode::kGetEphemerals, wire::GetEphemeralsRequest{"/"});
  const int32_t close = client->Ask(Opcode::kCloseSession, wire::EmptyRequest{});
  Settle();
  EXPECT_EQ(client->ErrorOf(get), ZkError::kOk);
  EXPECT_TRUE(client->BodyOf<wire::NamesReply>(ephemerals).names.empty());
  EXPECT_EQ(client->ErrorOf(close), ZkError::kNotReadOnly);
  EXPECT_TRUE(client->closed());
  log_.SetLeader(true);
  const auto back = Connect(TakesReadOnly(ZkClient::Again(*writer_)));
  EXPECT_EQ(back->handshake().session_id, writer_->handshake().session_id);
  EXPECT_EQ(back->handshake().read_only, false);
}

// Z39: only what is known for sure.
TEST_F(ReadOnly, TellsAWrongPasswordFromASessionThatItDoesNotKnow) {
  wire::ConnectRequest wrong = TakesReadOnly(ZkClient::Again(*writer_));
  wrong.password = "0123456789abcdef";
  const auto refused = Connect(wrong);
  EXPECT_EQ(refused->handshake().timeout_ms, 0);
  EXPECT_EQ(refused->handshake().session_id, 0);
  EXPECT_EQ(refused->handshake().read_only, true);
  EXPECT_TRUE(refused->closed());
  wire::ConnectRequest unknown = TakesReadOnly(ZkClient::Again(*writer_));
  ++unknown.session_id;
  const auto client = Connect(unknown);
  EXPECT_FALSE(client->is_answered());
  EXPECT_TRUE(client->closed());
}

TEST_F(ReadOnly, ClientsGoWhenALeaderIsThere) {
  const auto client = Connect(TakesReadOnly());
  scheduler_.RunFor(absl::Seconds(2));
  EXPECT_FALSE(client->closed());
  log_.SetLeader(true);
  scheduler_.RunFor(absl::Seconds(1));
  EXPECT_TRUE(client->closed());
  // It is not known there, and gets a new one.
  const auto late = Connect(TakesReadOnly(ZkClient::Again(*client)));
  EXPECT_EQ(late->handshake().timeout_ms, 0);
  EXPECT_EQ(Connect(TakesReadOnly())->handshake().read_only, false);
}

TEST_F(ReadOnly, SilentClientsGo) {
  const auto silent = Connect(TakesReadOnly(ZkClient::NewSession(2'000)));
  const auto pinging = Connect(TakesReadOnly(ZkClient::NewSession(2'000)));
  for (int i = 0; i < 4; ++i) {
    scheduler_.RunFor(absl::Seconds(1));
    pinging->Ping();
  }
  Settle();
  EXPECT_TRUE(silent->closed());
  EXPECT_FALSE(pinging->closed());
}

// Z9
TEST_F(ReadOnly, SaysNothingToAClientThatHasSeenMore) {
  wire::ConnectRequest request = TakesReadOnly();
  request.last_zxid_seen = service_->applied_zxid().value() + 1;
  EXPECT_FALSE(Connect(request)->is_answered());
}

// What it has may be of long ago.
TEST_F(ReadOnly, AServerThatWasRemovedServesNobody) {
  log_.SetMember(false);
  EXPECT_FALSE(Connect(TakesReadOnly())->is_answered());
}

}  // namespace
}  // namespace bellwether::coord::zk
