// Who asks, and what ACLs let them.
#include "coord/service/envelope.h"
#include "coord/service/identities.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const tree::Identity kBob{"digest", "bob:hash"};
const tree::Acl kBobOnly{{tree::kAllPermissions, "digest", "bob:hash"}};

class AccessTest : public ServiceTest {
 protected:
  explicit AccessTest(ServiceOptions options = DefaultOptions()) : ServiceTest(options) {}

  static uint64_t CreateFor(TestClient& client, std::string path, tree::Acl acl) {
    tree::Create create;
    create.path = std::move(path);
    create.acl = std::move(acl);
    return client.Ask(std::move(create));
  }
  tree::Command LastCommand() const { return OpenCommand(log_.commands().back())->command; }
};

// Z51
TEST_F(AccessTest, RequestsAreMadeAsWhoTheClientWasWhenTheyCame) {
  auto client = Connect();
  CreateFor(*client, "/s", kBobOnly);
  const uint64_t read_before = client->Get("/s");
  const uint64_t write_before = client->Set("/s", "1");
  client->Become({kBob});
  const uint64_t read = client->Get("/s");
  const uint64_t write = client->Set("/s", "2");
  client->Become({});
  const uint64_t read_after = client->Get("/s");
  Settle();
  EXPECT_EQ(client->ReasonOf(read_before), "no_auth");
  EXPECT_EQ(client->ReasonOf(write_before), "no_auth");
  EXPECT_EQ(client->ReasonOf(read), "ok");
  EXPECT_EQ(client->ReasonOf(write), "ok");
  EXPECT_EQ(client->ReasonOf(read_after), "no_auth");
}

TEST_F(AccessTest, ARequestMayCarryItsOwnIdentities) {
  auto client = Connect();
  CreateFor(*client, "/s", kBobOnly);
  Request read = client->Make(GetRead{"/s"});
  read.identities = std::make_shared<const tree::Identities>(tree::Identities{kBob});
  const uint64_t id = read.id;
  client->Send(std::move(read));
  Settle();
  EXPECT_EQ(client->ReasonOf(id), "ok");
}

// Z50
TEST_F(AccessTest, AClientIsItsAddressAtFirst) {
  auto near = Connect(NewSession(1), "10.1.2.3:77");
  auto far = Connect(NewSession(2), "10.1.3.3:77");
  CreateFor(*near, "/s", {{tree::kAllPermissions, "ip", "10.1.2.0/24"}});
  Settle();
  EXPECT_THAT(LastCommand().identities,
              ElementsAre(tree::Identity{"ip", "10.1.2.3"}));
  const uint64_t permitted = near->Set("/s", "1");
  const uint64_t refused = far->Set("/s", "1");
  Settle();
  EXPECT_EQ(near->ReasonOf(permitted), "ok");
  EXPECT_EQ(far->ReasonOf(refused), "no_auth");
}

TEST_F(AccessTest, RefusalsNameThePathAndSayWhatToDo) {
  auto client = Connect();
  CreateFor(*client, "/s", kBobOnly);
  const uint64_t set = client->Set("/s", "1");
  const uint64_t invalid = CreateFor(*client, "/t", {});
  Settle();
  EXPECT_EQ(client->Find(set)->failure->result_code, tree::ResultCode::kNoAuth);
  EXPECT_THAT(client->Find(set)->failure->message, HasSubstr("/s"));
  EXPECT_THAT(client->Find(set)->failure->message, HasSubstr("authenticate"));
  EXPECT_EQ(client->Find(invalid)->failure->result_code, tree::ResultCode::kInvalidAcl);
  EXPECT_THAT(client->Find(invalid)->failure->message, HasSubstr("scheme"));
}

TEST_F(AccessTest, AnAclIsReplacedAtItsVersion) {
  auto client = Connect();
  client->Create("/a");
  const uint64_t first = client->Ask(tree::SetAcl{"/a", tree::OpenAcl(), 0});
  const uint64_t second = client->Ask(tree::SetAcl{"/a", kBobOnly, 1});
  const uint64_t late = client->Ask(tree::SetAcl{"/a", tree::OpenAcl(), 1});
  Settle();
  EXPECT_EQ(std::get<SetAclResult>(client->Find(first)->result).stat.aversion, 1);
  EXPECT_EQ(std::get<SetAclResult>(client->Find(second)->result).stat.aversion, 2);
  EXPECT_EQ(client->ReasonOf(late), "no_auth");
}

TEST_F(AccessTest, TransactionsCheckVersionsInOrder) {
  auto client = Connect();
  client->Create("/a");
  tree::Transaction good;
  good.operations = {tree::SetData{"/a", {}, 0}, tree::Check{"/a", 1}, tree::Delete{"/a"}};
  tree::Transaction bad;
  bad.operations = {tree::Create{"/b"}, tree::Check{"/b", 7}};
  const uint64_t done = client->Ask(good);
  const uint64_t failed = client->Ask(bad);
  Settle();
  const auto& results = std::get<TransactionResult>(client->Find(done)->result).results;
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<CheckResult>(results[1]));
  EXPECT_EQ(std::get<TransactionResult>(client->Find(failed)->result).failed_operation, 1);
  EXPECT_EQ(client->Find(failed)->failure->result_code, tree::ResultCode::kBadVersion);
  EXPECT_THAT(client->Find(failed)->failure->message, HasSubstr("/b"));
}

TEST_F(AccessTest, ClosingASessionCarriesNobody) {
  auto client = Connect();
  client->Ask(tree::CloseSession());
  Settle();
  EXPECT_THAT(LastCommand().identities, IsEmpty());
}

TEST_F(AccessTest, IdentitiesCountAsBytesOfTheirRequest) {
  Request request;
  request.operation = tree::Create{"/a"};
  const size_t alone = WriteBytes(request);
  request.identities = std::make_shared<const tree::Identities>(tree::Identities{kBob});
  EXPECT_EQ(WriteBytes(request), alone + kBob.scheme.size() + kBob.id.size());
}

class BelowAclsTest : public AccessTest {
 protected:
  static ServiceOptions Earlier() {
    ServiceOptions options = DefaultOptions();
    options.feature_levels = {1, 2};
    return options;
  }
  BelowAclsTest() : AccessTest(Earlier()) {}
};

TEST_F(BelowAclsTest, CommandsCarryNobody) {
  auto client = Connect();
  client->Create("/a");
  Settle();
  EXPECT_EQ(client->All<Response>().size(), 1u);
  EXPECT_THAT(LastCommand().identities, IsEmpty());
}

TEST_F(BelowAclsTest, WhatIsNewIsRefused) {
  auto client = Connect();
  const auto refused = [&](RequestOperation operation) {
    const uint64_t id = client->Ask(std::move(operation));
    Settle();
    --client->last_sequence;  // free again
    return client->ReasonOf(id);
  };
  tree::Create with_acl{"/a"};
  with_acl.acl = tree::OpenAcl();
  tree::Transaction check;
  check.operations = {tree::Check{"/", -1}};
  EXPECT_EQ(refused(with_acl), "feature_level");
  EXPECT_EQ(refused(tree::Create{"/a", {}, tree::CreateMode::kContainer}), "feature_level");
  EXPECT_EQ(refused(tree::SetAcl{"/", tree::OpenAcl()}), "feature_level");
  EXPECT_EQ(refused(check), "feature_level");
}

class SuperuserTest : public AccessTest {
 protected:
  static ServiceOptions WithSuperuser() {
    ServiceOptions options = DefaultOptions();
    options.super_digest = DigestIdentity("super:secret").id;
    return options;
  }
  SuperuserTest() : AccessTest(WithSuperuser()) {}
};

TEST_F(SuperuserTest, PassesEveryAcl) {
  auto client = Connect();
  CreateFor(*client, "/s", kBobOnly);
  client->Become(*service_->Authenticate({}, "digest", "super:wrong"));
  const uint64_t refused = client->Get("/s");
  client->Become(*service_->Authenticate({}, "digest", "super:secret"));
  const uint64_t read = client->Get("/s");
  const uint64_t write = client->Set("/s", "1");
  Settle();
  EXPECT_EQ(client->ReasonOf(refused), "no_auth");
  EXPECT_EQ(client->ReasonOf(read), "ok");
  EXPECT_EQ(client->ReasonOf(write), "ok");
}

}  // namespace
}  // namespace bellwether::coord
