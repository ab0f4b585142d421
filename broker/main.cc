// bell-broker: one broker of the message log. See broker/README.md.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "base/version.h"
#include "broker/broker_server.h"
#include "broker/options.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr int kCannotStart = 1;
constexpr int kUsage = 2;

int Fail(int exit_code, const absl::Status& status) {
  fmt::print(stderr, "bell-broker: error: {}\n", status);
  return exit_code;
}

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

// The disk failed or the broker may not take part: an orderly stop could do more harm than good,
// so the process ends where it is. What was acknowledged is durable.
[[noreturn]] void Die(const absl::Status& status) {
  LOG_ERROR("the broker can't go on error={}", status);
  fflush(stdout);
  std::_Exit(Fail(kCannotStart, status));
}

void PrintReady(const BrokerServer& server) {
  fmt::print("bell-broker: ready {}\n", server.Describe());
  fflush(stdout);
}

int Serve(const BrokerServerOptions& options) {
  const sigset_t stop_signals = BlockStopSignals();
  LOG_INFO("starting id={} version={} data_dir={}", options.id, base::VersionString("bell-broker"),
           options.data_dir);
  if (options.allow_plaintext) LOG_WARN("connections are not encrypted: --allow-plaintext is set");
  auto server = BrokerServer::Start(options, {.on_ready = PrintReady, .on_fatal = Die});
  if (!server.ok()) return Fail(kCannotStart, server.status());
  int stop_signal = 0;
  sigwait(&stop_signals, &stop_signal);
  LOG_INFO("stopping signal={}", stop_signal);
  server->reset();
  LOG_INFO("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  auto parsed = ParseBrokerOptions(argc, argv);
  if (!parsed.ok()) return Fail(kUsage, parsed.status());
  if (parsed->parsed.action != base::OptionTable::Action::kRun) {
    fmt::print("{}", parsed->parsed.output);
    return 0;
  }
  const absl::Status logging =
      base::StartLogging(parsed->options.log_level, parsed->options.log_format);
  if (!logging.ok()) return Fail(kUsage, logging);
  return Serve(parsed->options);
}

}  // namespace
}  // namespace bellwether::broker

int main(int argc, char** argv) { return bellwether::broker::Main(argc, argv); }
