#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/random.h"
#include "base/uuid.h"
#include "client/coord_types.h"

namespace bellwether::client {

// The servers of one ensemble in the order in which this client tries them, and what all
// connections of a client share: the newest zxid seen, the ensemble's id, the last failure. Used on
// the client's executor, except highest_zxid().
class ServerList {
 public:
  // Requires: at least one address. The order is shuffled by `seed`.
  ServerList(std::vector<std::string> addresses, base::Uuid ensemble_id, uint64_t seed);

  // The server for the n-th attempt, round and round.
  const std::string& ForAttempt(uint64_t attempt) const;

  // How long to wait after so many failures in a row: not at all while there are servers left that
  // were not tried; then 50 ms, doubling to 1 s, less a random part.
  absl::Duration Backoff(int failures);

  // Never goes back. Thread-safe.
  void SawZxid(Zxid zxid);
  Zxid highest_zxid() const { return Zxid(highest_zxid_.load(std::memory_order_relaxed)); }

  // Nil until known; set once.
  base::Uuid ensemble_id() const { return ensemble_id_; }
  void SetEnsembleId(base::Uuid id) { ensemble_id_ = id; }

  void NoteFailure(const std::string& address, const absl::Status& status);
  // "coord 127.0.0.1:2191: connection refused", or the addresses when nothing failed yet.
  std::string LastFailure() const;
  uint64_t RandomWord() { return random_.Next(); }

 private:
  std::vector<std::string> addresses_;
  base::Uuid ensemble_id_;
  base::Random random_;
  std::string last_failure_;
  std::atomic<int64_t> highest_zxid_ = 0;
};

}  // namespace bellwether::client
