// coord_chaos: three real servers under load are killed, paused, restarted and wiped; afterwards
// everything that was acknowledged must be there, and no linearizable read may have been stale.
//   coord_chaos --minutes M [--seed S] [--dir DIR]

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <functional>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "base/thread.h"
#include "cli/dev_cluster.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "tests/integration/chaos_history.h"

namespace bellwether::tests {
namespace {

using Outcome = ChaosHistory::Outcome;

constexpr int kServers = 3;
constexpr int kWriters = 4;

// Lets a thread pause until the run ends. Thread-safe.
class Ending {
 public:
  void Set() {
    base::MutexLock lock(mutex_);
    ended_ = true;
    changed_.SignalAll();
  }
  // Waits; returns false when the run has ended.
  bool Pause(absl::Duration duration) {
    const absl::Duration until = base::SystemClock().Monotonic() + duration;
    base::MutexLock lock(mutex_);
    while (!ended_) {
      const absl::Duration left = until - base::SystemClock().Monotonic();
      if (left <= absl::ZeroDuration()) break;
      changed_.WaitFor(mutex_, left);
    }
    return !ended_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::Duration Now() { return base::SystemClock().Monotonic(); }

std::string RegisterPath(int writer) { return fmt::format("/chaos/register-{}", writer); }

Outcome OutcomeOf(const absl::Status& status) {
  if (status.ok()) return Outcome::kAcked;
  return base::OutcomeOf(status) == base::Outcome::kUnknown ? Outcome::kUnknown
                                                            : Outcome::kRejected;
}

// A client that makes a new session when its own is lost.
class Connection {
 public:
  Connection(std::vector<std::string> addresses, Ending& ending)
      : addresses_(std::move(addresses)), ending_(ending) {}

  // nullptr when the run has ended.
  client::Coord* Get() {
    while (coord_ == nullptr || coord_->state() == client::SessionState::kExpired) {
      auto connected = client::Coord::Connect(
          {.addresses = addresses_, .request_timeout = absl::Seconds(2)});
      if (connected.ok()) {
        coord_ = *std::move(connected);
      } else if (!ending_.Pause(absl::Milliseconds(20))) {
        return nullptr;
      }
    }
    return ending_.Pause(absl::ZeroDuration()) ? coord_.get() : nullptr;
  }

 private:
  const std::vector<std::string> addresses_;
  Ending& ending_;
  std::unique_ptr<client::Coord> coord_;
};

// Alternates between setting its register and creating a znode; moves between servers in the
// middle of that when it is the moving one.
void Write(int writer, bool moves, const std::vector<std::string>& addresses,
           ChaosHistory& history, Ending& ending) {
  Connection connection(addresses, ending);
  base::Random random(static_cast<uint64_t>(writer) + 1);
  for (int64_t n = 1; client::Coord* const coord = connection.Get(); ++n) {
    if (moves && random.Chance(0.02)) {
      coord->Run([](client::CoordClient& client) { client.Reconnect(); });
    }
    const auto set = coord->Set(RegisterPath(writer), std::to_string(n));
    history.Wrote(writer, n, OutcomeOf(set.status()), Now());
    const std::string path = fmt::format("/chaos/row/{}-{}", writer, n);
    const auto created = coord->Create(path, "x");
    history.Created(path, OutcomeOf(created.status()), Now());
  }
}

// Reads registers through one server only: also the one that wakes from SIGSTOP believing it leads.
void ReadThrough(const std::string& address, ChaosHistory& history, Ending& ending) {
  Connection connection({address}, ending);
  for (int writer = 0; client::Coord* const coord = connection.Get();
       writer = (writer + 1) % kWriters) {
    const int64_t at_least = history.AckedOf(writer);
    const auto read = coord->Get(RegisterPath(writer));
    if (!read.ok()) continue;
    history.Read(writer, at_least, std::stoll(read->data.value_or("0")));
  }
}

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

absl::StatusOr<ChaosHistory::Verdict> ReadBack(const std::vector<std::string>& addresses,
                                               const ChaosHistory& history) {
  ASSIGN_OR_RETURN(const auto coord, client::Coord::Connect({.addresses = addresses}));
  std::vector<int64_t> registers;
  for (int writer = 0; writer < kWriters; ++writer) {
    ASSIGN_OR_RETURN(const auto read, coord->Get(RegisterPath(writer)));
    registers.push_back(std::stoll(read.data.value_or("0")));
  }
  ASSIGN_OR_RETURN(const auto row, coord->List("/chaos/row"));
  std::vector<std::string> paths;
  for (const std::string& name : row.names) paths.push_back("/chaos/row/" + name);
  RETURN_IF_ERROR(coord->CloseSession());
  return history.Check(registers, paths);
}

absl::Status Prepare(const std::vector<std::string>& addresses) {
  ASSIGN_OR_RETURN(const auto coord, client::Coord::Connect({.addresses = addresses}));
  RETURN_IF_ERROR(coord->Create("/chaos", std::nullopt).status());
  RETURN_IF_ERROR(coord->Create("/chaos/row", std::nullopt).status());
  for (int writer = 0; writer < kWriters; ++writer) {
    RETURN_IF_ERROR(coord->Create(RegisterPath(writer), "0").status());
  }
  return coord->CloseSession();
}

absl::StatusOr<bool> Run(double minutes, uint64_t seed, const std::string& dir) {
  std::filesystem::remove_all(dir);
  ASSIGN_OR_RETURN(cli::DevCluster cluster, cli::DevCluster::LayOut(dir, kServers, 0, 0));
  RETURN_IF_ERROR(cluster.Up());
  std::vector<std::string> addresses;
  for (const cli::DevServer& server : cluster.servers()) addresses.push_back(server.grpc);
  RETURN_IF_ERROR(Prepare(addresses));
  ChaosHistory history(kWriters);
  Ending load_ending, fault_ending;
  Nemesis nemesis(cluster, seed, fault_ending);
  {
    std::vector<std::unique_ptr<base::Thread>> threads;
    for (int writer = 0; writer < kWriters; ++writer) {
      threads.push_back(std::make_unique<base::Thread>("writer", [&, writer] {
        Write(writer, /*moves=*/writer == 0, addresses, history, load_ending);
      }));
    }
    for (const std::string& address : addresses) {
      threads.push_back(std::make_unique<base::Thread>(
          "reader", [&, address] { ReadThrough(address, history, load_ending); }));
    }
    base::Thread faults("nemesis", [&nemesis] { nemesis.Run(); });
    Ending().Pause(absl::Minutes(1) * minutes);
    fault_ending.Set();
    faults.Join();
    const absl::Status up = cluster.Up();
    if (!up.ok()) fmt::print("nemesis: {}\n", std::string(up.message()));
    Ending().Pause(absl::Seconds(2));  // some load on the healed ensemble
    load_ending.Set();
  }
  nemesis.WaitUntilEqual();
  const std::string digest = nemesis.CompareDigests();
  ASSIGN_OR_RETURN(const ChaosHistory::Verdict verdict, ReadBack(addresses, history));
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
