#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options/option_table.h"

namespace bellwether::base {

// Exit codes of servers.
inline constexpr int kExitCannotStart = 1;  // cannot start, or the disk failed
inline constexpr int kExitUsage = 2;        // flags or configuration

// What main does around a server: log, signals, ready line, last words and exit codes.
class ServerMain {
 public:
  // Ends the process: "PROGRAM: error: ..." and exit code 1, at once. An orderly stop could do more
  // harm than good; what was acknowledged is durable.
  using OnFatal = std::function<void(absl::Status)>;
  using Stop = absl::AnyInvocable<void()>;

  struct Settings {
    int64_t id = 0;
    std::string data_dir;
    std::string log_level;
    std::string log_format;
    bool allow_plaintext = false;
  };

  explicit ServerMain(std::string program) : program_(std::move(program)) {}

  // "PROGRAM: error: ..." on stderr; returns the exit code.
  int Fail(int exit_code, const absl::Status& status) const;

  // The exit code for a command line that can't be used, or that only asks for something.
  int FailUsage(const absl::Status& status) const;
  int Print(const OptionTable::Parsed& parsed) const;

  // Starts logging, calls `start`, waits for SIGTERM or SIGINT, calls what `start` gave; returns
  // the exit code.
  int Run(const Settings& settings,
          absl::AnyInvocable<absl::StatusOr<Stop>(OnFatal on_fatal)> start) const;

  // "PROGRAM: ready DESCRIPTION" on stdout.
  void PrintReady(const std::string& description) const;

 private:
  [[noreturn]] void Die(const absl::Status& status) const;

  const std::string program_;
};

}  // namespace bellwether::base
