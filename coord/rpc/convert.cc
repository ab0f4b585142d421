#include "coord/rpc/convert.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "base/version.h"
#include "coord/service/identities.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using tree::SharedBytes;

constexpr std::string_view kReasonAuthFailed = "auth_failed";
constexpr size_t kSchemeShownBytesMax = 64;  // in errors

// nullopt unless the field is empty or a uuid's 16 bytes.
std::optional<base::Uuid> UuidOf(const std::string& bytes) {
  if (bytes.empty()) return base::Uuid();
  return base::Uuid::FromBytes(bytes);
}

template <typename Message>
SharedBytes DataOf(const Message& message) {
  return message.has_data() ? SharedBytes::Copy(message.data()) : SharedBytes();
}

// More entries than an ACL may have are not copied: FixUpAcl refuses one too many as well.
tree::Acl AclOf(const v1::Acl& from) {
  tree::Acl acl;
  for (const v1::AclEntry& entry : from.entries()) {
    if (acl.size() > tree::kAclEntriesMax) break;
    acl.push_back({entry.permissions(), entry.scheme(), entry.id()});
  }
  return acl;
}

ClientFrame ToAttach(const v1::Attach& attach) {
  AttachRequest request;
  const auto ensemble_id = UuidOf(attach.ensemble_id());
  const auto nonce = UuidOf(attach.nonce());
  if (!ensemble_id.has_value()) return ProtocolError{"Attach.ensemble_id is not 16 bytes"};
  if (!nonce.has_value()) return ProtocolError{"Attach.nonce is not 16 bytes"};
  request.ensemble_id = *ensemble_id;
  request.nonce = *nonce;
  request.session = SessionId(attach.session_id());
  request.read_only = attach.read_only();
  if (request.read_only && request.session != SessionId(0)) {
    return ProtocolError{"Attach.read_only is set together with session_id"};
  }
  if (request.session != SessionId(0)) {
    if (attach.password().size() != request.password.size()) {
      return ProtocolError{"Attach.password is not 16 bytes"};
    }
    std::copy(attach.password().begin(), attach.password().end(), request.password.begin());
  }
  request.timeout_ms = attach.timeout_ms();
  request.min_zxid = Zxid(attach.min_zxid());
  return request;
}

// Fills an operation; false, with the reason, when it can't be expressed.
class OperationReader {
 public:
  explicit OperationReader(Request& request) : request_(request) {}

  void Read(const v1::Request& from) {
    switch (from.operation_case()) {
      case v1::Request::kCreate:
        request_.operation = Create(from.create());
        break;
      case v1::Request::kSetData:
        request_.operation = SetData(from.set_data());
        break;
      case v1::Request::kDelete:
        ReadDelete(from.delete_());
        break;
      case v1::Request::kTransaction:
        ReadTransaction(from.transaction());
        break;
      case v1::Request::kCloseSession:
        request_.operation = tree::CloseSession();
        break;
      case v1::Request::kSetAcl:
        request_.operation = tree::SetAcl{from.set_acl().path(), AclOf(from.set_acl().acl()),
                                          from.set_acl().version()};
        break;
      case v1::Request::kImport:
        ReadImport(from.import());
        break;
      case v1::Request::kRaiseZxid:
        request_.operation = tree::RaiseZxid{Zxid(from.raise_zxid().zxid())};
        break;
      case v1::Request::kGet:
        request_.operation = GetRead{from.get().path(), from.get().watch()};
        break;
      case v1::Request::kStat:
        request_.operation = StatRead{from.stat().path(), from.stat().watch()};
        break;
      case v1::Request::kList:
        request_.operation = List(from.list());
        break;
      case v1::Request::kSync:
        request_.operation = SyncRead();
        break;
      case v1::Request::kGetAcl:
        request_.operation = GetAclRead{from.get_acl().path()};
        break;
      case v1::Request::kWhoAmI:
        request_.operation = WhoAmIRead();
        break;
      case v1::Request::kAwaitGrant:
        request_.operation = AwaitGrant{from.await_grant().path()};
        break;
      case v1::Request::kAuthenticate:  // by the stream, on receipt
        request_.operation = EchoRead();
        break;
      case v1::Request::OPERATION_NOT_SET:
        Refuse("the request has no operation that this server knows");
        break;
    }
  }

 private:
  void Refuse(std::string message) {
    Failure failure = FailureOf(tree::ResultCode::kBadArguments, "");
    failure.message = std::move(message);
    request_.malformed = std::move(failure);
  }

  tree::Create Create(const v1::CreateRequest& from) {
    if (from.mode() < 0 || from.mode() > v1::CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL) {
      Refuse(fmt::format("create {}: mode {} is not known", from.path(), from.mode()));
      return {};
    }
    tree::Create create{from.path(), DataOf(from), static_cast<tree::CreateMode>(from.mode())};
    if (from.has_acl()) create.acl = AclOf(from.acl());
    create.ttl_ms = from.ttl_ms();
    return create;
  }

  static ListRead List(const v1::ListRequest& from) {
    ListRead read{from.path(), from.watch(), from.recursive(), from.after()};
    read.at_zxid = Zxid(from.at_zxid());
    read.keep_state = from.keep_state();
    return read;
  }

  tree::SetData SetData(const v1::SetDataRequest& from) {
    return {from.path(), DataOf(from), from.version()};
  }

  void ReadDelete(const v1::DeleteRequest& from) {
    if (!from.recursive()) {
      request_.operation = tree::Delete{from.path(), from.version()};
    } else if (from.version() == tree::kAnyVersion) {
      request_.operation = tree::DeleteRecursive{from.path()};
    } else {
      request_.operation = tree::DeleteRecursive{from.path()};
      Refuse(fmt::format("delete {}: a recursive delete takes no version, only -1", from.path()));
    }
  }

  void ReadImport(const v1::ImportRequest& from) {
    tree::Import import;
    import.overwrite = from.overwrite();
    for (const v1::ImportedZnode& znode : from.znodes()) {
      if (import.znodes.size() > tree::kTransactionItemsMax) break;  // refused as too many
      import.znodes.push_back(ImportedZnode(znode));
    }
    request_.operation = std::move(import);
  }

  tree::ImportedZnode ImportedZnode(const v1::ImportedZnode& from) {
    if (from.mode() < 0 || from.mode() > v1::CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL) {
      Refuse(fmt::format("import {}: mode {} is not known", from.path(), from.mode()));
      return {};
    }
    tree::ImportedZnode znode;
    znode.path = from.path();
    znode.data = DataOf(from);
    if (from.has_acl()) znode.acl = AclOf(from.acl());
    znode.mode = static_cast<tree::CreateMode>(from.mode());
    znode.ttl_ms = from.ttl_ms();
    znode.ctime_ms = from.ctime_ms();
    znode.mtime_ms = from.mtime_ms();
    znode.version = from.version();
    znode.aversion = from.aversion();
    znode.create_counter = from.children_created();
    return znode;
  }

  void ReadTransaction(const v1::TransactionRequest& from) {
    tree::Transaction transaction;
    for (int i = 0; i < from.compares_size(); ++i) {
      AddCompares(from.compares(i), static_cast<uint32_t>(i), transaction.compares);
    }
    for (const v1::TransactionOperation& operation : from.operations()) {
      AddOperation(operation, transaction.operations);
    }
    request_.operation = std::move(transaction);
  }

  void AddCompares(const v1::Compare& from, uint32_t position,
                   std::vector<tree::Compare>& compares) {
    using Field = tree::Compare::Field;
    const auto add = [&](Field field, int64_t value) {
      compares.push_back({from.path(), field, value});
      request_.compare_positions.push_back(position);
    };
    if (from.has_exists()) add(Field::kExists, from.exists() ? 1 : 0);
    if (from.has_version()) add(Field::kVersion, from.version());
    if (from.has_czxid()) add(Field::kCzxid, from.czxid());
    if (from.has_mzxid()) add(Field::kMzxid, from.mzxid());
    if (from.has_ephemeral_owner()) {
      add(Field::kEphemeralOwner, static_cast<int64_t>(from.ephemeral_owner()));
    }
  }

  void AddOperation(const v1::TransactionOperation& from,
                    std::vector<tree::TransactionOperation>& operations) {
    switch (from.operation_case()) {
      case v1::TransactionOperation::kCreate:
        operations.emplace_back(Create(from.create()));
        return;
      case v1::TransactionOperation::kSetData:
        operations.emplace_back(SetData(from.set_data()));
        return;
      case v1::TransactionOperation::kDelete:
        operations.emplace_back(tree::Delete{from.delete_().path(), from.delete_().version()});
        if (from.delete_().recursive()) {
          Refuse(fmt::format("delete {}: a transaction can't delete recursively",
                             from.delete_().path()));
        }
        return;
      case v1::TransactionOperation::kCheck:
        operations.emplace_back(tree::Check{from.check().path(), from.check().version()});
        return;
      case v1::TransactionOperation::OPERATION_NOT_SET:
        Refuse("an operation of the transaction is not known to this server");
        return;
    }
  }

  Request& request_;
};

Request ToRequest(const v1::Request& from) {
  Request request;
  request.id = from.request_id();
  request.sequence = CommandSequence(from.sequence());
  request.acknowledged_floor = CommandSequence(from.acknowledged_floor());
  request.generation = SessionGeneration(from.generation());
  request.min_zxid = Zxid(from.min_zxid());
  request.stale_ok = from.stale_ok();
  OperationReader(request).Read(from);
  // Clients of this protocol count their writes.
  if (request.is_write() && request.sequence == kNextSequence && !request.malformed.has_value()) {
    request.malformed = FailureOf(tree::ResultCode::kSequenceGap, "");
  }
  return request;
}

void ToProto(const tree::Stat& stat, v1::Stat& out) {
  out.set_czxid(stat.czxid.value());
  out.set_mzxid(stat.mzxid.value());
  out.set_pzxid(stat.pzxid.value());
  out.set_ctime_ms(stat.ctime_ms);
  out.set_mtime_ms(stat.mtime_ms);
  out.set_version(stat.version);
  out.set_cversion(stat.cversion);
  out.set_aversion(stat.aversion);
  out.set_ephemeral_owner(stat.ephemeral_owner.value());
  out.set_data_length(stat.data_length);
  out.set_num_children(stat.num_children);
}

template <typename Message>
void SetData(const SharedBytes& data, Message& out) {
  if (!data.is_null()) out.set_data(data.view().data(), data.view().size());
}

void ToProto(CreateResult&& result, v1::CreateResult& out) {
  out.set_path(std::move(result.path));
  ToProto(result.stat, *out.mutable_stat());
}

void ToProto(const tree::Acl& acl, v1::Acl& out) {
  for (const tree::AclEntry& entry : acl) {
    v1::AclEntry& one = *out.add_entries();
    one.set_permissions(entry.permissions);
    one.set_scheme(entry.scheme);
    one.set_id(entry.id);
  }
}

v1::ImportEffect ToProto(ImportResult::Effect effect) {
  switch (effect) {
    case ImportResult::Effect::kCreated:
      return v1::IMPORT_EFFECT_CREATED;
    case ImportResult::Effect::kReplaced:
      return v1::IMPORT_EFFECT_REPLACED;
    case ImportResult::Effect::kUnchanged:
      return v1::IMPORT_EFFECT_UNCHANGED;
  }
  return v1::IMPORT_EFFECT_NONE;
}

// A digest's user is shown without the hash, as ZooKeeper does (Z50).
void ToProto(const tree::Identity& identity, v1::Identity& out) {
  out.set_scheme(identity.scheme);
  out.set_id(identity.scheme == "digest" ? identity.id.substr(0, identity.id.find(':'))
                                         : identity.id);
}

// One result, into a message with the fields create, set_data and delete.
template <typename Message>
struct ChangeWriter {
  Message& out;

  void operator()(CreateResult& result) { ToProto(std::move(result), *out.mutable_create()); }
  void operator()(SetDataResult& result) {
    ToProto(result.stat, *out.mutable_set_data()->mutable_stat());
  }
  void operator()(DeleteResult& result) { out.mutable_delete_()->set_deleted(result.deleted); }
};

struct OperationResultWriter : ChangeWriter<v1::OperationResult> {
  using ChangeWriter<v1::OperationResult>::operator();

  void operator()(CheckResult&) { out.mutable_check(); }
};

struct ResultWriter : ChangeWriter<v1::Response> {
  using ChangeWriter<v1::Response>::operator();

  void operator()(std::monostate) {}
  // Of what no message of this protocol asks for.
  template <typename Other>
  void operator()(Other&) {}
  void operator()(SetAclResult& result) {
    ToProto(result.stat, *out.mutable_set_acl()->mutable_stat());
  }
  void operator()(GetAclResult& result) {
    ToProto(result.acl, *out.mutable_get_acl()->mutable_acl());
    ToProto(result.stat, *out.mutable_get_acl()->mutable_stat());
  }
  void operator()(WhoAmIResult& result) {
    v1::WhoAmIResult& to = *out.mutable_who_am_i();
    for (const tree::Identity& identity : result.identities) {
      ToProto(identity, *to.add_identities());
    }
  }
  void operator()(TransactionResult& result) {
    v1::TransactionResult& to = *out.mutable_transaction();
    for (auto& one : result.results) {
      std::visit(OperationResultWriter{{*to.add_results()}}, one);
    }
    to.set_failed_compare(result.failed_compare);
    to.set_failed_operation(result.failed_operation);
  }
  void operator()(ImportResult& result) {
    for (auto& outcome : result.outcomes) {
      v1::ImportOutcome& to = *out.mutable_import()->add_outcomes();
      if (const auto* failure = std::get_if<Failure>(&outcome)) {
        ToProto(*failure, *to.mutable_error());
      } else {
        to.set_effect(ToProto(std::get<ImportResult::Effect>(outcome)));
      }
    }
  }
  void operator()(GetResult& result) {
    SetData(result.data, *out.mutable_get());
    ToProto(result.stat, *out.mutable_get()->mutable_stat());
  }
  void operator()(StatResult& result) {
    ToProto(result.stat, *out.mutable_stat()->mutable_stat());
  }
  void operator()(ListResult& result) {
    v1::ListResult& to = *out.mutable_list();
    to.mutable_names()->Reserve(static_cast<int>(result.names.size()));
    for (std::string& name : result.names) to.add_names(std::move(name));
    to.set_more(result.more);
    ToProto(result.stat, *to.mutable_stat());
  }
  void operator()(AwaitGrantResult& result) {
    out.mutable_await_grant()->set_token(result.token.value());
    out.mutable_await_grant()->set_held(result.held);
  }
};

v1::GrantEventType ToProto(GrantEvent::Type type) {
  switch (type) {
    case GrantEvent::Type::kGranted:
      return v1::GRANT_EVENT_TYPE_GRANTED;
    case GrantEvent::Type::kGone:
      return v1::GRANT_EVENT_TYPE_GONE;
  }
  return v1::GRANT_EVENT_TYPE_UNSPECIFIED;
}

v1::ChangeType ToProto(tree::Change::Type type) {
  switch (type) {
    case tree::Change::Type::kCreated:
      return v1::CHANGE_TYPE_CREATED;
    case tree::Change::Type::kChanged:
      return v1::CHANGE_TYPE_CHANGED;
    case tree::Change::Type::kDeleted:
      return v1::CHANGE_TYPE_DELETED;
    case tree::Change::Type::kChildren:
      return v1::CHANGE_TYPE_CHILDREN;
  }
  return v1::CHANGE_TYPE_UNSPECIFIED;
}

struct ServerFrameWriter {
  v1::SessionResponse& out;

  void operator()(Attached& attached) {
    v1::Attached& to = *out.mutable_attached();
    to.set_server_id(attached.server_id);
    if (attached.failure.has_value()) return ToProto(*attached.failure, *to.mutable_error());
    const tree::SessionGrant& grant = attached.grant;
    if (grant.session != SessionId(0)) {
      to.set_session_id(grant.session.value());
      to.set_password(std::string(grant.password.begin(), grant.password.end()));
      to.set_generation(grant.generation.value());
      to.set_timeout_ms(static_cast<uint32_t>(grant.timeout_ms));
      to.set_last_sequence(grant.last_sequence.value());
    }
    to.set_ensemble_id(attached.ensemble_id.Bytes());
    to.set_zxid(attached.zxid.value());
    to.set_results_kept(attached.results_kept);
  }
  void operator()(Response& response) {
    v1::Response& to = *out.mutable_response();
    to.set_request_id(response.request_id);
    to.set_zxid(response.zxid.value());
    if (response.failure.has_value()) ToProto(*response.failure, *to.mutable_error());
    std::visit(ResultWriter{{to}}, response.result);
  }
  void operator()(WatchEvent& event) {
    v1::WatchEvent& to = *out.mutable_event();
    to.set_type(ToProto(event.type));
    to.set_path(std::string(event.path.view()));
    to.set_zxid(event.zxid.value());
  }
  void operator()(GrantEvent& event) {
    v1::GrantEvent& to = *out.mutable_grant();
    to.set_type(ToProto(event.type));
    to.set_path(std::move(event.path));
    to.set_token(event.token.value());
    to.set_zxid(event.zxid.value());
  }
  void operator()(KeepAliveAck& ack) { out.mutable_keep_alive_ack()->set_id(ack.id); }
  void operator()(Detached& detached) {
    ToProto(detached.failure, *out.mutable_detached()->mutable_error());
  }
};

struct WatchFrameWriter {
  v1::WatchResponse& out;

  void operator()(const WatchCompacted& compacted) {
    out.mutable_compacted()->set_zxid(compacted.zxid.value());
  }
  void operator()(const WatchState& state) {
    v1::State& to = *out.mutable_state();
    to.set_zxid(state.zxid.value());
    to.set_last(state.last);
    for (const WatchZnode& znode : state.znodes) {
      v1::Znode& one = *to.add_znodes();
      one.set_path(znode.path);
      SetData(znode.data, one);
      ToProto(znode.stat, *one.mutable_stat());
      if (znode.access.has_value()) SetAccess(*znode.access, znode.stat, one);
    }
  }
  static void SetAccess(const WatchZnodeAccess& access, const tree::Stat& stat, v1::Znode& to) {
    const tree::Acl& acl = tree::AclOf(access.acl);
    ToProto(access.hides_hashes ? tree::MaskedAcl(acl) : acl, *to.mutable_acl());
    if (stat.ephemeral_owner != SessionId(0)) {
      to.set_mode(v1::CREATE_MODE_EPHEMERAL);
    } else if (access.ttl_ms.has_value()) {
      to.set_mode(*access.ttl_ms == 0 ? v1::CREATE_MODE_CONTAINER
                                      : v1::CREATE_MODE_PERSISTENT_WITH_TTL);
      to.set_ttl_ms(*access.ttl_ms);
    }
  }
  void operator()(const WatchChanges& changes) {
    v1::Changes& to = *out.mutable_changes();
    to.set_zxid(changes.set->zxid.value());
    for (const tree::Change* change : changes.changes) {
      v1::Change& one = *to.add_changes();
      one.set_type(ToProto(change->type));
      one.set_path(change->path);
      SetData(change->data, one);
      if (change->type != tree::Change::Type::kDeleted) {
        ToProto(change->stat, *one.mutable_stat());
      }
    }
  }
  void operator()(const WatchProgress& progress) {
    out.mutable_progress()->set_zxid(progress.zxid.value());
  }
};

v1::Role ToProto(Role role) {
  switch (role) {
    case Role::kFollower:
      return v1::ROLE_FOLLOWER;
    case Role::kCandidate:
      return v1::ROLE_CANDIDATE;
    case Role::kLeader:
      return v1::ROLE_LEADER;
    case Role::kLearner:
      return v1::ROLE_LEARNER;
  }
  return v1::ROLE_UNSPECIFIED;
}

}  // namespace

ClientFrame ToClientFrame(v1::SessionRequest&& frame) {
  switch (frame.frame_case()) {
    case v1::SessionRequest::kAttach:
      return ToAttach(frame.attach());
    case v1::SessionRequest::kRequest:
      return ToRequest(frame.request());
    case v1::SessionRequest::kKeepAlive:
      return KeepAliveRequest{frame.keep_alive().id()};
    case v1::SessionRequest::FRAME_NOT_SET:
      break;
  }
  return ProtocolError{"a frame that this server doesn't know"};
}

void ToProto(ServerFrame&& frame, v1::SessionResponse& out) {
  std::visit(ServerFrameWriter{out}, frame);
}

absl::StatusOr<base::Uuid> ToEnsembleId(const std::string& bytes, std::string_view call) {
  const auto ensemble_id = UuidOf(bytes);
  if (ensemble_id.has_value()) return *ensemble_id;
  return absl::InvalidArgumentError(fmt::format("{}: ensemble_id is not 16 bytes", call));
}

absl::StatusOr<tree::Identities> Authenticated(const CoordService& service, tree::Identities known,
                                               const Credentials& credentials) {
  if (static_cast<size_t>(credentials.size()) > tree::kIdentitiesMax) {
    return base::ErrorWithReason(
        absl::StatusCode::kUnauthenticated, kReasonAuthFailed,
        fmt::format("{} credentials are too many; give at most {}", credentials.size(),
                    tree::kIdentitiesMax));
  }
  for (const v1::Credential& one : credentials) {
    std::optional<tree::Identities> proved =
        service.Authenticate(known, one.scheme(), one.credential());
    if (!proved.has_value()) {
      return base::ErrorWithReason(
          absl::StatusCode::kUnauthenticated, kReasonAuthFailed,
          fmt::format("a credential of the scheme '{}' proves nothing here; use the scheme digest "
                      "with USER:PASSWORD, of a user of at most {} bytes",
                      one.scheme().substr(0, kSchemeShownBytesMax), kIdentityBytesMax - 64));
    }
    known = *std::move(proved);
  }
  return known;
}

absl::StatusOr<WatchRequest> ToWatchRequest(const v1::WatchRequest& from) {
  WatchRequest request;
  ASSIGN_OR_RETURN(request.ensemble_id, ToEnsembleId(from.ensemble_id(), "watch"));
  request.filter.paths = {from.path()};
  request.filter.paths.insert(request.filter.paths.end(), from.further_paths().begin(),
                              from.further_paths().end());
  request.filter.recursive = from.recursive();
  request.from_zxid = Zxid(from.from_zxid());
  request.min_zxid = Zxid(from.min_zxid());
  request.stale_ok = from.stale_ok();
  request.prompt_progress = from.prompt_progress();
  request.with_access = from.with_access();
  return request;
}

void ToProto(const WatchFrame& frame, v1::WatchResponse& out) {
  std::visit(WatchFrameWriter{out}, frame);
}

void ToProto(const ServiceStatus& status, uint32_t server_id, v1::StatusResponse& out) {
  const ReplicaStatus& replica = status.replica;
  if (!status.ensemble_id.IsNil()) out.set_ensemble_id(status.ensemble_id.Bytes());
  out.set_server_id(server_id);
  out.set_role(ToProto(replica.leadership.role));
  out.set_leader_id(replica.leadership.leader.value());
  out.set_term(replica.leadership.term.value());
  out.set_commit_index(replica.commit_index.value());
  out.set_applied_index(status.applied_index.value());
  out.set_zxid(status.zxid.value());
  out.set_digest(status.digest);
  out.set_log_bytes(replica.log_bytes);
  out.set_log_entries(replica.last_index.value());
  for (const ReplicaStatus::Peer& peer : replica.servers) {
    v1::ServerInfo& info = *out.add_servers();
    info.set_id(peer.address.id.value());
    info.set_peer(peer.address.address);
    info.set_grpc(peer.grpc);
    info.set_connected(peer.connected);
  }
  out.set_znodes(status.znodes);
  out.set_sessions(status.sessions);
  out.set_watches(status.watches);
  out.set_ready(status.not_ready_reason.empty());
  out.set_not_ready_reason(status.not_ready_reason);
  out.set_disk_free_bytes(status.disk_free_bytes);
  out.set_version(std::string(base::Version()));
  out.set_revision(std::string(base::Revision()));
  out.set_feature_level(status.feature_level);
  out.set_feature_level_min(status.feature_levels.min);
  out.set_feature_level_max(status.feature_levels.max);
}

void ToProto(const Failure& failure, ::bellwether::common::v1::Error& out) {
  using ::bellwether::common::v1::OUTCOME_REJECTED;
  using ::bellwether::common::v1::OUTCOME_UNKNOWN;
  out.set_code(static_cast<int32_t>(failure.code));
  out.set_message(failure.message);
  out.set_reason(failure.reason);
  out.set_outcome(failure.outcome == base::Outcome::kUnknown ? OUTCOME_UNKNOWN : OUTCOME_REJECTED);
}

void ToProto(const UpgradeReport& report, v1::UpgradeResponse& out) {
  out.set_level(report.level);
  out.set_target(report.target);
  for (const ReplicaStatus::Peer& server : report.servers) {
    v1::ServerLevels& levels = *out.add_servers();
    levels.set_id(server.address.id.value());
    levels.set_connected(server.connected);
    if (!server.feature_levels.has_value()) continue;
    levels.set_min(server.feature_levels->min);
    levels.set_max(server.feature_levels->max);
  }
  for (const std::string& obstacle : report.obstacles) out.add_obstacles(obstacle);
}

}  // namespace bellwether::coord
