#include <string>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

class Handshake : public ProtocolTest {};

TEST_F(Handshake, OpensASessionWithIdAndPassword) {
  const auto client = Connect();
  ASSERT_TRUE(client->is_answered());
  const wire::ConnectResponse answer = client->handshake();
  EXPECT_NE(answer.session_id, 0);
  EXPECT_EQ(static_cast<uint64_t>(answer.session_id) >> 56, options_.server_id);  // Z36
  EXPECT_EQ(answer.password.size(), 16u);                                        // Z37
  EXPECT_EQ(answer.timeout_ms, 10'000);
  EXPECT_FALSE(client->closed());
}

// Z38
TEST_F(Handshake, ClampsTheTimeoutAtEachAttach) {
  EXPECT_EQ(Connect(ZkClient::NewSession(0))->handshake().timeout_ms, 1'000);
  EXPECT_EQ(Connect(ZkClient::NewSession(-5))->handshake().timeout_ms, 1'000);
  const auto client = Connect(ZkClient::NewSession(2'000'000'000));
  EXPECT_EQ(client->handshake().timeout_ms, 120'000);
  wire::ConnectRequest again = ZkClient::Again(*client);
  again.timeout_ms = 5'000;
  EXPECT_EQ(Connect(again)->handshake().timeout_ms, 5'000);
}

TEST_F(Handshake, HasTheReadOnlyByteIfTheClientsHasIt) {
  wire::ConnectRequest request = ZkClient::NewSession();
  EXPECT_EQ(Connect(request)->handshake_bytes().size(), 37u);
  request.read_only.reset();
  EXPECT_EQ(Connect(request)->handshake_bytes().size(), 36u);
}

// Z57: while there is a leader such a client is one like any other.
TEST_F(Handshake, ServesAClientThatWouldReadOnly) {
  wire::ConnectRequest request = ZkClient::NewSession();
  request.read_only = true;
  const auto client = Connect(request);
  EXPECT_EQ(client->handshake().read_only, false);
  const int32_t xid = client->Create("/a");
  Settle();
  EXPECT_EQ(client->ErrorOf(xid), ZkError::kOk);
}

// Z9
TEST_F(Handshake, SaysNothingToAClientThatHasSeenMore) {
  wire::ConnectRequest request = ZkClient::NewSession();
  request.last_zxid_seen = service_->applied_zxid().value();
  EXPECT_TRUE(Connect(request)->is_answered());
  request.last_zxid_seen = service_->applied_zxid().value() + 1;
  const auto refused = Connect(request);
  EXPECT_FALSE(refused->is_answered());
  EXPECT_TRUE(refused->closed());
}

// Z39
TEST_F(Handshake, TellsThatASessionIsGone) {
  const auto owner = Connect();
  wire::ConnectRequest unknown = ZkClient::Again(*owner);
  ++unknown.session_id;
  wire::ConnectRequest wrong_password = ZkClient::Again(*owner);
  wrong_password.password = "0123456789abcdef";
  wire::ConnectRequest short_password = ZkClient::Again(*owner);
  short_password.password = "";
  for (const wire::ConnectRequest& request : {unknown, wrong_password, short_password}) {
    const auto client = Connect(request);
    const std::string zeros(16, '\0');
    EXPECT_EQ(client->handshake(), (wire::ConnectResponse{0, 0, 0, zeros, false}));
    EXPECT_TRUE(client->closed());
  }
  EXPECT_FALSE(owner->closed());
}

// Z42
TEST_F(Handshake, TakesTheSessionFromItsOlderConnection) {
  const auto older = Connect();
  const auto newer = Connect(ZkClient::Again(*older));
  EXPECT_EQ(newer->handshake().session_id, older->handshake().session_id);
  EXPECT_TRUE(older->closed());
  const size_t frames = older->frame_count();
  older->Create("/late");
  Settle();
  EXPECT_EQ(older->frame_count(), frames);
  const int32_t exists = newer->Exists("/late");
  const int32_t create = newer->Create("/new");
  Settle();
  EXPECT_EQ(newer->ErrorOf(exists), ZkError::kNoNode);
  EXPECT_EQ(newer->ErrorOf(create), ZkError::kOk);
}

// Z43
TEST_F(Handshake, IsFollowedByRequestsBeforeItIsAnswered) {
  log_.Hold();
  auto client = Open();
  std::string handshake;
  wire::EncodeConnectRequest(ZkClient::NewSession(), handshake);
  const std::string create =
      client->Encoded(1, Opcode::kCreate, ZkClient::Making("/a", "x"));
  const std::string get = client->Encoded(2, Opcode::kGetData, wire::ReadRequest{"/a", false});
  client->SendBytes(ZkClient::Framed(handshake) + ZkClient::Framed(create) +
                    ZkClient::Framed(get));
  Settle();
  EXPECT_FALSE(client->is_answered());
  EXPECT_TRUE(client->wants_input());
  log_.Release();
  Settle();
  EXPECT_EQ(client->xids(), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(client->BodyOf<wire::DataReply>(2).data, "x");
}

// Z43
TEST_F(Handshake, BoundsWhatWaitsBehindIt) {
  log_.Hold();
  auto client = Open();
  client->Connect(ZkClient::NewSession());
  const std::string data(70'000, 'x');
  client->Set("/a", data);
  EXPECT_FALSE(client->wants_input());
  log_.Release();
  Settle();
  EXPECT_TRUE(client->wants_input());
  EXPECT_EQ(client->ErrorOf(1), ZkError::kNoNode);
}

// Z58: every session is the ensemble's, by a command of the log; none is opened here alone.
TEST_F(Handshake, OpensNoLocalSession) {
  const auto zxid = service_->applied_zxid();
  log_.Hold();
  auto client = Open();
  client->Connect(ZkClient::NewSession());
  Settle();
  EXPECT_FALSE(client->is_answered());
  log_.Release();
  Settle();
  ASSERT_TRUE(client->is_answered());
  EXPECT_EQ(service_->applied_zxid(), zxid + 1);
  EXPECT_EQ(service_->Status().sessions, 1u);
  const int32_t xid = client->Create("/e", "", wire::CreateFlags::kEphemeral);
  Settle();
  EXPECT_EQ(client->ErrorOf(xid), ZkError::kOk);
}

// Z47
TEST_F(Handshake, EndsWhenItIsNone) {
  for (const std::string& bytes : {std::string("\0\0\0\3abc", 7),
                                   std::string("\377\377\377\377", 4),
                                   std::string("\0\1\0\1", 4)}) {
    auto client = Open();
    client->SendBytes(bytes);
    EXPECT_TRUE(client->closed());
    EXPECT_FALSE(client->is_answered());
  }
}

TEST_F(Handshake, EndsWithoutALeader) {
  log_.SetLeader(false);
  const auto client = Connect();
  EXPECT_TRUE(client->closed());
  EXPECT_FALSE(client->is_answered());
}

TEST_F(Handshake, EndsWhenTheServerStops) {
  const auto client = Connect();
  service_->Stop();
  Settle();
  EXPECT_TRUE(client->closed());
  const auto late = Connect();
  EXPECT_TRUE(late->closed());
  EXPECT_FALSE(late->is_answered());
}

class HandshakeOfOldEnsemble : public ProtocolTest {
 protected:
  HandshakeOfOldEnsemble() : ProtocolTest(Options()) {}

  static ServiceOptions Options() {
    ServiceOptions options = DefaultOptions();
    options.feature_levels = {1, 2};
    return options;
  }
};

TEST_F(HandshakeOfOldEnsemble, IsRefused) {
  const auto client = Connect();
  EXPECT_TRUE(client->closed());
  EXPECT_FALSE(client->is_answered());
}

}  // namespace
}  // namespace bellwether::coord::zk
