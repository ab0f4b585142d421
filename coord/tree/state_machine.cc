#include "coord/tree/state_machine.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/mutant.h"
#include "coord/tree/digest.h"
#include "coord/tree/edit.h"
#include "coord/tree/transaction.h"

namespace bellwether::coord::tree {
namespace {

bool IsValidTimeout(int64_t timeout_ms) {
  return timeout_ms > 0 && timeout_ms <= kSessionTimeoutMsMax;
}

void TakeOver(OperationResult done, Result& result) {
  result.code = done.code;
  result.path = std::move(done.path);
  result.stat = done.stat;
}

}  // namespace

ApplyOutcome StateMachine::Apply(const Command& command, const ApplyContext& context) {
  ++zxid_;
  time_ms_ = std::max(time_ms_, context.time_ms);
  ApplyOutcome outcome;
  outcome.result.zxid = zxid_;
  std::visit([&](const auto& operation) { Execute(command, operation, outcome); },
             command.operation);
  return outcome;
}

void StateMachine::Execute(const Command&, const CreateSession& operation, ApplyOutcome& outcome) {
  Result& result = outcome.result;
  if (operation.nonce.IsNil() || !IsValidTimeout(operation.timeout_ms) ||
      operation.server_id == 0 || operation.server_id > kServerIdMax) {
    result.code = ResultCode::kBadArguments;
    return;
  }
  result.session = sessions_.GrantOf(sessions_.Create(operation, zxid_));
}

void StateMachine::Execute(const Command&, const AttachSession& operation, ApplyOutcome& outcome) {
  Result& result = outcome.result;
  if (!IsValidTimeout(operation.timeout_ms)) {
    result.code = ResultCode::kBadArguments;
  } else if (!sessions_.Attach(operation)) {
    if (MUTANT(10)) return Execute({}, CreateSession{{1, 1}, {}, operation.timeout_ms, 1}, outcome);
    result.code = ResultCode::kSessionExpired;
  } else {
    result.session = sessions_.GrantOf(operation.session);
  }
}

void StateMachine::Execute(const Command&, const ExpireSession& operation, ApplyOutcome& outcome) {
  const Session* const session = sessions_.Find(operation.session);
  if (session == nullptr) {
    outcome.result.code = ResultCode::kSessionExpired;
  } else if (session->generation != operation.generation && !MUTANT(18)) {
    outcome.result.code = ResultCode::kStaleGeneration;
  } else {
    EndSession(operation.session, outcome);
  }
}

void StateMachine::Execute(const Command&, const SetEnsembleId& operation, ApplyOutcome& outcome) {
  if (operation.ensemble_id.IsNil()) {
    outcome.result.code = ResultCode::kBadArguments;
  } else if (!ensemble_id_.IsNil()) {
    outcome.result.code = ResultCode::kAlreadySet;
  } else {
    ensemble_id_ = operation.ensemble_id;
  }
}

template <typename SessionOperation>
void StateMachine::Execute(const Command& command, const SessionOperation& operation,
                           ApplyOutcome& outcome) {
  outcome.result.code = sessions_.Admit(command.session, command.generation, command.sequence);
  if (outcome.result.code != ResultCode::kOk) return;
  ExecuteAdmitted(command.session, operation, outcome);
}

void StateMachine::ExecuteAdmitted(SessionId session, const CloseSession&, ApplyOutcome& outcome) {
  EndSession(session, outcome);
}

void StateMachine::ExecuteAdmitted(SessionId session, const Create& operation,
                                   ApplyOutcome& outcome) {
  TakeOver(StartEdit(session, Edit::Undo::kNone, outcome).Apply(operation), outcome.result);
}

void StateMachine::ExecuteAdmitted(SessionId session, const SetData& operation,
                                   ApplyOutcome& outcome) {
  TakeOver(StartEdit(session, Edit::Undo::kNone, outcome).Apply(operation), outcome.result);
}

void StateMachine::ExecuteAdmitted(SessionId session, const Delete& operation,
                                   ApplyOutcome& outcome) {
  TakeOver(StartEdit(session, Edit::Undo::kNone, outcome).Apply(operation), outcome.result);
  if (outcome.result.code == ResultCode::kOk) outcome.result.deleted_znodes = 1;
}

void StateMachine::ExecuteAdmitted(SessionId session, const DeleteRecursive& operation,
                                   ApplyOutcome& outcome) {
  Edit edit = StartEdit(session, Edit::Undo::kNone, outcome);
  outcome.result.code = edit.DeleteSubtree(operation.path, outcome.result.deleted_znodes);
}

void StateMachine::ExecuteAdmitted(SessionId session, const Transaction& operation,
                                   ApplyOutcome& outcome) {
  Edit edit = StartEdit(session, Edit::Undo::kKeep, outcome);
  ApplyTransaction(operation, tree_, edit, outcome.result);
}

void StateMachine::EndSession(SessionId session, ApplyOutcome& outcome) {
  Edit edit = StartEdit(session, Edit::Undo::kNone, outcome);
  outcome.result.deleted_znodes = edit.DeleteEphemerals(session);
  sessions_.Remove(session);
}

Edit StateMachine::StartEdit(SessionId session, Edit::Undo undo, ApplyOutcome& outcome) {
  return Edit({session, zxid_, time_ms_}, undo, tree_, sessions_, outcome.changes);
}

std::optional<StateMachine::ZnodeView> StateMachine::Get(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  return ZnodeView{znode->ToStat(), znode->data};
}

std::optional<Stat> StateMachine::Exists(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  return znode->ToStat();
}

std::optional<StateMachine::ChildrenView> StateMachine::Children(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  ChildrenView view{znode->ToStat(), {}};
  view.names.reserve(znode->num_children());
  for (const ChildTable::Entry& child : znode->children()) {
    view.names.emplace_back(child.key.view());
  }
  return view;
}

bool StateMachine::Subtree(std::string_view path,
                           absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const {
  return tree_.Walk(path, visitor);
}

std::optional<StateMachine::SessionView> StateMachine::FindSession(SessionId session) const {
  const Session* const found = sessions_.Find(session);
  if (found == nullptr) return std::nullopt;
  return SessionView{found->generation, found->last_sequence, found->timeout_ms,
                     found->ephemerals.size()};
}

std::vector<SessionId> StateMachine::SessionIds() const { return sessions_.Ids(); }

std::vector<std::string> StateMachine::Ephemerals(SessionId session) const {
  const Session* const found = sessions_.Find(session);
  if (found == nullptr) return {};
  std::vector<std::string> paths;
  paths.reserve(found->ephemerals.size());
  for (const PathSet::Entry& entry : found->ephemerals) paths.emplace_back(entry.key.view());
  return paths;
}

uint64_t StateMachine::DigestOf(uint64_t tree_digest, uint64_t sessions_digest) const {
  return Hasher('m')
      .Number(tree_digest)
      .Number(sessions_digest)
      .Number(static_cast<uint64_t>(zxid_.value()))
      .Number(static_cast<uint64_t>(time_ms_))
      .Number(ensemble_id_.high())
      .Number(ensemble_id_.low())
      .Finish();
}

uint64_t StateMachine::digest() const { return DigestOf(tree_.digest(), sessions_.digest()); }

uint64_t StateMachine::RecomputeDigest() const {
  return DigestOf(tree_.RecomputeDigest(), sessions_.RecomputeDigest());
}

}  // namespace bellwether::coord::tree
