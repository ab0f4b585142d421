#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "coord/tree/types.h"

namespace bellwether::coord {

// Operators who end sessions and wait until this server has applied that. Knows nothing of how a
// session is ended. Thread-safe; its lock is a leaf, nobody is called holding it.
// Limits: kWaitersMax.
class SessionEndings {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit SessionEndings(base::Executor& executor) : executor_(executor) {}

  // Runs `done` once, on any thread: OnEnded or Finish say with what, or `timeout` passes: rejected
  // until SetProposed, of unknown outcome from then on. Gives the number of the wait; nullopt when
  // `done` ran at once, rejected: too many wait, or Stop came before.
  std::optional<uint64_t> Await(tree::SessionId session, absl::Duration timeout, Done done);

  // The end of the session is about to be proposed, perhaps once more. Requires the caller to look at the session's
  // generation only afterwards, so that no attach is missed by both.
  void SetProposed(uint64_t wait);
  // The proposal came to nothing: ends the wait. Of an earlier one it is not known.
  void Refuse(uint64_t wait, absl::Status status);
  // Ends a wait, if it still is one.
  void Finish(uint64_t wait, absl::Status status);

  // The session is gone: who wanted that has it.
  void OnEnded(tree::SessionId session);
  // The session was attached: one of the waits whose proposals have no effect by that; nullopt: none.
  std::optional<uint64_t> ProposedFor(tree::SessionId session) const;

  // Another state took the place of this server's: the sessions live of which `lives` is true.
  void OnReplaced(const std::function<bool(tree::SessionId)>& lives);

  // Ends all waits.
  void Stop();

 private:
  static constexpr size_t kWaitersMax = 100;

  struct Waiter {
    uint64_t wait = 0;
    tree::SessionId session;
    int proposed = 0;  // times
    Done done;
  };

  static absl::Status NotSeen(const Waiter& waiter, absl::StatusCode code, std::string_view why);
  void TimeOut(uint64_t wait);
  std::list<Waiter> Take(const std::function<bool(const Waiter&)>& which);

  base::Executor& executor_;
  mutable base::Mutex mutex_;
  std::list<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_wait_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwether::coord
