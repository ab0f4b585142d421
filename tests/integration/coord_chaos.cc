// coord_chaos: three real servers under load are killed, paused, restarted and wiped; afterwards
// everything that was acknowledged must be there, and no linearizable read may have been stale.
//   coord_chaos --minutes M [--seed S] [--dir DIR]

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "base/thread.h"
#include "cli/dev_cluster.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "tests/integration/chaos_history.h"
#include "tests/integration/chaos_load.h"

namespace bellwether::tests {
namespace {

constexpr int kServers = 3;

absl::Duration Now() { return base::SystemClock().Monotonic(); }

// Does something to the servers, one fault after the other, with time to recover in between.
class Nemesis {
 public:
  Nemesis(cli::DevCluster& cluster, uint64_t seed, Ending& ending)
      : cluster_(cluster), random_(seed), ending_(ending) {}

  void Run() {
    while (ending_.Pause(absl::Milliseconds(random_.Between(300, 1500)))) {
      const int kind = next_kind_++ % 5;
      const std::string name = fmt::format("coord-{}", random_.Between(1, kServers));
      if (kind == 0) Say("kill", name), KillAndStart({name});
      if (kind == 1) Say("pause", name), PauseServer(name);
      if (kind == 2) Say("kill", "all"), KillAndStart({"coord-1", "coord-2", "coord-3"});
      if (kind == 3) Say("pause", "leader"), PauseServer(Leader());
      if (kind == 4) Say("wipe", name), Wipe(name);
      ++faults_;
    }
  }

  int faults() const { return faults_; }

  // All servers are full members, and as new as the newest was when asked first.
  bool WaitUntilEqual() {
    const absl::Duration deadline = Now() + absl::Seconds(30);
    uint64_t wanted = 0;
    while (Now() < deadline) {
      const auto statuses = Statuses();
      bool all = statuses.size() == kServers;
      for (const auto& status : statuses) {
        if (wanted == 0) wanted = status.commit_index;
        all = all && status.applied_index >= wanted &&
              status.role != client::ServerRole::kLearner && status.ready;
      }
      if (all) return true;
      ending_.Pause(absl::Milliseconds(50));
    }
    fmt::print("nemesis: the servers did not become equal within 30 s\n");
    return false;
  }

  // "equal" when all servers at the same index have the same digest; waits for the same index.
  std::string CompareDigests() {
    const absl::Duration deadline = Now() + absl::Seconds(30);
    while (Now() < deadline) {
      const auto statuses = Statuses();
      if (statuses.size() != kServers) continue;
      bool same_index = true, same_digest = true;
      for (const auto& status : statuses) {
        same_index = same_index && status.applied_index == statuses[0].applied_index;
        same_digest = same_digest && status.digest == statuses[0].digest;
      }
      if (same_index) return same_digest ? "equal" : "DIFFERENT";
    }
    return "never-at-one-index";
  }

 private:
  void Say(std::string_view what, const std::string& name) {
    fmt::print("fault {} {}\n", what, name);
  }

  void Do(const absl::Status& status) {
    if (!status.ok()) fmt::print("nemesis: {}\n", std::string(status.message()));
  }

  void KillAndStart(const std::vector<std::string>& names) {
    for (const std::string& name : names) Do(cluster_.Kill(name, SIGKILL));
    ending_.Pause(absl::Milliseconds(random_.Between(0, 1000)));
    // Together: one alone is not ready before there is a majority.
    Do(cluster_.Up());
  }

  void PauseServer(const std::string& name) {
    Do(cluster_.Kill(name, SIGSTOP));
    ending_.Pause(absl::Milliseconds(random_.Between(100, 2500)));
    Do(cluster_.Kill(name, SIGCONT));
  }

  // Takes a server's disk away. One at a time, and only once the others have all that it had: a
  // second one wiped before the first was readmitted would be the loss of a majority.
  void Wipe(const std::string& name) {
    if (!WaitUntilEqual()) return;
    Do(cluster_.Kill(name, SIGKILL));
    for (const cli::DevServer& server : cluster_.servers()) {
      if (server.name == name) std::filesystem::remove_all(cluster_.DataDir(server));
    }
    Do(cluster_.Up());
    WaitUntilEqual();
  }

  std::vector<client::ServerStatus> Statuses() {
    std::vector<client::ServerStatus> statuses;
    client::CoordOptions options;
    for (const cli::DevServer& server : cluster_.servers()) {
      options.addresses.push_back(server.grpc);
    }
    options.request_timeout = absl::Seconds(2);
    const std::vector<std::string> addresses = options.addresses;
    const auto coord = client::Coord::Connect(std::move(options));
    if (!coord.ok()) return statuses;
    for (const std::string& address : addresses) {
      auto status = (*coord)->ServerStatusOf(address, absl::Seconds(1));
      if (status.ok()) statuses.push_back(*std::move(status));
    }
    (*coord)->CloseSession().IgnoreError();
    return statuses;
  }

  std::string Leader() {
    for (const auto& status : Statuses()) {
      if (status.leader_id != 0) return fmt::format("coord-{}", status.leader_id);
    }
    return "coord-1";
  }

  cli::DevCluster& cluster_;
  base::Random random_;
  Ending& ending_;
  int faults_ = 0;
  int next_kind_ = 0;
};

absl::StatusOr<bool> Run(double minutes, uint64_t seed, const std::string& dir) {
  std::filesystem::remove_all(dir);
  ASSIGN_OR_RETURN(cli::DevCluster cluster, cli::DevCluster::LayOut(dir, kServers, 0, 0));
  RETURN_IF_ERROR(cluster.Up());
  std::vector<std::string> addresses;
  for (const cli::DevServer& server : cluster.servers()) addresses.push_back(server.grpc);
  RETURN_IF_ERROR(ChaosLoad::Prepare(addresses));
  ChaosHistory history(ChaosLoad::kWriters);
  Ending fault_ending;
  Nemesis nemesis(cluster, seed, fault_ending);
  {
    ChaosLoad load(addresses, history, ChaosLoad::Readers::kOnePerServer);
    base::Thread faults("nemesis", [&nemesis] { nemesis.Run(); });
    Ending().Pause(absl::Minutes(1) * minutes);
    fault_ending.Set();
    faults.Join();
    const absl::Status up = cluster.Up();
    if (!up.ok()) fmt::print("nemesis: {}\n", std::string(up.message()));
    Ending().Pause(absl::Seconds(2));  // some load on the healed ensemble
  }
  nemesis.WaitUntilEqual();
  const std::string digest = nemesis.CompareDigests();
  ASSIGN_OR_RETURN(const ChaosHistory::Verdict verdict, ChaosLoad::ReadBack(addresses, history));
  for (size_t i = 0; i < std::min<size_t>(verdict.examples.size(), 10); ++i) {
    fmt::print("{}\n", verdict.examples[i]);
  }
  RETURN_IF_ERROR(cluster.Down());
  const bool enough = nemesis.faults() >= 5 && verdict.acked >= 1000 && verdict.reads >= 1000;
  if (!enough) fmt::print("did too little: {} reads\n", verdict.reads);
  fmt::print("coord_chaos: faults={} acked={} unknown={} lost={} stale_reads={} digest={} "
             "longest_gap_ms={}\n",
             nemesis.faults(), verdict.acked, verdict.unknown, verdict.lost, verdict.stale_reads,
             digest, absl::ToInt64Milliseconds(verdict.longest_gap));
  const bool good = enough && verdict.lost == 0 && verdict.stale_reads == 0 && digest == "equal";
  if (good) std::filesystem::remove_all(dir);
  return good;
}

}  // namespace
}  // namespace bellwether::tests

int main(int argc, char** argv) {
  double minutes = 1;
  uint64_t seed = bellwether::base::SystemRandom() % 1000000;
  std::string dir = fmt::format("/tmp/bellwether-chaos-{}", getpid());
  CLI::App app("Faults under load on a real ensemble.", "coord_chaos");
  app.add_option("--minutes", minutes, "how long")->capture_default_str();
  app.add_option("--seed", seed, "of the faults");
  app.add_option("--dir", dir, "the cluster's folder; kept when something is wrong");
  CLI11_PARSE(app, argc, argv);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  bellwether::base::StartLogging("error", "text").IgnoreError();
  fmt::print("seed {} folder {}\n", seed, dir);
  const auto good = bellwether::tests::Run(minutes, seed, dir);
  if (!good.ok()) {
    fmt::print("coord_chaos: FAILED {}\n", std::string(good.status().message()));
    return 1;
  }
  return *good ? 0 : 1;
}
