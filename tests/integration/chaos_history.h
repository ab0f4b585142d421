#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace bellwether::tests {

// What the clients of a chaos run did and were told. Thread-safe.
//
// Each writer owns a register, a znode that it sets to 1, 2, 3, ..., and a row of znodes that it
// creates once each. So: a linearizable read of a register that began after value n was acknowledged
// must give n or more; at the end every acknowledged znode is there, and no rejected one.
class ChaosHistory {
 public:
  explicit ChaosHistory(int writers) : registers_(static_cast<size_t>(writers)) {}

  enum class Outcome { kAcked, kRejected, kUnknown };

  void Wrote(int writer, int64_t value, Outcome outcome, absl::Duration now);
  void Created(const std::string& path, Outcome outcome, absl::Duration now);

  // The value that a read beginning now must at least see.
  int64_t AckedOf(int writer) const;
  // The last value of Wrote, whatever became of it.
  int64_t AttemptedOf(int writer) const;
  // Of a read that began when AckedOf was `at_least`.
  void Read(int writer, int64_t at_least, int64_t seen);

  struct Verdict {
    int64_t acked = 0;
    int64_t unknown = 0;
    int64_t lost = 0;      // acknowledged and not there, or rejected and there
    int64_t stale_reads = 0;
    int64_t reads = 0;
    absl::Duration longest_gap;  // between acknowledged writes, of all writers together
    std::vector<std::string> examples;
  };

  // Compares with what is there at the end: register values by writer, and the paths that exist.
  Verdict Check(const std::vector<int64_t>& registers, const std::vector<std::string>& paths) const;

 private:
  struct Register {
    int64_t acked = 0;    // highest acknowledged
    int64_t written = 0;  // highest that may have been applied
    int64_t attempted = 0;
  };

  void Count(Outcome outcome, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable base::Mutex mutex_;
  std::vector<Register> registers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Outcome> created_ ABSL_GUARDED_BY(mutex_);
  Verdict counted_ ABSL_GUARDED_BY(mutex_);
  absl::Duration last_ack_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
};

}  // namespace bellwether::tests
