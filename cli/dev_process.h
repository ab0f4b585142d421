#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bellwether::cli {

// Starting, finding and stopping server processes that outlive this one. A server is known by its
// data folder: it holds a lock on DIR/LOCK, which also names its pid, as long as it lives.

// Starts a program in a process session of its own, stdin empty, stdout and stderr appended to
// `log`, no other descriptors inherited.
absl::StatusOr<pid_t> SpawnServer(const std::vector<std::string>& command, const std::string& log);

// The process that holds the lock of a data folder, or was started on it a moment ago; nullopt when
// there is none.
std::optional<pid_t> RunningServer(const std::string& data_dir);

// Waits until the server `pid` has written its ready line into what was appended to `log` after
// `log_offset`. Errors: FAILED_PRECONDITION with the last line of its log when it ended instead;
// DEADLINE_EXCEEDED.
absl::Status WaitUntilReady(pid_t pid, const std::string& log, size_t log_offset,
                            absl::Duration timeout);

// Waits until /readyz of the admin address ("127.0.0.1:PORT") answers 200. DEADLINE_EXCEEDED gives
// what it said last.
absl::Status WaitUntilHealthy(const std::string& admin, absl::Duration timeout);

// Sends a signal and waits until the process is gone. NOT_FOUND when there is none;
// DEADLINE_EXCEEDED when it lives on (a signal that stops, as SIGSTOP, is not waited for).
absl::Status SignalAndWait(pid_t pid, int signal, absl::Duration timeout);

}  // namespace bellwether::cli
