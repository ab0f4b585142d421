#include "base/options/server_main.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "base/resident_memory.h"
#include "base/version.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

// From the ready line on: by then a server of several mostly has a leader, too.
constexpr timespec kStartTakes{.tv_sec = 2, .tv_nsec = 0};

// SIGTERM and SIGINT are taken by main alone, with sigwait: blocked before any thread starts.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

}  // namespace

int ServerMain::Fail(int exit_code, const absl::Status& status) const {
  fmt::print(stderr, "{}: error: {}\n", program_, status);
  return exit_code;
}

int ServerMain::FailUsage(const absl::Status& status) const { return Fail(kExitUsage, status); }

int ServerMain::Print(const OptionTable::Parsed& parsed) const {
  fmt::print("{}", parsed.output);
  return 0;
}

void ServerMain::Die(const absl::Status& status) const {
  LOG_ERROR("can't go on error={}", status);
  fflush(stdout);
  std::_Exit(Fail(kExitCannotStart, status));
}

void ServerMain::PrintReady(const std::string& description) const {
  fmt::print("{}: ready {}\n", program_, description);
  fflush(stdout);
}

int ServerMain::Run(const Settings& settings,
                    absl::AnyInvocable<absl::StatusOr<Stop>(OnFatal on_fatal)> start) const {
  const absl::Status logging = StartLogging(settings.log_level, settings.log_format);
  if (!logging.ok()) return FailUsage(logging);
  const sigset_t stop_signals = BlockStopSignals();
  LOG_INFO("starting id={} version={} data_dir={}", settings.id, VersionString(program_),
           settings.data_dir);
  if (settings.allow_plaintext) {
    LOG_WARN("connections are not encrypted: --allow-plaintext is set");
  }
  absl::StatusOr<Stop> stop = start([this](const absl::Status& status) { Die(status); });
  if (!stop.ok()) return Fail(kExitCannotStart, stop.status());
  int stop_signal = sigtimedwait(&stop_signals, nullptr, &kStartTakes);
  if (stop_signal < 0) {
    ReleaseUnusedCode();
    sigwait(&stop_signals, &stop_signal);
  }
  LOG_INFO("stopping signal={}", stop_signal);
  (*stop)();
  LOG_INFO("stopped");
  return 0;
}

}  // namespace bellwether::base
