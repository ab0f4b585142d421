// Imports and raised zxids of a client, and states with ACLs.
#include <optional>
#include <utility>

#include "client/errors.h"
#include "client/wire.h"
#include "gmock/gmock.h"
#include "tests/unit/client/coord_client_fixture.h"

namespace bellwether::client {
namespace {

TEST(ImportWire, CarriesAllOfAZnode) {
  ImportedZnode znode;
  znode.path = "/a";
  znode.data = "";
  znode.acl = Acl{{kRead, "digest", "bob:hash"}};
  znode.mode = CreateMode::kPersistentWithTtl;
  znode.ttl_ms = 5;
  znode.ctime_ms = 6;
  znode.mtime_ms = 7;
  znode.version = 8;
  znode.aversion = 9;
  znode.children_created = 10;
  const auto wire = ToWire({znode, ImportedZnode{"/b", std::nullopt}}, true);
  EXPECT_TRUE(wire.overwrite());
  ASSERT_EQ(wire.znodes_size(), 2);
  const auto& sent = wire.znodes(0);
  EXPECT_EQ(sent.path(), "/a");
  EXPECT_TRUE(sent.has_data());
  EXPECT_EQ(sent.acl().entries(0).id(), "bob:hash");
  EXPECT_EQ(sent.mode(), coord::v1::CREATE_MODE_PERSISTENT_WITH_TTL);
  EXPECT_EQ(sent.ttl_ms(), 5);
  EXPECT_EQ(sent.ctime_ms(), 6);
  EXPECT_EQ(sent.mtime_ms(), 7);
  EXPECT_EQ(sent.version(), 8);
  EXPECT_EQ(sent.aversion(), 9);
  EXPECT_EQ(sent.children_created(), 10);
  EXPECT_FALSE(wire.znodes(1).has_data());
  EXPECT_FALSE(wire.znodes(1).has_acl());
}

TEST(ImportWire, SaysWhatBecameOfEach) {
  coord::v1::Response response;
  response.set_zxid(5);
  response.mutable_import()->add_outcomes()->set_effect(coord::v1::IMPORT_EFFECT_CREATED);
  response.mutable_import()->add_outcomes()->set_effect(coord::v1::IMPORT_EFFECT_REPLACED);
  response.mutable_import()->add_outcomes()->set_effect(coord::v1::IMPORT_EFFECT_UNCHANGED);
  auto& error = *response.mutable_import()->add_outcomes()->mutable_error();
  error.set_code(6);
  error.set_reason("node_exists");
  const auto result = ImportResultOf(response);
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->outcomes.size(), 4u);
  EXPECT_EQ(result->outcomes[0].effect, ImportOutcome::Effect::kCreated);
  EXPECT_EQ(result->outcomes[1].effect, ImportOutcome::Effect::kReplaced);
  EXPECT_EQ(result->outcomes[2].effect, ImportOutcome::Effect::kUnchanged);
  EXPECT_EQ(result->outcomes[3].effect, ImportOutcome::Effect::kNone);
  EXPECT_EQ(ReasonOf(result->outcomes[3].error), "node_exists");
  EXPECT_EQ(result->zxid, Zxid(5));
  EXPECT_FALSE(ImportResultOf(coord::v1::Response()).ok());
}

TEST(ImportWire, AZnodeOfAStateHasItsAccessIfItWasTold) {
  coord::v1::Znode znode;
  EXPECT_FALSE(FromWire(znode).access.has_value());
  *znode.mutable_acl() = ToWire(Acl{{kRead, "world", "anyone"}});
  znode.set_mode(coord::v1::CREATE_MODE_CONTAINER);
  EXPECT_EQ(FromWire(znode).access->mode, CreateMode::kContainer);
  znode.set_mode(coord::v1::CREATE_MODE_PERSISTENT_WITH_TTL);
  znode.set_ttl_ms(5);
  EXPECT_EQ(FromWire(znode).access->ttl_ms, 5);
  znode.set_mode(coord::v1::CREATE_MODE_EPHEMERAL);
  EXPECT_EQ(FromWire(znode).access->mode, CreateMode::kEphemeral);
  EXPECT_EQ(FromWire(znode).access->acl, (Acl{{kRead, "world", "anyone"}}));
}

// Z11: also of counters that have wrapped.
TEST(ChildrenCreated, FollowFromTheStat) {
  EXPECT_EQ(ChildrenCreated(0, 0), 0);
  EXPECT_EQ(ChildrenCreated(-1, 1), 0);  // of a fresh root
  EXPECT_EQ(ChildrenCreated(5, 1), 3);   // three creations, two deletions
  EXPECT_EQ(ChildrenCreated(INT32_MAX, 1), 1 << 30);
}

using ImportClientTest = CoordClientTest;

TEST_F(ImportClientTest, BothAreWritesInTheirTurn) {
  Deliver(AttachedFrame(1, 0));
  std::optional<absl::StatusOr<ImportResult>> imported;
  std::optional<absl::StatusOr<SyncResult>> raised;
  client_->Import({ImportedZnode{"/a", "x"}}, false, {},
                  [&](absl::StatusOr<ImportResult> result) { imported = std::move(result); });
  client_->RaiseZxid(Zxid(77), {},
                     [&](absl::StatusOr<SyncResult> result) { raised = std::move(result); });
  executor_.Run();
  EXPECT_EQ(Last().sent.back().request().sequence(), 2u);
  EXPECT_EQ(Last().sent.back().request().raise_zxid().zxid(), 77);
  coord::v1::SessionResponse answer;
  answer.mutable_response()->set_request_id(1);
  answer.mutable_response()->set_zxid(5);
  answer.mutable_response()->mutable_import()->add_outcomes()->set_effect(
      coord::v1::IMPORT_EFFECT_CREATED);
  Deliver(answer);
  ASSERT_TRUE(imported.has_value() && imported->ok());
  EXPECT_EQ((*imported)->outcomes.size(), 1u);
  answer.mutable_response()->clear_import();
  answer.mutable_response()->set_request_id(2);
  answer.mutable_response()->set_zxid(78);
  Deliver(answer);
  ASSERT_TRUE(raised.has_value() && raised->ok());
  EXPECT_EQ((*raised)->zxid, Zxid(78));
}

TEST_F(ImportClientTest, APathThatIsNoTextIsRefused) {
  Deliver(AttachedFrame(1, 0));
  absl::Status status;
  client_->Import({ImportedZnode{"/a\xff", "x"}}, false, {},
                  [&](absl::StatusOr<ImportResult> result) { status = result.status(); });
  executor_.Run();
  EXPECT_EQ(ReasonOf(status), "bad_arguments");
}

}  // namespace
}  // namespace bellwether::client
