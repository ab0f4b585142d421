#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "coord/tree/command.h"
#include "coord/tree/compact_string.h"
#include "coord/tree/cow_map.h"
#include "coord/tree/cow_ptr.h"
#include "coord/tree/result.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// The value of a map that is a set.
struct Nothing {};

// Paths, sorted by bytes.
using PathSet = CowMap<CompactString, Nothing>;

// A live session.
struct Session {
  base::Uuid nonce;
  SessionPassword password{};
  int64_t timeout_ms = 0;
  SessionGeneration generation;
  CommandSequence last_sequence;
  PathSet ephemerals;  // paths of the znodes it owns
  // The results of its newest commands are kept: so many of them, from first_kept on.
  CommandSequence first_kept;
  uint32_t kept_results = 0;
  uint32_t kept_bytes = 0;  // with kKeptResultOverheadBytes for each
  RefCount references;
};

// The live sessions and what is summed over them. Knows nothing of time: who expires is decided by
// the leader. A copy takes O(1) and shares what neither changes; it may be read and dropped on
// another thread. Otherwise not thread-safe; const calls may run in parallel.
//
// Invariants:
// - a session's ephemerals are exactly the znodes whose owner it is
// - what is kept of a session's results is of its newest commands, without a gap, and no bound of
//   types.h is exceeded
class Sessions {
 public:
  // Null when there is none.
  const Session* Find(SessionId id) const;

  // What the client of a session is told. Requires: it exists.
  SessionGrant GrantOf(SessionId id) const;

  // The session of that nonce, its generation raised, or a new one at generation 1.
  // Requires: the operation's fields are valid.
  SessionId Create(const CreateSession& operation, Zxid zxid);

  // Takes a session of a saved state over as it is. False, without effect, when its id is 0 or not
  // greater than those here, or its nonce is here already.
  bool Restore(SessionId id, CowPtr<Session> session);

  // Raises the generation and sets the timeout; false for an unknown session or a wrong password.
  bool Attach(const AttachSession& operation);

  // kOk and the sequence is used up, or the reason why the command must have no effect.
  ResultCode Admit(SessionId id, SessionGeneration generation, CommandSequence sequence);

  // Drops what is kept of the session's commands below `floor`, keeps what EncodeKeptResult gave of its
  // last command, applied at `zxid`, and drops the oldest beyond the bounds. Nothing for an unknown
  // session. Requires: it is not kept yet, and `zxid` is above those of all that is kept.
  void Keep(SessionId id, CommandSequence floor, Zxid zxid, std::string_view result);
  // Drops what is kept of the session's commands below `floor`.
  void Acknowledge(SessionId id, CommandSequence floor);
  // Null when it is not kept.
  const SharedBytes* FindKept(SessionId id, CommandSequence sequence) const;
  // Takes the results of a saved session over, the oldest first. False, without effect, when they are
  // too many, or one is of a command that there can't have been.
  struct SavedResult {
    Zxid zxid;
    SharedBytes bytes;
  };
  bool RestoreKept(SessionId id, std::vector<SavedResult> results);

  // Requires: it exists and owns no znode.
  void Remove(SessionId id);

  // Requires: the session exists; and does not yet own the znode, respectively does own it.
  void AddEphemeral(SessionId id, std::string_view path);
  void RemoveEphemeral(SessionId id, std::string_view path);

  using Entries = CowMap<SessionId, CowPtr<Session>>;
  const Entries& entries() const { return sessions_; }
  std::vector<SessionId> Ids() const;  // sorted
  size_t count() const { return sessions_.size(); }
  size_t ephemeral_count() const { return ephemeral_count_; }
  size_t kept_results() const { return kept_.size(); }
  size_t kept_bytes() const { return kept_bytes_; }  // with kKeptResultOverheadBytes for each

  uint64_t digest() const { return digest_; }
  uint64_t RecomputeDigest() const;

 private:
  struct KeptKey {
    SessionId session;
    CommandSequence sequence;
    friend auto operator<=>(const KeptKey&, const KeptKey&) = default;
  };
  struct Kept {
    Zxid zxid;
    SharedBytes bytes;
  };

  // Requires: it exists.
  Session& Mutable(SessionId id) { return sessions_.Mutable(id).Mutable(); }
  // Leaves kept_by_age_ to the caller.
  void AddKept(const KeptKey& key, Kept kept, Session& session);
  // Requires: one is kept of it.
  void DropOldest(SessionId id, Session& session);

  Entries sessions_;
  CowMap<base::Uuid, SessionId> by_nonce_;
  CowMap<KeptKey, Kept> kept_;
  CowMap<Zxid, SessionId> kept_by_age_;
  size_t kept_bytes_ = 0;
  size_t ephemeral_count_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace bellwether::coord::tree
