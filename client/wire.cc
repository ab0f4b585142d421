#include "client/wire.h"

#include <utility>

#include "base/crc32c.h"
#include "base/status.h"
#include "client/errors.h"

namespace bellwether::client {
namespace {

absl::Status WrongResult() {
  return absl::InternalError(
      "the server answered with another kind of result; client and servers are of different "
      "versions: use those of one release");
}

coord::v1::CreateMode ModeOf(CreateMode mode) {
  switch (mode) {
    case CreateMode::kEphemeral:
      return coord::v1::CREATE_MODE_EPHEMERAL;
    case CreateMode::kPersistentSequential:
      return coord::v1::CREATE_MODE_PERSISTENT_SEQUENTIAL;
    case CreateMode::kEphemeralSequential:
      return coord::v1::CREATE_MODE_EPHEMERAL_SEQUENTIAL;
    case CreateMode::kContainer:
      return coord::v1::CREATE_MODE_CONTAINER;
    case CreateMode::kPersistentWithTtl:
      return coord::v1::CREATE_MODE_PERSISTENT_WITH_TTL;
    case CreateMode::kPersistentSequentialWithTtl:
      return coord::v1::CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL;
    case CreateMode::kPersistent:
      break;
  }
  return coord::v1::CREATE_MODE_PERSISTENT;
}

CreateMode ModeOf(coord::v1::CreateMode mode) {
  switch (mode) {
    case coord::v1::CREATE_MODE_EPHEMERAL:
      return CreateMode::kEphemeral;
    case coord::v1::CREATE_MODE_CONTAINER:
      return CreateMode::kContainer;
    case coord::v1::CREATE_MODE_PERSISTENT_WITH_TTL:
      return CreateMode::kPersistentWithTtl;
    default:
      return CreateMode::kPersistent;
  }
}

Acl AclOf(const coord::v1::Acl& wire) {
  Acl acl;
  for (const coord::v1::AclEntry& entry : wire.entries()) {
    acl.push_back({entry.permissions(), entry.scheme(), entry.id()});
  }
  return acl;
}

ImportOutcome::Effect EffectOf(coord::v1::ImportEffect effect) {
  switch (effect) {
    case coord::v1::IMPORT_EFFECT_CREATED:
      return ImportOutcome::Effect::kCreated;
    case coord::v1::IMPORT_EFFECT_REPLACED:
      return ImportOutcome::Effect::kReplaced;
    case coord::v1::IMPORT_EFFECT_UNCHANGED:
      return ImportOutcome::Effect::kUnchanged;
    default:
      return ImportOutcome::Effect::kNone;
  }
}

ServerRole RoleOf(coord::v1::Role role) {
  switch (role) {
    case coord::v1::ROLE_FOLLOWER:
      return ServerRole::kFollower;
    case coord::v1::ROLE_CANDIDATE:
      return ServerRole::kCandidate;
    case coord::v1::ROLE_LEADER:
      return ServerRole::kLeader;
    case coord::v1::ROLE_LEARNER:
      return ServerRole::kLearner;
    default:
      return ServerRole::kUnknown;
  }
}

template <typename Message>
Data TakeData(Message& message) {
  if (!message.has_data()) return std::nullopt;
  return std::move(*message.mutable_data());
}

CreateResult CreateResultOf(coord::v1::CreateResult& result, Zxid zxid) {
  return {std::move(*result.mutable_path()), FromWire(result.stat()), zxid};
}

coord::v1::Compare ToWire(const Compare& compare) {
  coord::v1::Compare wire;
  wire.set_path(compare.path);
  if (compare.exists.has_value()) wire.set_exists(*compare.exists);
  if (compare.version.has_value()) wire.set_version(*compare.version);
  if (compare.czxid.has_value()) wire.set_czxid(compare.czxid->value());
  if (compare.mzxid.has_value()) wire.set_mzxid(compare.mzxid->value());
  if (compare.ephemeral_owner.has_value()) {
    wire.set_ephemeral_owner(compare.ephemeral_owner->value());
  }
  return wire;
}

}  // namespace

Stat FromWire(const coord::v1::Stat& wire) {
  Stat stat;
  stat.czxid = Zxid(wire.czxid());
  stat.mzxid = Zxid(wire.mzxid());
  stat.pzxid = Zxid(wire.pzxid());
  stat.ctime_ms = wire.ctime_ms();
  stat.mtime_ms = wire.mtime_ms();
  stat.version = wire.version();
  stat.cversion = wire.cversion();
  stat.aversion = wire.aversion();
  stat.ephemeral_owner = SessionId(wire.ephemeral_owner());
  stat.data_length = wire.data_length();
  stat.num_children = wire.num_children();
  return stat;
}

WatchEventType FromWire(coord::v1::ChangeType type) {
  switch (type) {
    case coord::v1::CHANGE_TYPE_CREATED:
      return WatchEventType::kCreated;
    case coord::v1::CHANGE_TYPE_DELETED:
      return WatchEventType::kDeleted;
    case coord::v1::CHANGE_TYPE_CHILDREN:
      return WatchEventType::kChildren;
    default:
      return WatchEventType::kChanged;
  }
}

WatchEvent FromWire(const coord::v1::WatchEvent& event) {
  return {FromWire(event.type()), event.path(), Zxid(event.zxid())};
}

GrantEvent FromWire(const coord::v1::GrantEvent& event) {
  const auto type = event.type() == coord::v1::GRANT_EVENT_TYPE_GRANTED ? GrantEventType::kGranted
                                                                        : GrantEventType::kGone;
  return {type, event.path(), Zxid(event.token()), Zxid(event.zxid())};
}

WatchChange FromWire(coord::v1::Znode znode) {
  WatchChange change{WatchEventType::kCreated, std::move(*znode.mutable_path()), TakeData(znode),
                     FromWire(znode.stat())};
  if (znode.has_acl()) {
    change.access = ZnodeAccess{AclOf(znode.acl()), ModeOf(znode.mode()), znode.ttl_ms()};
  }
  return change;
}

WatchChange FromWire(coord::v1::Change change) {
  return {FromWire(change.type()), std::move(*change.mutable_path()), TakeData(change),
          FromWire(change.stat())};
}

ServerStatus FromWire(const coord::v1::StatusResponse& response) {
  ServerStatus status;
  status.ensemble_id = base::Uuid::FromBytes(response.ensemble_id()).value_or(base::Uuid());
  status.server_id = response.server_id();
  status.role = RoleOf(response.role());
  status.leader_id = response.leader_id();
  status.term = response.term();
  status.commit_index = response.commit_index();
  status.applied_index = response.applied_index();
  status.zxid = Zxid(response.zxid());
  status.digest = response.digest();
  status.log_bytes = response.log_bytes();
  status.log_entries = response.log_entries();
  status.version = response.version();
  status.revision = response.revision();
  for (const coord::v1::ServerInfo& server : response.servers()) {
    status.servers.push_back({server.id(), server.peer(), server.grpc(), server.connected()});
  }
  status.znodes = response.znodes();
  status.sessions = response.sessions();
  status.watches = response.watches();
  status.ready = response.ready();
  status.not_ready_reason = response.not_ready_reason();
  status.disk_free_bytes = response.disk_free_bytes();
  return status;
}

absl::StatusOr<SnapshotPiece> SnapshotPieceOf(coord::v1::SaveSnapshotResponse response) {
  if (base::Crc32c(response.data()) != response.crc32c()) {
    return absl::DataLossError("a piece of the snapshot was damaged on its way; save it again");
  }
  SnapshotPiece piece;
  piece.index = response.index();
  piece.term = response.term();
  piece.file_bytes = response.file_bytes();
  piece.bytes = std::move(*response.mutable_data());
  return piece;
}

UpgradeStatus FromWire(const coord::v1::UpgradeResponse& response) {
  UpgradeStatus status;
  status.level = response.level();
  status.target = response.target();
  for (const coord::v1::ServerLevels& server : response.servers()) {
    status.servers.push_back({server.id(), server.connected(), server.min(), server.max()});
  }
  status.obstacles.assign(response.obstacles().begin(), response.obstacles().end());
  return status;
}

MembershipStatus FromWire(const coord::v1::MembershipResponse& response) {
  MembershipStatus status;
  status.term = response.term();
  status.leader_id = response.leader_id();
  status.index = response.index();
  status.last_index = response.last_index();
  status.changing = response.changing();
  for (const coord::v1::Member& member : response.members()) {
    status.members.push_back({member.id(), member.peer(), member.grpc(), member.voter(),
                              member.leaving(), member.active(), member.awaiting_readmission(),
                              member.needs_snapshot(), member.match_index()});
  }
  return status;
}

coord::v1::MembershipRequest ToWire(const MembershipChange& change) {
  coord::v1::MembershipRequest request;
  switch (change.kind) {
    case MembershipChange::Kind::kNone:
      break;
    case MembershipChange::Kind::kAdd:
      request.mutable_add()->set_id(change.server);
      request.mutable_add()->set_address(change.address);
      break;
    case MembershipChange::Kind::kPromote:
      request.mutable_promote()->set_id(change.server);
      break;
    case MembershipChange::Kind::kRemove:
      request.mutable_remove()->set_id(change.server);
      break;
    case MembershipChange::Kind::kTransfer:
      request.mutable_transfer()->set_id(change.server);
      break;
  }
  return request;
}

absl::StatusOr<CreateResult> CreateResultOf(coord::v1::Response response) {
  if (!response.has_create()) return WrongResult();
  return CreateResultOf(*response.mutable_create(), Zxid(response.zxid()));
}

absl::StatusOr<SetResult> SetResultOf(const coord::v1::Response& response) {
  if (!response.has_set_data()) return WrongResult();
  return SetResult{FromWire(response.set_data().stat()), Zxid(response.zxid())};
}

absl::StatusOr<DeleteResult> DeleteResultOf(const coord::v1::Response& response) {
  if (!response.has_delete_()) return WrongResult();
  return DeleteResult{response.delete_().deleted(), Zxid(response.zxid())};
}

absl::StatusOr<GetResult> GetResultOf(coord::v1::Response response) {
  if (!response.has_get()) return WrongResult();
  return GetResult{TakeData(*response.mutable_get()), FromWire(response.get().stat()),
                   Zxid(response.zxid())};
}

absl::StatusOr<StatResult> StatResultOf(const coord::v1::Response& response) {
  if (!response.has_stat()) return WrongResult();
  return StatResult{FromWire(response.stat().stat()), Zxid(response.zxid())};
}

absl::StatusOr<SetResult> SetAclResultOf(const coord::v1::Response& response) {
  if (!response.has_set_acl()) return WrongResult();
  return SetResult{FromWire(response.set_acl().stat()), Zxid(response.zxid())};
}

absl::StatusOr<GrantResult> GrantResultOf(const coord::v1::Response& response) {
  if (!response.has_await_grant()) return WrongResult();
  return GrantResult{Zxid(response.await_grant().token()), response.await_grant().held()};
}

absl::StatusOr<AclResult> AclResultOf(const coord::v1::Response& response) {
  if (!response.has_get_acl()) return WrongResult();
  AclResult result;
  result.acl = AclOf(response.get_acl().acl());
  result.stat = FromWire(response.get_acl().stat());
  result.zxid = Zxid(response.zxid());
  return result;
}

absl::StatusOr<std::vector<Identity>> IdentitiesOf(const coord::v1::Response& response) {
  if (!response.has_who_am_i()) return WrongResult();
  std::vector<Identity> identities;
  for (const coord::v1::Identity& identity : response.who_am_i().identities()) {
    identities.push_back({identity.scheme(), identity.id()});
  }
  return identities;
}

absl::StatusOr<TransactionResult> TransactionResultOf(coord::v1::Response response) {
  if (!response.has_transaction()) return WrongResult();
  TransactionResult result;
  result.zxid = Zxid(response.zxid());
  for (coord::v1::OperationResult& one : *response.mutable_transaction()->mutable_results()) {
    if (one.has_create()) {
      result.results.emplace_back(CreateResultOf(*one.mutable_create(), result.zxid));
    } else if (one.has_set_data()) {
      result.results.emplace_back(SetResult{FromWire(one.set_data().stat()), result.zxid});
    } else if (one.has_check()) {
      result.results.emplace_back(CheckResult());
    } else {
      result.results.emplace_back(DeleteResult{one.delete_().deleted(), result.zxid});
    }
  }
  return result;
}

absl::StatusOr<ImportResult> ImportResultOf(const coord::v1::Response& response) {
  if (!response.has_import()) return WrongResult();
  ImportResult result;
  result.zxid = Zxid(response.zxid());
  for (const coord::v1::ImportOutcome& one : response.import().outcomes()) {
    ImportOutcome& outcome = result.outcomes.emplace_back();
    outcome.effect = EffectOf(one.effect());
    if (outcome.effect == ImportOutcome::Effect::kNone) outcome.error = FromWire(one.error());
  }
  return result;
}

coord::v1::Acl ToWire(const Acl& acl) {
  coord::v1::Acl wire;
  for (const AclEntry& entry : acl) {
    coord::v1::AclEntry& added = *wire.add_entries();
    added.set_permissions(entry.permissions);
    added.set_scheme(entry.scheme);
    added.set_id(entry.id);
  }
  return wire;
}

coord::v1::Credential ToWire(const Credential& credential) {
  coord::v1::Credential wire;
  wire.set_scheme(credential.scheme);
  wire.set_credential(credential.credential);
  return wire;
}

coord::v1::CreateRequest ToWire(CreateOperation operation) {
  coord::v1::CreateRequest wire;
  wire.set_path(std::move(operation.path));
  if (operation.data.has_value()) wire.set_data(*std::move(operation.data));
  wire.set_mode(ModeOf(operation.mode));
  if (operation.acl.has_value()) *wire.mutable_acl() = ToWire(*operation.acl);
  wire.set_ttl_ms(absl::ToInt64Milliseconds(operation.ttl));
  return wire;
}

coord::v1::SetDataRequest ToWire(SetOperation operation) {
  coord::v1::SetDataRequest wire;
  wire.set_path(std::move(operation.path));
  if (operation.data.has_value()) wire.set_data(*std::move(operation.data));
  wire.set_version(operation.version);
  return wire;
}

coord::v1::DeleteRequest ToWire(DeleteOperation operation) {
  coord::v1::DeleteRequest wire;
  wire.set_path(std::move(operation.path));
  wire.set_version(operation.version);
  wire.set_recursive(operation.recursive);
  return wire;
}

coord::v1::TransactionRequest ToWire(Transaction transaction) {
  coord::v1::TransactionRequest wire;
  for (const Compare& compare : transaction.compares) *wire.add_compares() = ToWire(compare);
  for (Operation& operation : transaction.operations) {
    coord::v1::TransactionOperation& added = *wire.add_operations();
    if (auto* create = std::get_if<CreateOperation>(&operation)) {
      *added.mutable_create() = ToWire(std::move(*create));
    } else if (auto* set = std::get_if<SetOperation>(&operation)) {
      *added.mutable_set_data() = ToWire(std::move(*set));
    } else if (const auto* check = std::get_if<CheckOperation>(&operation)) {
      added.mutable_check()->set_path(check->path);
      added.mutable_check()->set_version(check->version);
    } else {
      *added.mutable_delete_() = ToWire(std::get<DeleteOperation>(std::move(operation)));
    }
  }
  return wire;
}

coord::v1::ImportRequest ToWire(std::vector<ImportedZnode> znodes, bool overwrite) {
  coord::v1::ImportRequest wire;
  wire.set_overwrite(overwrite);
  for (ImportedZnode& znode : znodes) {
    coord::v1::ImportedZnode& added = *wire.add_znodes();
    added.set_path(std::move(znode.path));
    if (znode.data.has_value()) added.set_data(*std::move(znode.data));
    if (znode.acl.has_value()) *added.mutable_acl() = ToWire(*znode.acl);
    added.set_mode(ModeOf(znode.mode));
    added.set_ttl_ms(znode.ttl_ms);
    added.set_ctime_ms(znode.ctime_ms);
    added.set_mtime_ms(znode.mtime_ms);
    added.set_version(znode.version);
    added.set_aversion(znode.aversion);
    added.set_children_created(znode.children_created);
  }
  return wire;
}

}  // namespace bellwether::client
