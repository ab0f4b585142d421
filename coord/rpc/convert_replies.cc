#include "coord/rpc/convert.h"

#include <string>
#include <utility>

#include "base/version.h"

namespace bellwether::coord {
namespace {

using tree::SharedBytes;

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

void ToProto(ServerFrame&& frame, v1::SessionResponse& out) {
  std::visit(ServerFrameWriter{out}, frame);
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
