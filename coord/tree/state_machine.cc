#include "coord/tree/state_machine.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/mutant.h"
#include "coord/tree/edit.h"
#include "coord/tree/result_codec.h"
#include "coord/tree/transaction.h"
#include "fmt/format.h"

namespace bellwether::coord::tree {
namespace {

bool IsValidTimeout(int64_t timeout_ms) {
  return timeout_ms > 0 && timeout_ms <= kSessionTimeoutMsMax;
}

// What nobody is asked for permission for is done with these.
const Identities& NoIdentities() {
  static const Identities* const none = new Identities();
  return *none;
}

// Whether who answers may take the result for that operation's, whatever the hashes say.
bool IsResultOf(const Operation& operation, const Result& result) {
  if (const auto* const import = std::get_if<Import>(&operation)) {
    return result.code != ResultCode::kOk || result.operations.size() == import->znodes.size();
  }
  const auto* const transaction = std::get_if<Transaction>(&operation);
  if (transaction == nullptr) return true;
  const size_t operations = transaction->operations.size();
  if (result.code == ResultCode::kOk) return result.operations.size() == operations;
  const size_t items =
      result.code == ResultCode::kCompareFailed ? transaction->compares.size() : operations;
  return !result.failed_index.has_value() || *result.failed_index < items;
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

void StateMachine::Execute(const Command&, const SetFeatureLevel& operation,
                           ApplyOutcome& outcome) {
  if (operation.level <= feature_level_) {
    outcome.result.code = ResultCode::kAlreadySet;
    return;
  }
  feature_level_ = operation.level;
  if (feature_level_ < kFeatureLevelAcls) return;
  StartEdit({}, NoIdentities(), Edit::Undo::kNone, outcome).AddSystemZnodes();
}

void StateMachine::Execute(const Command&, const DeleteExpired& operation, ApplyOutcome& outcome) {
  Edit edit = StartEdit({}, NoIdentities(), Edit::Undo::kNone, outcome);
  Result& result = outcome.result;
  result.code = edit.DeleteExpired(operation.path);
  if (result.code == ResultCode::kOk) result.deleted_znodes = 1;
}

void StateMachine::Execute(const Command&, const SetEnsembleConfig& operation,
                           ApplyOutcome& outcome) {
  Edit edit = StartEdit({}, NoIdentities(), Edit::Undo::kNone, outcome);
  const OperationResult done = edit.SetConfig(operation);
  outcome.result.code = done.code;
  outcome.result.stat = done.stat;
}

template <typename SessionOperation>
void StateMachine::Execute(const Command& command, const SessionOperation& operation,
                           ApplyOutcome& outcome) {
  Result& result = outcome.result;
  const bool keeps_results = feature_level_ >= kFeatureLevelRetries;
  result.code = sessions_.Admit(command.session, command.generation, command.sequence);
  if (result.code == ResultCode::kSequenceGap && keeps_results) AnswerAgain(command, result);
  if (result.repeated && MUTANT(68)) ExecuteAdmitted(command, operation, outcome);
  if (result.code != ResultCode::kOk || result.repeated) return;
  ExecuteAdmitted(command, operation, outcome);
  if (keeps_results) KeepResult(command, result);
}

void StateMachine::AnswerAgain(const Command& command, Result& result) {
  const CommandSequence none;
  if (command.sequence == none) return;
  if (command.sequence > sessions_.Find(command.session)->last_sequence) return;
  const CommandSequence sequence = MUTANT(70) ? command.sequence - 1 : command.sequence;
  const SharedBytes* const found = sessions_.FindKept(command.session, sequence);
  if (found == nullptr) {
    result.code = ResultCode::kResultForgotten;
  } else {
    std::optional<KeptResult> kept = DecodeKeptResult(found->view());
    CHECK(kept.has_value());
    if (kept->operation_hash != OperationHash(command.operation, scratch_) ||
        !IsResultOf(command.operation, kept->result)) {
      result.code = ResultCode::kSequenceReused;
    } else {
      result = std::move(kept->result);
      result.repeated = true;
    }
  }
  sessions_.Acknowledge(command.session, command.acknowledged_floor);
}

void StateMachine::KeepResult(const Command& command, const Result& result) {
  const CommandSequence floor = command.acknowledged_floor;
  const bool is_wanted = floor != CommandSequence() && floor <= command.sequence;
  const CommandSequence answered = MUTANT(72) ? floor + 1 : floor;
  if (!is_wanted) return sessions_.Acknowledge(command.session, command.sequence + 1);
  const uint64_t hash = OperationHash(command.operation, scratch_);
  scratch_.clear();
  EncodeKeptResult(hash, result, scratch_);
  sessions_.Keep(command.session, answered, result.zxid, scratch_);
  if (scratch_.capacity() > kScratchBytesMax) scratch_ = std::string();
}

void StateMachine::ExecuteAdmitted(const Command& command, const CloseSession&,
                                   ApplyOutcome& outcome) {
  EndSession(command.session, outcome);
}

void StateMachine::ExecuteAdmitted(const Command& command, const Delete& operation,
                                   ApplyOutcome& outcome) {
  ExecuteAdmitted<Delete>(command, operation, outcome);
  if (outcome.result.code == ResultCode::kOk) outcome.result.deleted_znodes = 1;
}

void StateMachine::ExecuteAdmitted(const Command& command, const DeleteRecursive& operation,
                                   ApplyOutcome& outcome) {
  Edit edit = StartEdit(command.session, command.identities, Edit::Undo::kNone, outcome);
  outcome.result.code = edit.DeleteSubtree(operation.path, outcome.result.deleted_znodes);
}

void StateMachine::ExecuteAdmitted(const Command& command, const Transaction& operation,
                                   ApplyOutcome& outcome) {
  Edit edit = StartEdit(command.session, command.identities, Edit::Undo::kKeep, outcome);
  ApplyTransaction(operation, tree_, edit, outcome.result);
}

void StateMachine::ExecuteAdmitted(const Command& command, const Import& operation,
                                   ApplyOutcome& outcome) {
  Result& result = outcome.result;
  if (feature_level_ < FeatureLevelOf(operation)) {
    result.code = ResultCode::kBadArguments;
    return;
  }
  if (operation.znodes.size() > kTransactionItemsMax) {
    result.code = ResultCode::kTooLarge;
    return;
  }
  Edit edit = StartEdit(command.session, command.identities, Edit::Undo::kNone, outcome);
  result.operations.reserve(operation.znodes.size());
  for (const ImportedZnode& znode : operation.znodes) {
    result.operations.push_back(edit.Apply(znode, operation.overwrite));
  }
}

void StateMachine::ExecuteAdmitted(const Command& command, const RaiseZxid& operation,
                                   ApplyOutcome& outcome) {
  Result& result = outcome.result;
  if (feature_level_ < FeatureLevelOf(operation) || operation.zxid.value() > kRaisedZxidMax) {
    result.code = ResultCode::kBadArguments;
  } else if (!Allows(tree_.Find("/")->access(), kAdmin, command.identities)) {
    result.code = ResultCode::kNoAuth;
  } else if (operation.zxid <= zxid_ && !MUTANT(77)) {
    result.code = ResultCode::kAlreadySet;
  } else {
    zxid_ = operation.zxid;
    result.zxid = zxid_;
  }
}

template <typename OneZnodeOperation>
void StateMachine::ExecuteAdmitted(const Command& command, const OneZnodeOperation& operation,
                                   ApplyOutcome& outcome) {
  Edit edit = StartEdit(command.session, command.identities, Edit::Undo::kNone, outcome);
  OperationResult done = edit.Apply(operation);
  outcome.result.code = done.code;
  outcome.result.path = std::move(done.path);
  outcome.result.stat = done.stat;
}

void StateMachine::EndSession(SessionId session, ApplyOutcome& outcome) {
  Edit edit = StartEdit(session, NoIdentities(), Edit::Undo::kNone, outcome);
  outcome.result.deleted_znodes = edit.DeleteEphemerals(session);
  sessions_.Remove(session);
}

absl::Status StateMachine::StartNewEnsemble(base::Uuid ensemble_id) {
  if (zxid_.value() > kZxidMax - kRestoredZxidStep) {
    return absl::FailedPreconditionError(
        fmt::format("this state can't be restored: its zxid {} leaves no room for one higher by "
                    "2^40; it was restored too often",
                    zxid_));
  }
  zxid_ = zxid_ + kRestoredZxidStep;
  ensemble_id_ = ensemble_id;
  ApplyOutcome told_to_nobody;
  for (const SessionId session : sessions_.Ids()) EndSession(session, told_to_nobody);
  return absl::OkStatus();
}

Edit StateMachine::StartEdit(SessionId session, const Identities& identities, Edit::Undo undo,
                             ApplyOutcome& outcome) {
  return Edit({session, zxid_, time_ms_, feature_level_, identities}, undo, tree_, sessions_,
              outcome.changes);
}

}  // namespace bellwether::coord::tree
