#include "coord/rpc/convert.h"

#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Numbered, as a write must be.
Request RequestOf(v1::SessionRequest frame) {
  frame.mutable_request()->set_sequence(1);
  ClientFrame converted = ToClientFrame(std::move(frame));
  EXPECT_TRUE(std::holds_alternative<Request>(converted));
  return std::get<Request>(std::move(converted));
}

TEST(ConvertAttach, KeepsEveryField) {
  v1::SessionRequest frame;
  v1::Attach& attach = *frame.mutable_attach();
  attach.set_ensemble_id(base::Uuid(1, 2).Bytes());
  attach.set_session_id(77);
  attach.set_password("0123456789abcdef");
  attach.set_timeout_ms(3'000);
  attach.set_min_zxid(9);
  const auto request = std::get<AttachRequest>(ToClientFrame(std::move(frame)));
  EXPECT_EQ(request.ensemble_id, base::Uuid(1, 2));
  EXPECT_EQ(request.session, SessionId(77));
  EXPECT_EQ(request.password[0], '0');
  EXPECT_EQ(request.password[15], 'f');
  EXPECT_EQ(request.timeout_ms, 3'000);
  EXPECT_EQ(request.min_zxid, Zxid(9));
}

TEST(ConvertAttach, WrongLengthsBreakTheProtocol) {
  for (const size_t length : {size_t{1}, size_t{15}, size_t{17}, size_t{1'000'000}}) {
    const std::string bytes(length, 'x');
    v1::SessionRequest ensemble, nonce, password;
    ensemble.mutable_attach()->set_ensemble_id(bytes);
    nonce.mutable_attach()->set_nonce(bytes);
    password.mutable_attach()->set_session_id(1);
    password.mutable_attach()->set_password(bytes);
    for (v1::SessionRequest* frame : {&ensemble, &nonce, &password}) {
      EXPECT_TRUE(std::holds_alternative<ProtocolError>(ToClientFrame(std::move(*frame))));
    }
  }
}

TEST(ConvertAttach, ReadOnlyHasNoSession) {
  v1::SessionRequest frame;
  frame.mutable_attach()->set_read_only(true);
  EXPECT_TRUE(std::get<AttachRequest>(ToClientFrame(v1::SessionRequest(frame))).read_only);
  frame.mutable_attach()->set_session_id(77);
  frame.mutable_attach()->set_password("0123456789abcdef");
  EXPECT_TRUE(std::holds_alternative<ProtocolError>(ToClientFrame(std::move(frame))));

  Attached attached;
  attached.ensemble_id = base::Uuid(1, 2);
  attached.server_id = 3;
  attached.zxid = Zxid(9);
  v1::SessionResponse answer;
  ToProto(ServerFrame(attached), answer);
  EXPECT_EQ(answer.attached().session_id(), 0u);
  EXPECT_TRUE(answer.attached().password().empty());
  EXPECT_EQ(answer.attached().ensemble_id(), base::Uuid(1, 2).Bytes());
  EXPECT_EQ(answer.attached().zxid(), 9);
}

TEST(ConvertFrame, AnEmptyFrameBreaksTheProtocol) {
  EXPECT_TRUE(std::holds_alternative<ProtocolError>(ToClientFrame(v1::SessionRequest())));
}

TEST(ConvertRequest, ARequestWithoutAnOperationIsRefusedInItsTurn) {
  v1::SessionRequest frame;
  frame.mutable_request()->set_request_id(5);
  const Request request = RequestOf(frame);
  EXPECT_EQ(request.id, 5u);
  ASSERT_TRUE(request.malformed.has_value());
  EXPECT_EQ(request.malformed->reason, "bad_arguments");
}

TEST(ConvertRequest, NullAndEmptyDataDiffer) {
  v1::SessionRequest null_data, empty_data;
  null_data.mutable_request()->mutable_create()->set_path("/a");
  empty_data.mutable_request()->mutable_create()->set_path("/a");
  empty_data.mutable_request()->mutable_create()->set_data("");
  EXPECT_TRUE(std::get<tree::Create>(RequestOf(null_data).operation).data.is_null());
  EXPECT_FALSE(std::get<tree::Create>(RequestOf(empty_data).operation).data.is_null());
}

TEST(ConvertRequest, RefusesAnUnknownCreateMode) {
  for (const int mode : {-1, 7, 1'000'000}) {
    v1::SessionRequest frame;
    frame.mutable_request()->mutable_create()->set_mode(static_cast<v1::CreateMode>(mode));
    EXPECT_TRUE(RequestOf(frame).malformed.has_value()) << mode;
  }
}

TEST(ConvertRequest, KeepsTtlAndAclOfACreate) {
  v1::SessionRequest frame;
  v1::CreateRequest& create = *frame.mutable_request()->mutable_create();
  create.set_mode(v1::CREATE_MODE_PERSISTENT_WITH_TTL);
  create.set_ttl_ms(5'000);
  EXPECT_FALSE(std::get<tree::Create>(RequestOf(frame).operation).acl.has_value());
  create.mutable_acl();
  EXPECT_TRUE(std::get<tree::Create>(RequestOf(frame).operation).acl.value().empty());
  v1::AclEntry& entry = *create.mutable_acl()->add_entries();
  entry.set_permissions(3);
  entry.set_scheme("ip");
  entry.set_id("10.0.0.0/8");
  const auto operation = std::get<tree::Create>(RequestOf(frame).operation);
  EXPECT_EQ(operation.mode, tree::CreateMode::kPersistentWithTtl);
  EXPECT_EQ(operation.ttl_ms, 5'000);
  EXPECT_THAT(operation.acl.value(), ElementsAre(tree::AclEntry{3, "ip", "10.0.0.0/8"}));
}

TEST(ConvertRequest, CopiesNoMoreOfAnAclThanWhatMakesItTooLarge) {
  v1::SessionRequest frame;
  for (int i = 0; i < 5'000; ++i) {
    frame.mutable_request()->mutable_set_acl()->mutable_acl()->add_entries();
  }
  const auto operation = std::get<tree::SetAcl>(RequestOf(frame).operation);
  EXPECT_EQ(operation.acl.size(), tree::kAclEntriesMax + 1);
  EXPECT_TRUE(tree::ExceedsLimits(operation.acl));
}

TEST(ConvertRequest, ARecursiveDeleteTakesNoVersion) {
  v1::SessionRequest frame;
  v1::DeleteRequest& del = *frame.mutable_request()->mutable_delete_();
  del.set_path("/a");
  del.set_recursive(true);
  del.set_version(-1);
  EXPECT_FALSE(RequestOf(frame).malformed.has_value());
  del.set_version(3);
  EXPECT_TRUE(RequestOf(frame).malformed.has_value());
}

TEST(ConvertTransaction, SplitsComparesAndRemembersTheirPositions) {
  v1::SessionRequest frame;
  v1::TransactionRequest& transaction = *frame.mutable_request()->mutable_transaction();
  transaction.add_compares()->set_exists(true);
  v1::Compare& many = *transaction.add_compares();
  many.set_version(1);
  many.set_czxid(2);
  many.set_mzxid(3);
  many.set_ephemeral_owner(~uint64_t{0});
  transaction.add_compares();  // no condition at all
  transaction.add_compares()->set_exists(false);
  const Request request = RequestOf(frame);
  EXPECT_THAT(request.compare_positions, ElementsAre(0, 1, 1, 1, 1, 3));
  const auto& compares = std::get<tree::Transaction>(request.operation).compares;
  ASSERT_EQ(compares.size(), 6u);
  EXPECT_EQ(compares[4].field, tree::Compare::Field::kEphemeralOwner);
  EXPECT_EQ(compares[4].value, -1);
  EXPECT_EQ(compares[5].value, 0);
}

TEST(ConvertTransaction, RefusesWhatItCannotExpress) {
  v1::SessionRequest nothing, recursive;
  nothing.mutable_request()->mutable_transaction()->add_operations();
  recursive.mutable_request()->mutable_transaction()->add_operations()->mutable_delete_()
      ->set_recursive(true);
  EXPECT_TRUE(RequestOf(nothing).malformed.has_value());
  EXPECT_THAT(RequestOf(recursive).malformed.value().message, HasSubstr("recursively"));
}

TEST(ConvertResponse, CarriesErrorAndDetails) {
  Response response;
  response.request_id = 4;
  response.zxid = Zxid(8);
  response.failure = FailureOf(tree::ResultCode::kCompareFailed, "/a");
  TransactionResult result;
  result.failed_compare = 2;
  response.result = result;
  v1::SessionResponse frame;
  ToProto(ServerFrame(response), frame);
  const v1::Response& out = frame.response();
  EXPECT_EQ(out.error().reason(), "compare_failed");
  EXPECT_EQ(out.error().outcome(), ::bellwether::common::v1::OUTCOME_REJECTED);
  EXPECT_THAT(out.error().message(), HasSubstr("/a"));
  EXPECT_EQ(out.transaction().failed_compare(), 2);
  EXPECT_EQ(out.transaction().failed_operation(), -1);
}

TEST(ConvertResponse, AnUnknownOutcomeStaysUnknown) {
  v1::SessionResponse frame;
  const Failure failure{absl::StatusCode::kUnavailable, "why", "", base::Outcome::kUnknown};
  ToProto(ServerFrame(Detached{failure}), frame);
  EXPECT_EQ(frame.detached().error().outcome(), ::bellwether::common::v1::OUTCOME_UNKNOWN);
}

TEST(ConvertResponse, ShowsADigestsUserWithoutTheHash) {
  Response response;
  response.result = WhoAmIResult{{{"ip", "::1"}, {"digest", "bob:hash"}, {"super", ""}}};
  v1::SessionResponse frame;
  ToProto(ServerFrame(response), frame);
  const v1::WhoAmIResult& who = frame.response().who_am_i();
  ASSERT_EQ(who.identities_size(), 3);
  EXPECT_EQ(who.identities(0).id(), "::1");
  EXPECT_EQ(who.identities(1).id(), "bob");
  EXPECT_EQ(who.identities(2).scheme(), "super");
}

TEST(ConvertTransaction, ChecksAreOperations) {
  v1::SessionRequest frame;
  v1::CheckRequest& check = *frame.mutable_request()->mutable_transaction()->add_operations()
                                 ->mutable_check();
  check.set_path("/a");
  check.set_version(3);
  const Request request = RequestOf(frame);
  const auto& operations = std::get<tree::Transaction>(request.operation).operations;
  EXPECT_EQ(std::get<tree::Check>(operations.at(0)), (tree::Check{"/a", 3}));
  Response response;
  response.result = TransactionResult{{CheckResult()}};
  v1::SessionResponse answer;
  ToProto(ServerFrame(response), answer);
  EXPECT_TRUE(answer.response().transaction().results(0).has_check());
}

TEST(ConvertWatch, SendsPayloadsButNoStatOfADeletion) {
  tree::Change created;
  created.path = "/a";
  created.data = tree::SharedBytes::Copy("x");
  tree::Change deleted = created;
  deleted.type = tree::Change::Type::kDeleted;
  deleted.data = tree::SharedBytes();
  WatchChanges changes;
  changes.set = MakeChangeSet(Zxid(5), {created, deleted});
  for (const tree::Change& change : changes.set->changes) changes.changes.push_back(&change);
  v1::WatchResponse frame;
  ToProto(WatchFrame(changes), frame);
  ASSERT_EQ(frame.changes().changes_size(), 2);
  EXPECT_EQ(frame.changes().zxid(), 5);
  EXPECT_EQ(frame.changes().changes(0).data(), "x");
  EXPECT_TRUE(frame.changes().changes(0).has_stat());
  EXPECT_FALSE(frame.changes().changes(1).has_data());
  EXPECT_FALSE(frame.changes().changes(1).has_stat());
}

TEST(ConvertRequest, KeepsAllOfAnImport) {
  v1::SessionRequest frame;
  v1::ImportRequest& import = *frame.mutable_request()->mutable_import();
  import.set_overwrite(true);
  v1::ImportedZnode& znode = *import.add_znodes();
  znode.set_path("/a");
  znode.set_data("");
  v1::AclEntry& entry = *znode.mutable_acl()->add_entries();
  entry.set_permissions(1);
  entry.set_scheme("digest");
  entry.set_id("bob:hash");
  znode.set_mode(v1::CREATE_MODE_PERSISTENT_WITH_TTL);
  znode.set_ttl_ms(5);
  znode.set_ctime_ms(6);
  znode.set_mtime_ms(7);
  znode.set_version(8);
  znode.set_aversion(9);
  znode.set_children_created(10);
  import.add_znodes()->set_path("/b");
  const Request request = RequestOf(v1::SessionRequest(frame));
  const tree::ImportedZnode expected{
      "/a", tree::SharedBytes::Copy(""), tree::Acl{{1, "digest", "bob:hash"}},
      tree::CreateMode::kPersistentWithTtl, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(std::get<tree::Import>(request.operation),
            (tree::Import{{expected, tree::ImportedZnode{"/b", {}}}, true}));
  EXPECT_TRUE(request.is_write());
  frame.mutable_request()->mutable_import()->mutable_znodes(1)->set_mode(
      static_cast<v1::CreateMode>(77));
  EXPECT_TRUE(RequestOf(std::move(frame)).malformed.has_value());
}

TEST(ConvertResponse, SaysWhatBecameOfEachImportedZnode) {
  Response response;
  response.result = ImportResult{{ImportResult::Effect::kUnchanged,
                                  FailureOf(tree::ResultCode::kNodeExists, "/b")}};
  v1::SessionResponse frame;
  ToProto(ServerFrame(response), frame);
  ASSERT_EQ(frame.response().import().outcomes_size(), 2);
  EXPECT_EQ(frame.response().import().outcomes(0).effect(), v1::IMPORT_EFFECT_UNCHANGED);
  EXPECT_FALSE(frame.response().import().outcomes(0).has_error());
  EXPECT_EQ(frame.response().import().outcomes(1).effect(), v1::IMPORT_EFFECT_NONE);
  EXPECT_EQ(frame.response().import().outcomes(1).error().reason(), "node_exists");
}

TEST(ConvertWatch, AStateHasAccessOnlyIfItIsThere) {
  tree::Tree tree;
  WatchState state;
  state.znodes.resize(3);
  state.znodes[1].access = WatchZnodeAccess{
      tree.MakeAccess({{31, "digest", "bob:hash"}}, 0), /*hides_hashes=*/true, 5};
  state.znodes[2].access = WatchZnodeAccess{};
  state.znodes[2].stat.ephemeral_owner = SessionId(7);
  v1::WatchResponse frame;
  ToProto(WatchFrame(state), frame);
  EXPECT_FALSE(frame.state().znodes(0).has_acl());
  EXPECT_EQ(frame.state().znodes(1).acl().entries(0).id(), "bob:x");
  EXPECT_EQ(frame.state().znodes(1).mode(), v1::CREATE_MODE_PERSISTENT_WITH_TTL);
  EXPECT_EQ(frame.state().znodes(1).ttl_ms(), 5);
  EXPECT_EQ(frame.state().znodes(2).acl().entries(0).scheme(), "world");
  EXPECT_EQ(frame.state().znodes(2).mode(), v1::CREATE_MODE_EPHEMERAL);
}

TEST(ConvertEnsembleId, IsSixteenBytesOrNone) {
  EXPECT_EQ(ToEnsembleId("", "upgrade").value(), base::Uuid());
  EXPECT_EQ(ToEnsembleId(base::Uuid(1, 2).Bytes(), "upgrade").value(), base::Uuid(1, 2));
  EXPECT_EQ(ToEnsembleId("short", "upgrade").status().message(),
            "upgrade: ensemble_id is not 16 bytes");
}

// Bytes nobody vouches for: whatever protobuf makes of them converts to something, without a crash.
TEST(ConvertFrame, SurvivesRandomBytes) {
  v1::SessionRequest frame;
  v1::TransactionRequest& transaction = *frame.mutable_request()->mutable_transaction();
  transaction.add_compares()->set_path("/a");
  transaction.add_operations()->mutable_create()->set_path("/b");
  transaction.add_operations()->mutable_delete_()->set_path("/c");
  const std::string good = frame.SerializeAsString();
  base::Random random(3);
  int parsed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (uint64_t flips = 1 + random.Below(4); flips > 0; --flips) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    }
    if (!frame.ParseFromString(bytes)) continue;
    ++parsed;
    ToClientFrame(std::move(frame));
  }
  EXPECT_GT(parsed, 1'000);
}

}  // namespace
}  // namespace bellwether::coord
