#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/mutex.h"
#include "coord/service/connection.h"
#include "coord/service/wakeable.h"

namespace bellwether::coord {

// The connections of this server, and which one holds which session. Thread-safe. Lock order: the
// tree, then this table, then a connection. What the applier calls under the tree's lock adds to a
// WakeList whom to wake afterwards.
//
// Invariant: a session has at most one connection here, the one whose attach was applied last.
class ConnectionTable {
 public:
  explicit ConnectionTable(size_t connections_max) : connections_max_(connections_max) {}

  // False when there are too many.
  bool Add(std::shared_ptr<Connection> connection);
  void Remove(Connection& connection);

  // `connection` waits for the command of this token.
  void AwaitAttach(uint64_t token, std::shared_ptr<Connection> connection);
  // The attach came to nothing.
  void FailAttach(uint64_t token, const Failure& failure, WakeList& woken);

  // An attach was applied, of this server's connection `token`, or of another server's (token 0).
  // An older connection of the session is given up.
  void Attached(uint64_t token, const Attached& attached, WakeList& woken);
  // A command of this server's connection was applied.
  void Settle(uint64_t token, Response response, const tree::Command& command, absl::Duration now,
              WakeList& woken);
  void SessionEnded(SessionId session, WakeList& woken);

  // A leader was lost, maybe with commands: gives up connections that wait for the fate of one.
  void DetachUnsettled(const Failure& failure);
  // The state was replaced: gives up all, as nobody knows what became of their commands.
  void DetachAll(const Failure& failure, WakeList& woken);
  // The server stops: every connection finishes what is in flight and is given up.
  void DrainAll(const Failure& failure);

  size_t count() const;
  // Those with higher serials, by serial, at most so many.
  std::vector<std::shared_ptr<Connection>> After(uint64_t serial, size_t connections_max) const;
  // The addresses of the clients that hold these sessions here; empty: none does.
  std::vector<std::string> AddressesOf(const std::vector<SessionId>& sessions) const;

  // Of all connections together, for metrics.
  size_t Sum(size_t (Connection::*bytes)() const) const;

 private:
  static void Detach(Connection& connection, const Failure& failure, WakeList& woken);

  const size_t connections_max_;
  mutable base::Mutex mutex_;
  // Shared with the frontends' streams, which may end at any time.
  std::map<uint64_t, std::shared_ptr<Connection>> all_ ABSL_GUARDED_BY(mutex_);  // by serial()
  absl::flat_hash_map<uint64_t, std::shared_ptr<Connection>> attaching_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<SessionId, std::shared_ptr<Connection>> attached_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::coord
