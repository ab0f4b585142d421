#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "tests/integration/chaos_history.h"

namespace bellwether::tests {

// Lets a thread pause until the run ends. Thread-safe.
class Ending {
 public:
  void Set();
  // Waits; returns false when the run has ended.
  bool Pause(absl::Duration duration);

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// Clients that write to an ensemble, and read from it, from construction to destruction, and enter
// into a history what they were told. Each has a thread and one request in flight; a lost session is
// replaced by a new one. The history outlives it and may be carried on by a later load: a writer
// then goes on where its namesake stopped.
class ChaosLoad {
 public:
  static constexpr int kWriters = 4;

  enum class Readers { kNone, kOnePerServer };

  ChaosLoad(const std::vector<std::string>& addresses, ChaosHistory& history, Readers readers);
  ~ChaosLoad();
  ChaosLoad(const ChaosLoad&) = delete;
  ChaosLoad& operator=(const ChaosLoad&) = delete;

  // Makes what the writers need, in an ensemble without it.
  static absl::Status Prepare(const std::vector<std::string>& addresses);
  // Reads everything and compares. Requires: no load is running.
  static absl::StatusOr<ChaosHistory::Verdict> ReadBack(const std::vector<std::string>& addresses,
                                                        const ChaosHistory& history);

 private:
  void Write(int writer);
  void ReadThrough(const std::string& address);

  const std::vector<std::string> addresses_;
  ChaosHistory& history_;
  Ending ending_;
  std::vector<std::unique_ptr<base::Thread>> threads_;
};

}  // namespace bellwether::tests
