// Load on servers that speak ZooKeeper's protocol: one thread, one epoll, requests that are bytes made
// beforehand. Prints one line of JSON; exit 1 when a request failed or a session was lost.
//   zk_load set|create|get|mixed|children --servers H:P[,H:P] [--connections C] [--in-flight N]
//     --rate R       R requests per second, each due at its time whatever the others take: latency
//                    counts from when it was due
//     --operations N that many, then it ends
//   zk_load fan-out  one change told to --watchers sessions, --rounds times
//   zk_load churn    sessions opened and closed
//   zk_load fill     makes --znodes znodes, many to a transaction
//   zk_load idle     opens --sessions that watch, says so, keeps them until standard input ends
//   zk_load echo     a server that does nothing: what the load reaches against it is the load's ceiling

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "base/parse.h"
#include "base/status.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tests/bench/zk_load_echo.h"
#include "tests/bench/zk_load_run.h"
#include "tests/bench/zk_load_sessions.h"

namespace bellwether::bench {
namespace {

// As many sockets as the system lets this process have.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlimit wanted{1 << 20, 1 << 20};
  if (limit.rlim_max < wanted.rlim_max && setrlimit(RLIMIT_NOFILE, &wanted) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

absl::Status PrintFigures(const absl::StatusOr<nlohmann::ordered_json>& figures) {
  if (figures.ok()) fmt::print("{}\n", figures->dump());
  return figures.status();
}

// Settings of all modes, and what the command line chose.
struct CommandLine {
  std::string servers;
  LoadTarget target;
  LoadSettings load;
  FanOutSettings fan_out;
  ChurnSettings churn;
  FillSettings fill;
  IdleSettings idle;
  EchoSettings echo;
  std::function<absl::Status()> run;
};

CLI::App& AddMode(CLI::App& app, CommandLine& line, const std::string& name, const std::string& what,
                  std::function<absl::Status()> run) {
  CLI::App& mode = *app.add_subcommand(name, what);
  mode.add_option("--servers", line.servers, "HOST:PORT,...")->required();
  mode.add_option("--pids", line.target.pids, "of the servers")->delimiter(',');
  mode.add_option("--root", line.target.root, "znodes are made below it");
  mode.add_option("--bytes", line.target.bytes, "of a znode's data")->check(CLI::Range(0, 1 << 19));
  mode.callback([&line, run = std::move(run)] { line.run = run; });
  return mode;
}

void AddLoads(CLI::App& app, CommandLine& line) {
  static const std::map<std::string, LoadOperation> operations = {
      {"set", LoadOperation::kSet},     {"create", LoadOperation::kCreate},
      {"get", LoadOperation::kGet},     {"mixed", LoadOperation::kMixed},
      {"children", LoadOperation::kChildren}};
  for (const auto& [name, operation] : operations) {
    const LoadOperation chosen = operation;
    CLI::App& mode = AddMode(app, line, name, "a load of this kind", [&line, chosen] {
      line.load.operation = chosen;
      line.load.target = line.target;
      if (line.load.operations > 0) line.load.warm_up = 0;
      return PrintFigures(RunLoad(line.load));
    });
    // A session that creates has a million numbers of eight digits.
    mode.add_option("--connections", line.load.connections)
        ->check(CLI::Range(1, chosen == LoadOperation::kCreate ? 99 : 10'000));
    mode.add_option("--in-flight", line.load.in_flight, "requests per connection")
        ->check(CLI::Range(1, 10'000));
    mode.add_option("--rate", line.load.rate, "requests per second of all connections")
        ->check(CLI::NonNegativeNumber);
    mode.add_option("--warm-up", line.load.warm_up, "seconds, not measured")
        ->check(CLI::NonNegativeNumber);
    mode.add_option("--seconds", line.load.seconds, "measured")->check(CLI::PositiveNumber);
    mode.add_option("--operations", line.load.operations, "how many, instead of --seconds");
    mode.add_option("--znodes", line.load.znodes, "read and written at random")
        ->check(CLI::Range(1, 10'000'000));
    mode.add_option("--children", line.load.children, "of the znode that is listed")
        ->check(CLI::Range(1, 1'000'000));
    mode.add_option("--reads", line.load.reads, "share of a mixed load")->check(CLI::Range(0.0, 1.0));
  }
}

void AddOtherModes(CLI::App& app, CommandLine& line) {
  CLI::App& fan_out = AddMode(app, line, "fan-out", "one change told to many", [&line] {
    line.fan_out.target = line.target;
    return PrintFigures(RunFanOut(line.fan_out));
  });
  fan_out.add_option("--watchers", line.fan_out.watchers)->check(CLI::Range(1, 1'000'000));
  fan_out.add_option("--rounds", line.fan_out.rounds)->check(CLI::Range(1, 1'000));

  CLI::App& churn = AddMode(app, line, "churn", "sessions opened and closed", [&line] {
    line.churn.target = line.target;
    return PrintFigures(RunChurn(line.churn));
  });
  churn.add_option("--connections", line.churn.connections)->check(CLI::Range(1, 10'000));
  churn.add_option("--warm-up", line.churn.warm_up)->check(CLI::NonNegativeNumber);
  churn.add_option("--seconds", line.churn.seconds)->check(CLI::PositiveNumber);

  CLI::App& fill = AddMode(app, line, "fill", "makes many znodes", [&line] {
    line.fill.target = line.target;
    return PrintFigures(RunFill(line.fill));
  });
  fill.add_option("--znodes", line.fill.znodes)->check(CLI::Range(1, 100'000'000));
  fill.add_option("--per-parent", line.fill.per_parent)->check(CLI::Range(1, 10'000'000));
  fill.add_option("--per-transaction", line.fill.per_transaction)->check(CLI::Range(1, 5'000));

  CLI::App& idle = AddMode(app, line, "idle", "sessions that watch", [&line] {
    line.idle.target = line.target;
    return RunIdle(line.idle);
  });
  idle.add_option("--sessions", line.idle.sessions)->check(CLI::Range(0, 1'000'000));
  idle.add_option("--dropped", line.idle.dropped, "further ones without a connection")
      ->check(CLI::Range(0, 1'000'000));
  idle.add_option("--watches", line.idle.watches, "of each session")->check(CLI::Range(0, 100'000));
  idle.add_option("--znodes", line.idle.znodes, "that are watched")->check(CLI::Range(1, 10'000'000));
  idle.add_option("--timeout-ms", line.idle.timeout_ms)->check(CLI::Range(1'000, 3'600'000));

  CLI::App& echo = *app.add_subcommand("echo", "a server that does nothing");
  echo.add_option("--bytes", line.echo.bytes)->check(CLI::Range(0, 1 << 19));
  echo.add_option("--children", line.echo.children)->check(CLI::Range(1, 1'000'000));
  echo.callback([&line] { line.run = [&line] { return RunEcho(line.echo); }; });
}

absl::Status Run(CommandLine& line) {
  if (!line.servers.empty()) {
    ASSIGN_OR_RETURN(line.target.servers, base::ParseHostPorts(line.servers));
  }
  RaiseDescriptorLimit();
  return line.run();
}

}  // namespace
}  // namespace bellwether::bench

int main(int argc, char** argv) {
  bellwether::bench::CommandLine line;
  CLI::App app("load over ZooKeeper's protocol");
  app.require_subcommand(1);
  bellwether::bench::AddLoads(app, line);
  bellwether::bench::AddOtherModes(app, line);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = bellwether::bench::Run(line);
  if (status.ok()) return 0;
  fmt::print(stderr, "zk_load: error: {}\n", std::string(status.message()));
  return 1;
}
