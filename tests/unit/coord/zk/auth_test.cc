#include <string>

#include "coord/service/identities.h"
#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

// Who clients are, and what they may do.
class ZkAuth : public ProtocolTest {
 protected:
  ZkAuth() : ProtocolTest(Options()) {}

  static ServiceOptions Options() {
    ServiceOptions options = DefaultOptions();
    options.super_digest = DigestIdentity("super:admin").id;
    return options;
  }

  static wire::CreateRequest Making(std::string_view path, wire::Acl acl) {
    return {path, "", std::move(acl), 0};
  }
  ZkError Outcome(ZkClient& client, Opcode opcode, wire::RequestBody body) {
    const int32_t xid = client.Ask(opcode, std::move(body));
    Settle();
    return client.ErrorOf(xid);
  }
  std::vector<std::string> WhoAmI(ZkClient& client) {
    const int32_t xid = client.Ask(Opcode::kWhoAmI, wire::EmptyRequest{});
    Settle();
    std::vector<std::string> who;
    for (const auto& each : client.BodyOf<wire::WhoAmIReply>(xid).identities) {
      who.push_back(std::string(each.scheme) + ":" + std::string(each.user));
    }
    return who;
  }
  // As "31 scheme:id".
  std::vector<std::string> AclOf(ZkClient& client, std::string_view path) {
    const int32_t xid = client.Ask(Opcode::kGetAcl, wire::PathRequest{path});
    Settle();
    std::vector<std::string> acl;
    for (const auto& entry : client.BodyOf<wire::AclReply>(xid).acl) {
      acl.push_back(std::to_string(entry.permissions) + " " + std::string(entry.scheme) + ":" +
                    std::string(entry.id));
    }
    return acl;
  }
};

// Z50
TEST_F(ZkAuth, BeginsWithTheAddress) {
  auto client = Open("10.1.2.3");
  client->Connect(ZkClient::NewSession());
  Settle();
  EXPECT_EQ(WhoAmI(*client), (std::vector<std::string>{"ip:10.1.2.3"}));
  client->Auth("digest", "me:secret");
  EXPECT_EQ(WhoAmI(*client), (std::vector<std::string>{"ip:10.1.2.3", "digest:me"}));
}

// Z51
TEST_F(ZkAuth, IsAnsweredOnReceiptAndHoldsForWhatFollows) {
  const auto client = Connect();
  client->Create("/secret");
  Settle();
  log_.Hold();
  const int32_t before = client->Ask(
      Opcode::kSetAcl, wire::SetAclRequest{"/secret", {{31, "auth", ""}}, -1});
  client->Auth("digest", "me:secret");
  EXPECT_EQ(client->ErrorOf(wire::kAuthXid), ZkError::kOk);
  EXPECT_EQ(client->ZxidOf(wire::kAuthXid), 0);
  const int32_t after = client->Ask(
      Opcode::kSetAcl, wire::SetAclRequest{"/secret", {{31, "auth", ""}}, -1});
  log_.Release();
  Settle();
  EXPECT_EQ(client->ErrorOf(before), ZkError::kInvalidAcl);  // Z49
  EXPECT_EQ(client->ErrorOf(after), ZkError::kOk);
  // It is the connection's, not the session's.
  const auto back = Connect(ZkClient::Again(*client));
  EXPECT_EQ(WhoAmI(*back), (std::vector<std::string>{"ip:127.0.0.1"}));
  EXPECT_EQ(Outcome(*back, Opcode::kGetData, wire::ReadRequest{"/secret", false}),
            ZkError::kNoAuth);
}

// Z51
TEST_F(ZkAuth, EndsTheConnectionWhenItFails) {
  for (const char* scheme : {"kerberos", "world", "auth", ""}) {
    const auto client = Connect();
    client->Auth(scheme, "me:secret");
    EXPECT_EQ(client->ErrorOf(wire::kAuthXid), ZkError::kAuthFailed) << scheme;
    EXPECT_EQ(client->ZxidOf(wire::kAuthXid), 0);
    EXPECT_TRUE(client->closed());
  }
  const auto nothing = Connect();
  nothing->Ask(Opcode::kAuth, wire::AuthRequest{0, "digest", std::nullopt});
  EXPECT_EQ(nothing->ErrorOf(wire::kAuthXid), ZkError::kAuthFailed);
}

// Z51
TEST_F(ZkAuth, CanFollowRightBehindTheHandshake) {
  auto client = Open();
  std::string handshake;
  wire::EncodeConnectRequest(ZkClient::NewSession(), handshake);
  const std::string auth =
      client->Encoded(wire::kAuthXid, Opcode::kAuth, wire::AuthRequest{0, "digest", "me:x"});
  client->SendBytes(ZkClient::Framed(handshake) + ZkClient::Framed(auth));
  Settle();
  EXPECT_EQ(client->ErrorOf(wire::kAuthXid), ZkError::kOk);
  EXPECT_EQ(WhoAmI(*client).size(), 2u);
}

// Z49
TEST_F(ZkAuth, FixesAclsUp) {
  const auto client = Connect();
  const auto create = [&](wire::Acl acl) {
    return Outcome(*client, Opcode::kCreate, Making("/a", std::move(acl)));
  };
  EXPECT_EQ(create({}), ZkError::kInvalidAcl);
  EXPECT_EQ(create({{31, "unknown", "x"}}), ZkError::kInvalidAcl);
  EXPECT_EQ(create({{31, "digest", "no-colon"}}), ZkError::kInvalidAcl);
  EXPECT_EQ(create({{31, "auth", ""}}), ZkError::kInvalidAcl);
  client->Auth("digest", "me:secret");
  EXPECT_EQ(create({{31, "auth", ""}, {1, "world", "anyone"}, {1, "world", "anyone"}}),
            ZkError::kOk);
  EXPECT_EQ(AclOf(*client, "/a"),
            (std::vector<std::string>{"31 digest:" + DigestIdentity("me:secret").id,
                                      "1 world:anyone"}));
}

// Z50
TEST_F(ZkAuth, MasksHashesForThoseWhoMayNotChangeThem) {
  const auto owner = Connect();
  owner->Auth("digest", "me:secret");
  EXPECT_EQ(Outcome(*owner, Opcode::kCreate,
                    Making("/a", {{31, "auth", ""}, {1, "world", "anyone"}})),
            ZkError::kOk);
  const auto other = Connect();
  EXPECT_EQ(AclOf(*other, "/a"), (std::vector<std::string>{"31 digest:me:x", "1 world:anyone"}));
}

// Z50
TEST_F(ZkAuth, IsOnlyNeededWhereAnAclSaysSo) {
  const auto owner = Connect();
  owner->Auth("digest", "me:secret");
  EXPECT_EQ(Outcome(*owner, Opcode::kCreate, Making("/a", {{31, "auth", ""}})), ZkError::kOk);
  const auto other = Connect();
  const wire::ReadRequest read{"/a", false};
  for (const Opcode opcode : {Opcode::kExists, Opcode::kGetData, Opcode::kGetChildren}) {
    EXPECT_EQ(Outcome(*other, opcode, read), ZkError::kNoAuth);
    EXPECT_EQ(Outcome(*owner, opcode, read), ZkError::kOk);
  }
  EXPECT_EQ(Outcome(*other, Opcode::kSetData, wire::SetDataRequest{"/a", "", -1}),
            ZkError::kNoAuth);
  EXPECT_EQ(Outcome(*other, Opcode::kCreate, ZkClient::Making("/a/b")), ZkError::kNoAuth);
  EXPECT_EQ(Outcome(*other, Opcode::kMulti,
                    wire::MultiRequest{{{Opcode::kCheck, wire::CheckVersionRequest{"/a", -1}}}}),
            ZkError::kOk);  // Z22: the operation's own error is in the body
  const auto super = Connect();
  super->Auth("digest", "super:admin");
  EXPECT_EQ(Outcome(*super, Opcode::kGetData, read), ZkError::kOk);
}

// Z1, Z19
TEST_F(ZkAuth, ComparesTheAclsVersion) {
  const auto client = Connect();
  client->Create("/a");
  const auto set = [&](int32_t aversion) {
    const wire::SetAclRequest request{"/a", {{1, "world", "anyone"}, {31, "ip", "127.0.0.1"}},
                                      aversion};
    const int32_t xid = client->Ask(Opcode::kSetAcl, request);
    Settle();
    return xid;
  };
  EXPECT_EQ(client->ErrorOf(set(1)), ZkError::kBadVersion);
  EXPECT_EQ(client->BodyOf<wire::StatReply>(set(0)).stat.aversion, 1);
  EXPECT_EQ(client->BodyOf<wire::StatReply>(set(-1)).stat.aversion, 2);
  const wire::SetAclRequest missing{"/none", ZkClient::OpenAcl(), -1};
  EXPECT_EQ(Outcome(*client, Opcode::kSetAcl, missing), ZkError::kNoNode);
}

}  // namespace
}  // namespace bellwether::coord::zk
