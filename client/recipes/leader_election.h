#pragma once

#include <string>
#include <utility>

#include "client/recipes/lock.h"

namespace bellwether::client {

// Chooses one of several candidates: the holder of a Lock whose znode carries the candidate's name.
// Owned by the candidate; on the client's executor; must not outlive the client.
class LeaderElection {
 public:
  // `name` is what CurrentLeader tells others, as in "host:port". on_acquired: elected, with a term
  // number (the fencing token) larger than that of any earlier leader; on_lost: no longer a leader,
  // or no longer a candidate.
  LeaderElection(CoordClient& client, std::string path, std::string name, LockCallbacks callbacks)
      : lock_(client, std::move(path), std::move(name), std::move(callbacks)) {}

  // Becomes a candidate. Once.
  void Campaign() { lock_.Acquire(); }

  // Lets another one lead.
  void Resign(absl::AnyInvocable<void(absl::Status)> done) { lock_.Release(std::move(done)); }

  // The name and term of the leader. Errors: NOT_FOUND when there is none.
  static void CurrentLeader(CoordClient& client, const std::string& path,
                            Callback<std::pair<std::string, Zxid>> done);

 private:
  Lock lock_;
};

}  // namespace bellwether::client
