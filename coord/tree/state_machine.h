#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/uuid.h"
#include "coord/tree/command.h"
#include "coord/tree/edit.h"
#include "coord/tree/result.h"
#include "coord/tree/sessions.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/tree.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// What the leader adds to a command when it proposes it.
struct ApplyContext {
  int64_t time_ms = 0;  // its wall clock, ms since 1970; one that went back counts as the last one
};

// The replicated state of coord: the tree of znodes, the sessions, and the zxid. Deterministic:
// the same commands give the same results, changes and digest everywhere. Never throws or aborts
// on what a client can send. Knows nothing of Raft, connections, watches, timers or the clock.
// Owned by a server's applier. Not thread-safe: const calls may run in parallel under a shared
// lock, Apply needs it exclusively.
//
// Invariants:
// - zxid rises by one with each Apply, whatever its result
// - a session's last_sequence rises by one with each of its commands that was not refused with
//   kSessionExpired, kStaleGeneration or kSequenceGap; those three have no effect
// - every ephemeral znode's owner is a live session
class StateMachine {
 public:
  StateMachine() = default;
  StateMachine(const StateMachine&) = delete;
  StateMachine& operator=(const StateMachine&) = delete;

  ApplyOutcome Apply(const Command& command, const ApplyContext& context);

  // Reads. None validates its path: a malformed one names no znode (Z48).
  struct ZnodeView {
    Stat stat;
    SharedBytes data;
  };
  struct ChildrenView {
    Stat stat;
    std::vector<std::string> names;  // sorted by bytes
  };
  std::optional<ZnodeView> Get(std::string_view path) const;
  std::optional<Stat> Exists(std::string_view path) const;
  std::optional<ChildrenView> Children(std::string_view path) const;
  // Visits the znode and everything below it: a parent before its children, siblings by the bytes
  // of their names; ends early when the visitor returns false. False when there is no such znode.
  bool Subtree(std::string_view path, absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const;

  // Sessions.
  struct SessionView {
    SessionGeneration generation;
    CommandSequence last_sequence;
    int64_t timeout_ms = 0;
    size_t ephemerals = 0;  // znodes it owns
  };
  std::optional<SessionView> FindSession(SessionId session) const;
  std::vector<SessionId> SessionIds() const;  // sorted
  // Paths of the znodes it owns, sorted by bytes; empty for an unknown session.
  std::vector<std::string> Ephemerals(SessionId session) const;

  Zxid zxid() const { return zxid_; }                // of the last applied command
  int64_t last_time_ms() const { return time_ms_; }  // of the last applied command
  base::Uuid ensemble_id() const { return ensemble_id_; }  // nil until it was set
  size_t znode_count() const { return tree_.znode_count(); }  // the root included
  size_t data_bytes() const { return tree_.data_bytes(); }    // of all znodes
  size_t session_count() const { return sessions_.count(); }
  size_t ephemeral_count() const { return sessions_.ephemeral_count(); }

  // A hash of everything above, kept up to date with each command. Equal states have equal digests
  // on every machine; different ones differ but for chance.
  uint64_t digest() const;
  // The same computed from nothing: for tests and checks, as slow as the state is large.
  uint64_t RecomputeDigest() const;

 private:
  void Execute(const Command& command, const CreateSession& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const AttachSession& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const ExpireSession& operation, ApplyOutcome& outcome);
  void Execute(const Command& command, const SetEnsembleId& operation, ApplyOutcome& outcome);
  // Every other operation is a session's and must be its next.
  template <typename SessionOperation>
  void Execute(const Command& command, const SessionOperation& operation, ApplyOutcome& outcome);

  void ExecuteAdmitted(SessionId session, const CloseSession& operation, ApplyOutcome& outcome);
  void ExecuteAdmitted(SessionId session, const Create& operation, ApplyOutcome& outcome);
  void ExecuteAdmitted(SessionId session, const SetData& operation, ApplyOutcome& outcome);
  void ExecuteAdmitted(SessionId session, const Delete& operation, ApplyOutcome& outcome);
  void ExecuteAdmitted(SessionId session, const DeleteRecursive& operation, ApplyOutcome& outcome);
  void ExecuteAdmitted(SessionId session, const Transaction& operation, ApplyOutcome& outcome);

  // Requires: the session exists.
  void EndSession(SessionId session, ApplyOutcome& outcome);
  Edit StartEdit(SessionId session, Edit::Undo undo, ApplyOutcome& outcome);
  uint64_t DigestOf(uint64_t tree_digest, uint64_t sessions_digest) const;

  Tree tree_;
  Sessions sessions_;
  Zxid zxid_;
  int64_t time_ms_ = 0;
  base::Uuid ensemble_id_;
};

}  // namespace bellwether::coord::tree
