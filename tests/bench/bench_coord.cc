// Load on an ensemble through the client that programs use: a fixed number of requests in flight
// per connection, or at most that many at a fixed rate. Prints one line of JSON; exit 1 when a
// request failed.
//   bench_coord write|read --coord H:P[,H:P] [--connections C] [--in-flight N] [--seconds S]
//     --rate R       R requests per second, however long the answers take
//     --existing N   of any of the N znodes that `create` made with as many connections
//     --operations N that many, whatever it takes: one whose outcome is unknown is made again
//   bench_coord create --coord H:P[,H:P] --operations N     makes N znodes
//   bench_coord gap ...     writes, says so in a line of its own, and may have failures: somebody
//                           kills a server meanwhile. Connection I begins at server I of --coord

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/status.h"
#include "client/coord.h"
#include "client/server_list.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tests/bench/latency_histogram.h"
#include "tests/bench/process.h"

namespace bellwether::bench {
namespace {

constexpr absl::Duration kWarmUp = absl::Milliseconds(500);

enum class Kind { kCreate, kSet, kGet };

struct Flags {
  std::string mode;
  std::vector<std::string> coord;
  std::string root = "/bench";  // znodes are made below it
  int connections = 1;
  int in_flight = 1;       // per connection
  int bytes = 100;         // of a znode's data
  double seconds = 3;      // measured, after the warm-up
  double rate = 0;         // per second, of all connections together; 0: as fast as it goes
  int64_t operations = 0;  // of modes create and write: stop after that many; 0: after `seconds`
  int64_t existing = 0;    // znodes that are there, of all connections together; 0: none
};

// When a pass over all connections measures and when it ends. Times are the clock's Monotonic.
struct Pass {
  Kind kind = Kind::kSet;
  absl::Duration start;
  absl::Duration measure_from;
  absl::Duration end = absl::InfiniteDuration();
  int64_t operations_max = 0;  // per connection; 0: until `end`
  // Between the times at which two requests of a connection are due, from `start` on. One that has
  // to wait until fewer are in flight was due all the same: its latency counts from then. Zero:
  // each follows an answer.
  absl::Duration interval;
};

// The longest time without an acknowledged write, and all that are not short. Thread-safe.
class GapMeter {
 public:
  struct Gap {
    absl::Duration began;
    absl::Duration length;
  };

  void Start(absl::Duration now) {
    base::MutexLock lock(mutex_);
    last_ = now;
    longest_ = absl::ZeroDuration();
    gaps_.clear();
  }
  // Also called once with the end of the pass, so that a silence up to there counts.
  void Acknowledged(absl::Duration now) {
    base::MutexLock lock(mutex_);
    longest_ = std::max(longest_, now - last_);
    if (now - last_ >= kGapsFrom) gaps_.push_back({last_, now - last_});
    last_ = std::max(last_, now);
  }
  absl::Duration longest() {
    base::MutexLock lock(mutex_);
    return longest_;
  }
  std::vector<Gap> gaps() {
    base::MutexLock lock(mutex_);
    return gaps_;
  }

 private:
  static constexpr absl::Duration kGapsFrom = absl::Milliseconds(1);

  base::Mutex mutex_;
  absl::Duration last_ ABSL_GUARDED_BY(mutex_);
  absl::Duration longest_ ABSL_GUARDED_BY(mutex_);
  std::vector<Gap> gaps_ ABSL_GUARDED_BY(mutex_);  // from kGapsFrom on
};

// One session that keeps `in_flight` requests outstanding, each on a znode of its own. Everything
// but the constructor, Begin and Wait runs on the session's executor.
class Connection {
 public:
  // `server` is where the session was told to attach first.
  Connection(const Flags& flags, int index, std::string server,
             std::unique_ptr<client::Coord> coord, GapMeter& all)
      : flags_(flags),
        server_(std::move(server)),
        prefix_(fmt::format("{}/{}-", flags.root, index)),
        data_(static_cast<size_t>(flags.bytes), 'x'),
        coord_(std::move(coord)),
        phase_(static_cast<double>(index) / flags.connections),
        all_(all),
        random_(static_cast<uint64_t>(index)),
        numbers_(static_cast<size_t>(flags.in_flight)) {}

  void Begin(const Pass& pass) {
    {
      base::MutexLock lock(mutex_);
      running_ = flags_.in_flight;
    }
    coord_->Run([this, pass](client::CoordClient& client) {
      if (client_ == nullptr) {
        client.AddStateListener([this, &client](client::SessionState state) {
          if (state != client::SessionState::kSuspended) return;
          ++connections_lost_;
          base::MutexLock lock(mutex_);
          loss_ = client.LastFailure();
        });
      }
      client_ = &client;
      pass_ = pass;
      started_ = answered_ = 0;
      latencies_ = {};
      failures_ = 0;
      failure_.clear();
      connections_lost_ = 0;
      own_.Start(Now());
      for (int slot = 0; slot < flags_.in_flight; ++slot) Next(slot);
    });
  }

  // Until all that Begin started is answered.
  void Wait() {
    base::MutexLock lock(mutex_);
    while (running_ > 0) idle_.Wait(mutex_);
  }

  // So that the session does not expire in the middle of another measurement.
  void CloseSession() { coord_->CloseSession().IgnoreError(); }

  const std::string& server() const { return server_; }
  // Requires: Wait returned after the last Begin.
  const LatencyHistogram& latencies() const { return latencies_; }
  int64_t answered() const { return answered_; }
  int64_t failures() const { return failures_; }
  const std::string& failure() const { return failure_; }
  int connections_lost() const { return connections_lost_; }
  // Why the last connection was lost, in any pass; empty: none was.
  std::string loss() {
    base::MutexLock lock(mutex_);
    return loss_;
  }
  absl::Duration LongestGapUntil(absl::Duration end) {
    own_.Acknowledged(end);
    return own_.longest();
  }
  // [when it began in Unix ms, ms] of each.
  nlohmann::ordered_json Gaps() {
    const absl::Time start = base::SystemClock().Wall() - Now();
    nlohmann::ordered_json gaps = nlohmann::ordered_json::array();
    for (const GapMeter::Gap& gap : own_.gaps()) {
      gaps.push_back({absl::ToDoubleMilliseconds(start + gap.began - absl::UnixEpoch()),
                      absl::ToDoubleMilliseconds(gap.length)});
    }
    return gaps;
  }

 private:
  static absl::Duration Now() { return base::SystemClock().Monotonic(); }

  void Next(int slot) {
    const absl::Duration now = Now();
    const absl::Duration due =
        pass_.interval > absl::ZeroDuration()
            ? pass_.start + pass_.interval * (static_cast<double>(started_) + phase_)
            : now;
    if (due >= pass_.end || (pass_.operations_max > 0 && started_ == pass_.operations_max)) {
      base::MutexLock lock(mutex_);
      if (--running_ == 0) idle_.Signal();
      return;
    }
    numbers_[static_cast<size_t>(slot)] = started_++;
    if (due <= now) return Send(slot, due);
    client_->executor().RunAfter(due - now, [this, slot, due] { Send(slot, due); });
  }

  void Send(int slot, absl::Duration due) {
    switch (pass_.kind) {
      case Kind::kCreate:
        client_->Create(prefix_ + std::to_string(numbers_[static_cast<size_t>(slot)]), data_,
                        client::CreateMode::kPersistent, {},
                        OnAnswer<client::CreateResult>(slot, due));
        break;
      case Kind::kSet:
        client_->Set(PathFor(slot), data_, client::kAnyVersion, {},
                     OnAnswer<client::SetResult>(slot, due));
        break;
      case Kind::kGet:
        client_->Get(PathFor(slot), {}, OnAnswer<client::GetResult>(slot, due));
        break;
    }
  }

  std::string PathFor(int slot) {
    const int64_t own = flags_.existing / flags_.connections;
    return prefix_ + std::to_string(own > 0 ? random_.Between(0, own - 1) : slot);
  }

  template <typename Result>
  client::Callback<Result> OnAnswer(int slot, absl::Duration due) {
    return [this, slot, due](const absl::StatusOr<Result>& result) {
      const absl::Status& status = result.status();
      if (pass_.operations_max > 0 && base::OutcomeOf(status) == base::Outcome::kUnknown) {
        return Send(slot, due);
      }
      const bool made = pass_.kind == Kind::kCreate && absl::IsAlreadyExists(status);
      Count(made ? absl::OkStatus() : status, due);
      Next(slot);
    };
  }

  // At a fixed rate all that were due while it is measured count, however late the answer.
  void Count(const absl::Status& status, absl::Duration due) {
    const absl::Duration now = Now();
    if (!status.ok()) {
      ++failures_;
      failure_ = std::string(status.message());
      return;
    }
    ++answered_;
    own_.Acknowledged(now);
    all_.Acknowledged(now);
    const absl::Duration counted = pass_.interval > absl::ZeroDuration() ? due : now;
    if (counted < pass_.measure_from || counted > pass_.end) return;
    latencies_.Record(now - due);
  }

  const Flags& flags_;
  const std::string server_;
  const std::string prefix_;
  const std::string data_;
  const std::unique_ptr<client::Coord> coord_;
  const double phase_;  // of an interval: when requests are due, so that connections take turns
  GapMeter& all_;
  base::Random random_;
  std::vector<int64_t> numbers_;  // by slot: which request of the pass it is at

  client::CoordClient* client_ = nullptr;
  Pass pass_;
  int64_t started_ = 0;
  int64_t answered_ = 0;  // without failure, the warm-up included
  int64_t failures_ = 0;
  std::string failure_;  // the last one
  std::atomic<int> connections_lost_ = 0;  // also behind the end of a pass
  LatencyHistogram latencies_;
  GapMeter own_;

  base::Mutex mutex_;
  base::CondVar idle_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;  // slots
  std::string loss_ ABSL_GUARDED_BY(mutex_);
};

using Connections = std::vector<std::unique_ptr<Connection>>;

// A seed that makes a client try the server first that is to be the first one of connection `index`.
uint64_t SeedFor(int index, const std::vector<std::string>& servers) {
  const std::string& wanted = servers[static_cast<size_t>(index) % servers.size()];
  uint64_t seed = base::SystemRandom();  // two clients with one seed would have one session
  while (client::ServerList(servers, base::Uuid(), seed).ForAttempt(0) != wanted) ++seed;
  return seed;
}

absl::StatusOr<Connections> Connect(const Flags& flags, GapMeter& all) {
  Connections connections;
  for (int i = 0; i < flags.connections; ++i) {
    client::CoordOptions options;
    options.addresses = flags.coord;
    options.seed = SeedFor(i, flags.coord);
    auto coord = client::Coord::Connect(std::move(options));
    if (!coord.ok()) return coord.status();
    if (i == 0) {
      const auto made = (*coord)->Create(flags.root, "");
      if (!made.ok() && !absl::IsAlreadyExists(made.status())) return made.status();
    }
    connections.push_back(std::make_unique<Connection>(
        flags, i, flags.coord[static_cast<size_t>(i) % flags.coord.size()], *std::move(coord), all));
  }
  return connections;
}

void RunPass(Connections& connections, const Pass& pass) {
  for (const auto& connection : connections) connection->Begin(pass);
  for (const auto& connection : connections) connection->Wait();
}

// Requires: at least one connection, and no pass under way.
nlohmann::ordered_json Report(Connections& connections, GapMeter& all, const Pass& pass,
                              double seconds, double cpu_seconds) {
  const absl::Duration end = std::min(pass.end, base::SystemClock().Monotonic());
  all.Acknowledged(end);
  LatencyHistogram latencies;
  int64_t answered = 0;
  int64_t failures = 0;
  std::string failure;
  std::string loss;
  nlohmann::ordered_json clients = nlohmann::ordered_json::array();
  for (const auto& connection : connections) {
    latencies.Add(connection->latencies());
    answered += connection->answered();
    failures += connection->failures();
    if (!connection->failure().empty()) failure = connection->failure();
    if (connection->connections_lost() > 0) loss = connection->loss();
    nlohmann::ordered_json& client = clients.emplace_back();
    client["server"] = connection->server();
    client["longest_gap_ms"] = absl::ToDoubleMilliseconds(connection->LongestGapUntil(end));
    client["connections_lost"] = connection->connections_lost();
  }
  nlohmann::ordered_json report = {{"measured", latencies.count()},
                                   {"answered", answered},
                                   {"failures", failures}};
  report["last_failure"] = failure.empty() ? nlohmann::ordered_json(nullptr)
                                           : nlohmann::ordered_json(failure);
  report["last_connection_lost"] =
      loss.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(loss);
  report["seconds"] = seconds;
  report["per_second"] = static_cast<double>(latencies.count()) / seconds;
  report["p50_us"] = absl::ToDoubleMicroseconds(latencies.Percentile(0.5));
  report["p99_us"] = absl::ToDoubleMicroseconds(latencies.Percentile(0.99));
  report["p999_us"] = absl::ToDoubleMicroseconds(latencies.Percentile(0.999));
  report["generator_cpu_seconds"] = cpu_seconds;
  report["longest_gap_ms"] = absl::ToDoubleMilliseconds(all.longest());
  report["clients"] = std::move(clients);
  return report;
}

absl::StatusOr<nlohmann::ordered_json> Run(const Flags& flags) {
  GapMeter all;
  auto connected = Connect(flags, all);
  if (!connected.ok()) return connected.status();
  Connections& connections = *connected;
  const auto now = [] { return base::SystemClock().Monotonic(); };
  const bool create = flags.mode == "create";
  if (!create && flags.existing == 0) {
    RunPass(connections, {.kind = Kind::kCreate, .operations_max = flags.in_flight});
  }

  Pass pass{.kind = create ? Kind::kCreate : flags.mode == "read" ? Kind::kGet : Kind::kSet};
  const bool counted = create || flags.operations > 0;  // ends after so many, not at a time
  const double cpu_before = CpuSeconds();
  pass.start = now();
  all.Start(pass.start);
  if (flags.rate > 0) pass.interval = absl::Seconds(flags.connections / flags.rate);
  if (counted) {
    pass.operations_max = std::max<int64_t>(1, flags.operations / flags.connections);
  } else {
    pass.measure_from = pass.start + kWarmUp;
    pass.end = pass.measure_from + absl::Seconds(flags.seconds);
  }
  if (flags.mode == "gap") {
    fmt::print("writing\n");
    std::fflush(stdout);
  }
  RunPass(connections, pass);
  const double took = counted ? absl::ToDoubleSeconds(now() - pass.start) : flags.seconds;
  auto report = Report(connections, all, pass, took, CpuSeconds() - cpu_before);
  for (size_t i = 0; i < connections.size(); ++i) {
    if (flags.mode == "gap") {
      report["clients"][i]["gaps"] = connections[i]->Gaps();
    } else {
      connections[i]->CloseSession();
    }
  }
  return report;
}

}  // namespace
}  // namespace bellwether::bench

int main(int argc, char** argv) {
  bellwether::bench::Flags flags;
  CLI::App app("load on a coord ensemble");
  app.add_option("mode", flags.mode)
      ->required()
      ->check(CLI::IsMember({"write", "read", "create", "gap"}));
  app.add_option("--coord", flags.coord, "HOST:PORT of servers")->required()->delimiter(',');
  app.add_option("--root", flags.root, "znodes are made below it");
  app.add_option("--connections", flags.connections)->check(CLI::Range(1, 1000));
  app.add_option("--in-flight", flags.in_flight, "requests per connection")
      ->check(CLI::Range(1, 16000));
  app.add_option("--bytes", flags.bytes, "of a znode's data")->check(CLI::Range(0, 1 << 20));
  app.add_option("--seconds", flags.seconds, "measured")->check(CLI::PositiveNumber);
  app.add_option("--rate", flags.rate, "requests per second of all connections, whatever they take")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--operations", flags.operations, "how many; of mode create always");
  app.add_option("--existing", flags.existing, "znodes that `create` made so");
  CLI11_PARSE(app, argc, argv);

  const auto report = bellwether::bench::Run(flags);
  if (!report.ok()) {
    fmt::print(stderr, "bench_coord: error: {}\n", std::string(report.status().message()));
    return 1;
  }
  fmt::print("{}\n", report->dump());
  return flags.mode != "gap" && report->at("failures") > 0 ? 1 : 0;
}
