// ACLs, TTLs and credentials of a client.
#include <optional>
#include <string>
#include <vector>

#include "client/errors.h"
#include "client/wire.h"
#include "gmock/gmock.h"
#include "tests/unit/client/coord_client_fixture.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

const Acl kAcl{{kRead | kAdmin, "digest", "bob:hash"}, {kRead, "world", "anyone"}};

class AccessClientTest : public CoordClientTest {
 protected:
  const coord::v1::Request& LastRequest() { return Last().sent.back().request(); }
  std::vector<std::string> AttachedAs() {
    std::vector<std::string> texts;
    for (const auto& one : Last().sent.at(0).attach().credentials()) {
      texts.push_back(one.scheme() + "=" + one.credential());
    }
    return texts;
  }
  // The status of `authenticate` that the server answers with this.
  absl::Status Authenticate(coord::v1::SessionResponse answer) {
    std::optional<absl::Status> status;
    client_->Authenticate({"digest", "bob:pw"}, {},
                          [&](absl::StatusOr<SyncResult> result) { status = result.status(); });
    executor_.Run();
    EXPECT_EQ(LastRequest().authenticate().credential().credential(), "bob:pw");
    Deliver(std::move(answer));
    return status.value_or(absl::InternalError("not answered"));
  }
};

TEST(AccessWire, ACreateCarriesAclAndTtl) {
  const auto wire = ToWire(CreateOperation{
      "/a", "x", CreateMode::kPersistentSequentialWithTtl, kAcl, absl::Milliseconds(1'500)});
  EXPECT_EQ(wire.mode(), coord::v1::CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL);
  EXPECT_EQ(wire.ttl_ms(), 1'500);
  ASSERT_EQ(wire.acl().entries_size(), 2);
  EXPECT_EQ(wire.acl().entries(0).permissions(), 17u);
  EXPECT_EQ(wire.acl().entries(0).scheme(), "digest");
  EXPECT_EQ(wire.acl().entries(1).id(), "anyone");
  EXPECT_FALSE(ToWire(CreateOperation{"/a"}).has_acl());
}

TEST(AccessWire, AnAclIsReadAsItWasWritten) {
  coord::v1::Response response;
  response.set_zxid(5);
  *response.mutable_get_acl()->mutable_acl() = ToWire(kAcl);
  response.mutable_get_acl()->mutable_stat()->set_aversion(3);
  const auto result = AclResultOf(response);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->acl, kAcl);
  EXPECT_EQ(result->stat.aversion, 3);
  EXPECT_EQ(result->zxid, Zxid(5));
}

TEST(AccessWire, AChecksResultIsItsOwn) {
  Transaction transaction;
  transaction.operations.push_back(CheckOperation{"/a", 4});
  const auto wire = ToWire(std::move(transaction));
  EXPECT_EQ(wire.operations(0).check().version(), 4);
  coord::v1::Response response;
  response.mutable_transaction()->add_results()->mutable_check();
  const auto result = TransactionResultOf(response);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(std::holds_alternative<CheckResult>(result->results.at(0)));
}

TEST_F(AccessClientTest, ANewAclIsAWriteAndAReadOneIsNot) {
  Deliver(AttachedFrame(1, 0));
  client_->SetAcl("/a", kAcl, 2, {}, [](absl::StatusOr<SetResult>) {});
  executor_.Run();
  EXPECT_EQ(LastRequest().sequence(), 1u);
  EXPECT_EQ(LastRequest().set_acl().version(), 2);
  client_->GetAcl("/a", {}, [](absl::StatusOr<AclResult>) {});
  executor_.Run();
  EXPECT_EQ(LastRequest().sequence(), 0u);
  EXPECT_EQ(LastRequest().get_acl().path(), "/a");
}

TEST_F(AccessClientTest, ABadUtf8AclIsRefusedBeforeItIsSent) {
  Deliver(AttachedFrame(1, 0));
  absl::Status status;
  client_->SetAcl("/a", {{1, "digest", "\xff"}}, kAnyVersion, {},
                  [&](absl::StatusOr<SetResult> result) { status = result.status(); });
  executor_.Run();
  EXPECT_EQ(ReasonOf(status), "bad_arguments");
}

TEST_F(AccessClientTest, WhatProvedSomethingIsGivenAgainAtTheNextServer) {
  Deliver(AttachedFrame(1, 0));
  EXPECT_THAT(AttachedAs(), ElementsAre());
  EXPECT_EQ(ReasonOf(Authenticate(
                Failed(1, 0, absl::StatusCode::kUnauthenticated, "auth_failed"))),
            "auth_failed");
  coord::v1::SessionResponse done;
  done.mutable_response()->set_request_id(2);
  EXPECT_TRUE(Authenticate(done).ok());
  Break();
  EXPECT_THAT(AttachedAs(), ElementsAre("digest=bob:pw"));
}

TEST_F(AccessClientTest, RefusedCredentialsEndAClientWithoutASession) {
  coord::v1::SessionResponse refused;
  SetError(absl::StatusCode::kUnauthenticated, "auth_failed", common::v1::OUTCOME_REJECTED,
           *refused.mutable_attached()->mutable_error());
  Deliver(refused);
  EXPECT_THAT(states_, ElementsAre(SessionState::kExpired));
  EXPECT_TRUE(absl::IsUnauthenticated(client_->final_status()));
}

TEST_F(AccessClientTest, WithASessionAnotherServerIsAsked) {
  Deliver(AttachedFrame(1, 0));
  Break();
  coord::v1::SessionResponse refused;
  SetError(absl::StatusCode::kUnauthenticated, "auth_failed", common::v1::OUTCOME_REJECTED,
           *refused.mutable_attached()->mutable_error());
  Deliver(refused);
  EXPECT_EQ(client_->state(), SessionState::kSuspended);
  executor_.Advance(absl::Seconds(2));
  EXPECT_EQ(ensemble_.sessions.size(), 3u);
}

}  // namespace
}  // namespace bellwether::client
