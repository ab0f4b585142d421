#pragma once

#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "coord/service/requests.h"

namespace bellwether::coord {

// When the leader last heard of each session, and which ones have been silent for too long. Time is
// the sum of the ticks, each counted at most `tick_max`: what a pause of the process (or of its
// machine) took longer than that is thereby added to every deadline. Knows nothing of connections
// or commands. Not thread-safe: owned by the replica's executor, where touches, ticks and changes
// of leadership arrive in their order.
//
// Invariants:
// - no session is reported before a full timeout has passed since its last touch, its (re)attach or
//   the start of this leadership; the tick in which that came does not count
// - a session is reported by a tick at the earliest when the tick before found it silent too: what
//   had arrived by then has been worked off
class SessionTracker {
 public:
  explicit SessionTracker(absl::Duration tick_max) : tick_max_(tick_max) {}

  // The session was created or attached: its timer starts afresh.
  void Attached(SessionId session, SessionGeneration generation, absl::Duration timeout);
  void Ended(SessionId session);
  // There are no sessions, until they are told anew.
  void Clear();

  // All timers start afresh, at full timeout: a new leader knows nothing of who was heard.
  void RestartAll();

  // Unknown sessions are ignored. False: an expire of the session was proposed and may yet take
  // effect, so nobody may be promised that it lives.
  bool Touch(SessionId session);

  struct Expired {
    SessionId session;
    SessionGeneration generation;
  };
  // Lets `since_last` pass. Returns the sessions to expire; each again and again until it is ended,
  // touched, or marked with Expiring.
  std::vector<Expired> Tick(absl::Duration since_last);

  // An expire was proposed, respectively came to nothing: the session is left out, in again.
  void SetExpiring(SessionId session, bool expiring);

  // For how long nothing was heard of it, as ticks tell; nullopt for an unknown session.
  std::optional<absl::Duration> SilenceOf(SessionId session) const;

  size_t count() const { return sessions_.size(); }

 private:
  struct Timer {
    SessionGeneration generation;
    absl::Duration timeout;
    absl::Duration deadline;  // as a sum of ticks
    absl::Duration due;       // of its one valid entry in due_
    bool silent = false;      // the last tick found it past its deadline
    bool expiring = false;
  };
  // When to look at a session. Touches only move the deadline in sessions_, so that they cost no
  // more than a hash; an entry that comes too early is put back, one that is not valid dropped.
  using Due = std::pair<absl::Duration, SessionId>;

  void Restart(Timer& timer);
  void LookAgainAt(absl::Duration due, SessionId session, Timer& timer);

  const absl::Duration tick_max_;
  absl::Duration now_;
  absl::flat_hash_map<SessionId, Timer> sessions_;
  std::priority_queue<Due, std::vector<Due>, std::greater<Due>> due_;
};

}  // namespace bellwether::coord
