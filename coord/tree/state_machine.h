#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/uuid.h"
#include "coord/tree/command.h"
#include "coord/tree/edit.h"
#include "coord/tree/result.h"
#include "coord/tree/state_view.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// What the leader adds to a command when it proposes it.
struct ApplyContext {
  int64_t time_ms = 0;  // its wall clock, ms since 1970; one that went back counts as the last one
};

// The replicated state of coord, and what changes it. Deterministic: the same commands give the
// same results, changes and digest everywhere. Never throws or aborts on what a client can send.
// Knows nothing of Raft, connections, watches, timers or the clock.
// Owned by a server's applier. Not thread-safe: const calls may run in parallel under a shared
// lock, Apply needs it exclusively. Views that were taken before are not disturbed.
//
// Invariants:
// - zxid rises by one with each Apply, whatever its result, and further with a RaiseZxid
// - a session's last_sequence rises by one with each of its commands that was not refused with
//   kSessionExpired, kStaleGeneration or kSequenceGap, and had not been applied before; those have no
//   effect
// - every ephemeral znode's owner is a live session
class StateMachine : public StateView {
 public:
  StateMachine() = default;
  // Goes on from a state.
  explicit StateMachine(StateView state) : StateView(std::move(state)) {}
  StateMachine(const StateMachine&) = delete;
  StateMachine& operator=(const StateMachine&) = delete;

  ApplyOutcome Apply(const Command& command, const ApplyContext& context);

  // Goes on from another state.
  void Replace(StateView state) { StateView::operator=(std::move(state)); }

  // The state as it is now, in O(1). A const call: may run beside others.
  StateView View() const { return *this; }

  // Makes a restored state another ensemble's, before its first command: a new id, a zxid higher by
  // kRestoredZxidStep so that it never goes back for a client, no sessions. Ephemerals go as if all
  // sessions had been closed at that zxid: their parents' cversion, pzxid and num_children say so.
  // The usage of quotas follows. A nil id: SetEnsembleId will set it. FAILED_PRECONDITION, without
  // effect, beyond kZxidMax.
  absl::Status StartNewEnsemble(base::Uuid ensemble_id);

 private:
  void Execute(const Command& command, const CreateSession& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const AttachSession& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const ExpireSession& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const SetEnsembleId& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const SetFeatureLevel& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const DeleteExpired& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const SetEnsembleConfig& operation, ApplyOutcome& outcome);
  // Every other operation is a session's, and its next or one that it sent before.
  template <typename SessionOperation>
  void Execute(const Command& command, const SessionOperation& operation, ApplyOutcome& outcome);

  void ExecuteAdmitted(const Command& command, const CloseSession& operation,
                       ApplyOutcome& outcome);
  void ExecuteAdmitted(const Command& command, const Delete& operation, ApplyOutcome& outcome);
  void ExecuteAdmitted(const Command& command, const DeleteRecursive& operation,
                       ApplyOutcome& outcome);
  void ExecuteAdmitted(const Command& command, const Transaction& operation,
                       ApplyOutcome& outcome);
  void ExecuteAdmitted(const Command& command, const Import& operation, ApplyOutcome& outcome);
  void ExecuteAdmitted(const Command& command, const RaiseZxid& operation, ApplyOutcome& outcome);
  // Every other one is one that Edit applies.
  template <typename OneZnodeOperation>
  void ExecuteAdmitted(const Command& command, const OneZnodeOperation& operation,
                       ApplyOutcome& outcome);

  // Of a command whose sequence is not the session's next: what is kept of it, if it was applied.
  void AnswerAgain(const Command& command, Result& result);
  void KeepResult(const Command& command, const Result& result);

  // Requires: the session exists.
  void EndSession(SessionId session, ApplyOutcome& outcome);
  // `identities` outlives the edit.
  Edit StartEdit(SessionId session, const Identities& identities, Edit::Undo undo,
                 ApplyOutcome& outcome);

  // What scratch_ may hold on to between commands.
  static constexpr size_t kScratchBytesMax = 64 << 10;

  std::string scratch_;  // encodings, while a command is applied; no part of the state
};

}  // namespace bellwether::coord::tree
