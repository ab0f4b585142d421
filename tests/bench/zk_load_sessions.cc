#include "tests/bench/zk_load_sessions.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "coord/zk/wire/opcodes.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tests/bench/latency_histogram.h"
#include "tests/bench/process.h"
#include "tests/bench/zk_load_session.h"

namespace bellwether::bench {
namespace {

namespace wire = coord::zk::wire;

constexpr absl::Duration kRoundMax = absl::Seconds(60);
constexpr double kNsPerMs = 1e6;
constexpr size_t kWatchingMax = 64;  // sessions that set their watches at a time

std::string Watched(const LoadTarget& target) { return target.root + "/watched"; }

RequestTemplate WatchingGet(std::string_view path, std::string_view numbered) {
  return {{.opcode = wire::Opcode::kGetData,
           .body = wire::ReadRequest{.path = path, .watch = true}},
          numbered,
          0};
}

// A session that watches, and counts what it is told.
class Watcher : public LoadSession {
 public:
  Watcher(Poller& poller, uint64_t& told, LatencyHistogram& delays, const int64_t& changed_ns)
      : LoadSession(poller), told_(told), delays_(delays), changed_ns_(changed_ns) {}

  void Watch(const RequestTemplate& request, uint64_t number) { connection().Send(request, number); }

 private:
  void OnLoadReply(const ZkConnection::Reply& reply, int64_t) override {
    if (reply.error != 0) Fail(absl::InternalError(fmt::format("a watch failed: {}", reply.error)));
  }
  void OnEvent(int64_t now_ns) override {
    ++told_;
    delays_.Record(absl::Nanoseconds(now_ns - changed_ns_));
  }

  uint64_t& told_;
  LatencyHistogram& delays_;
  const int64_t& changed_ns_;
};

class FanOut {
 public:
  FanOut(const FanOutSettings& settings, Poller& poller) : settings_(settings), poller_(poller) {}

  absl::StatusOr<nlohmann::ordered_json> Run() {
    const std::vector<base::HostPort>& servers = settings_.target.servers;
    ASSIGN_OR_RETURN(const auto setup, SetupSession::Open(poller_, servers));
    const std::string path = Watched(settings_.target);
    RETURN_IF_ERROR(setup->MakePath(path));
    std::vector<LoadSession*> all;
    for (int i = 0; i < settings_.watchers; ++i) {
      watchers_.push_back(std::make_unique<Watcher>(poller_, told_, delays_, changed_ns_));
      all.push_back(watchers_.back().get());
    }
    RETURN_IF_ERROR(OpenAll(poller_, servers, all, SessionSettings().timeout_ms));
    std::vector<double> last_ms;
    for (int round = 0; round < settings_.rounds; ++round) {
      RETURN_IF_ERROR(Round(*setup, path));
      last_ms.push_back(static_cast<double>(last_ns_ - changed_ns_) / kNsPerMs);
    }
    CloseAll(poller_, all);
    std::sort(last_ms.begin(), last_ms.end());
    return nlohmann::ordered_json{
        {"watchers", settings_.watchers},
        {"last_ms", last_ms[last_ms.size() / 2]},
        {"last_ms_min", last_ms.front()},
        {"last_ms_max", last_ms.back()},
        {"p50_ms", absl::ToDoubleMilliseconds(delays_.Percentile(0.5))},
        {"per_second", 1000.0 * settings_.watchers / last_ms[last_ms.size() / 2]},
        {"servers_cpu_per_100k", cpu_ * 100'000 / settings_.rounds / settings_.watchers}};
  }

 private:
  absl::Status Round(SetupSession& setup, const std::string& path) {
    const RequestTemplate get = WatchingGet(path, {});
    size_t begun = 0;
    size_t set = 0;
    RETURN_IF_ERROR(PollUntil(poller_, kRoundMax, "all watches are set", [&] {
      while (set < begun && watchers_[set]->connection().outstanding() == 0) ++set;
      for (; begun < watchers_.size() && begun < set + kWatchingMax; ++begun) {
        watchers_[begun]->Watch(get, 0);
        watchers_[begun]->connection().Flush();
      }
      return set == watchers_.size();
    }));
    RETURN_IF_ERROR(FirstFailure(watchers_));
    told_ = 0;
    const double cpu_before = CpuSecondsOf(settings_.target.pids);
    const std::string data(static_cast<size_t>(settings_.target.bytes), 'y');
    const RequestTemplate change =
        PlainTemplate(wire::Opcode::kSetData, wire::SetDataRequest{.path = path, .data = data});
    changed_ns_ = NowNs();
    RETURN_IF_ERROR(setup.Send(change));
    setup.connection().Flush();
    RETURN_IF_ERROR(PollUntil(poller_, kRoundMax, "all watchers are told", [&] {
      return told_ >= watchers_.size();
    }));
    last_ns_ = NowNs();
    cpu_ += CpuSecondsOf(settings_.target.pids) - cpu_before;
    RETURN_IF_ERROR(setup.Wait());
    return FirstFailure(watchers_);
  }

  const FanOutSettings& settings_;
  Poller& poller_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  uint64_t told_ = 0;  // in this round
  LatencyHistogram delays_;
  int64_t changed_ns_ = 0;
  int64_t last_ns_ = 0;
  double cpu_ = 0;
};

struct ChurnFigures {
  int64_t measure_from_ns = 0;
  int64_t end_ns = 0;
  LatencyHistogram latencies;
};

// One session after the other.
class ChurnSlot : public ZkConnection::Client {
 public:
  ChurnSlot(Poller& poller, const std::vector<base::HostPort>& servers, size_t index,
            ChurnFigures& figures)
      : connection_(poller, *this), servers_(servers), next_(index), figures_(figures) {}

  void Begin() {
    began_ns_ = NowNs();
    if (began_ns_ >= figures_.end_ns) return;
    const absl::Status begun = connection_.Open({.server = servers_[next_++ % servers_.size()]});
    if (!begun.ok()) status_ = begun;
  }

  bool is_over() const { return connection_.is_closed(); }
  const absl::Status& status() const { return status_; }

 private:
  void OnOpened() override {
    static const RequestTemplate close =
        PlainTemplate(wire::Opcode::kCloseSession, wire::EmptyRequest());
    connection_.Send(close);
  }
  void OnReply(const ZkConnection::Reply& reply, int64_t now_ns) override {
    if (reply.error != 0) {
      status_ = absl::InternalError(fmt::format("a session did not close: {}", reply.error));
    }
    if (now_ns >= figures_.measure_from_ns && now_ns < figures_.end_ns) {
      figures_.latencies.Record(absl::Nanoseconds(now_ns - began_ns_));
    }
    connection_.Close();
    Begin();
  }
  void OnLost(absl::Status why) override { status_ = std::move(why); }

  ZkConnection connection_;
  const std::vector<base::HostPort>& servers_;
  size_t next_;
  ChurnFigures& figures_;
  int64_t began_ns_ = 0;
  absl::Status status_;
};

absl::Status SetWatches(Poller& poller, const std::vector<std::unique_ptr<Watcher>>& sessions,
                        const IdleSettings& settings) {
  const std::string prefix = Watched(settings.target) + "/z";
  const std::string path = NumberedPath(prefix, 0);
  const RequestTemplate get = WatchingGet(path, prefix);
  size_t begun = 0;
  size_t set = 0;
  uint64_t number = 0;
  RETURN_IF_ERROR(PollUntil(poller, kRoundMax * 10, "all watches are set", [&] {
    while (set < begun && sessions[set]->connection().outstanding() == 0) ++set;
    for (; begun < sessions.size() && begun < set + kWatchingMax; ++begun) {
      for (int i = 0; i < settings.watches; ++i) {
        sessions[begun]->Watch(get, number++ % static_cast<uint64_t>(settings.znodes));
      }
      sessions[begun]->connection().Flush();
    }
    return set == sessions.size();
  }));
  return FirstFailure(sessions);
}

// Pings every session three times per timeout, a few of them at a time.
absl::Status KeepAlive(Poller& poller, const std::vector<std::unique_ptr<Watcher>>& sessions) {
  constexpr int64_t kStepNs = 50'000'000;
  InputEnd input;
  RETURN_IF_ERROR(poller.Add(STDIN_FILENO, input, false));
  const int64_t timeout_ns = sessions.empty() ? kStepNs
                                              : sessions[0]->connection().timeout_ms() * 1'000'000LL;
  const auto per_step = static_cast<size_t>(
      static_cast<int64_t>(sessions.size()) * 3 * kStepNs / timeout_ns + 1);
  size_t next = 0;
  for (int64_t due = NowNs(); !input.ended();) {
    poller.Poll(absl::Nanoseconds(due - NowNs()));
    if (NowNs() < due) continue;
    due += kStepNs;
    for (size_t i = 0; i < std::min(per_step, sessions.size()); ++i) {
      sessions[next++ % sessions.size()]->connection().Ping();
    }
    if (next % 1'000 < per_step) RETURN_IF_ERROR(FirstFailure(sessions));
  }
  return FirstFailure(sessions);
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> RunFanOut(const FanOutSettings& settings) {
  ASSIGN_OR_RETURN(const auto poller, Poller::Create());
  return FanOut(settings, *poller).Run();
}

absl::StatusOr<nlohmann::ordered_json> RunChurn(const ChurnSettings& settings) {
  ASSIGN_OR_RETURN(const auto poller, Poller::Create());
  ChurnFigures figures;
  figures.measure_from_ns = NowNs() + static_cast<int64_t>(settings.warm_up * 1e9);
  figures.end_ns = figures.measure_from_ns + static_cast<int64_t>(settings.seconds * 1e9);
  std::vector<std::unique_ptr<ChurnSlot>> slots;
  for (int i = 0; i < settings.connections; ++i) {
    slots.push_back(std::make_unique<ChurnSlot>(*poller, settings.target.servers,
                                                static_cast<size_t>(i), figures));
    slots.back()->Begin();
  }
  const auto over = [&] {
    return !FirstFailure(slots).ok() ||
           std::all_of(slots.begin(), slots.end(), [](const auto& slot) { return slot->is_over(); });
  };
  RETURN_IF_ERROR(PollUntil(*poller, kRoundMax, "warm",
                            [&] { return over() || NowNs() >= figures.measure_from_ns; }));
  const double cpu_before = CpuSecondsOf(settings.target.pids);
  RETURN_IF_ERROR(PollUntil(*poller, absl::Seconds(settings.seconds) + kRoundMax,
                            "the last sessions are closed", over));
  RETURN_IF_ERROR(FirstFailure(slots));
  const LatencyHistogram& latencies = figures.latencies;
  const auto count = static_cast<double>(std::max<uint64_t>(1, latencies.count()));
  return nlohmann::ordered_json{
      {"measured", latencies.count()},
      {"per_second", static_cast<double>(latencies.count()) / settings.seconds},
      {"p50_us", absl::ToDoubleMicroseconds(latencies.Percentile(0.5))},
      {"p99_us", absl::ToDoubleMicroseconds(latencies.Percentile(0.99))},
      {"p999_us", absl::ToDoubleMicroseconds(latencies.Percentile(0.999))},
      {"servers_cpu_per_100k",
       (CpuSecondsOf(settings.target.pids) - cpu_before) / count * 100'000}};
}

absl::Status RunIdle(const IdleSettings& settings) {
  ASSIGN_OR_RETURN(const auto poller, Poller::Create());
  {
    ASSIGN_OR_RETURN(const auto setup, SetupSession::Open(*poller, settings.target.servers));
    const std::string path = Watched(settings.target);
    RETURN_IF_ERROR(setup->MakePath(path));
    RETURN_IF_ERROR(setup->MakeNumbered(path + "/z", static_cast<uint64_t>(settings.znodes), ""));
  }
  uint64_t told = 0;
  LatencyHistogram delays;
  const int64_t changed_ns = 0;
  const auto open = [&](int count) -> absl::StatusOr<std::vector<std::unique_ptr<Watcher>>> {
    std::vector<std::unique_ptr<Watcher>> sessions;
    std::vector<LoadSession*> all;
    for (int i = 0; i < count; ++i) {
      sessions.push_back(std::make_unique<Watcher>(*poller, told, delays, changed_ns));
      all.push_back(sessions.back().get());
    }
    RETURN_IF_ERROR(OpenAll(*poller, settings.target.servers, all, settings.timeout_ms));
    return sessions;
  };
  constexpr int kDroppedAtATime = 1'000;
  for (int left = settings.dropped; left > 0; left -= kDroppedAtATime) {
    RETURN_IF_ERROR(open(std::min(left, kDroppedAtATime)).status());
  }
  ASSIGN_OR_RETURN(const auto sessions, open(settings.sessions));
  RETURN_IF_ERROR(SetWatches(*poller, sessions, settings));
  fmt::print("{}\n", nlohmann::ordered_json{{"sessions", settings.sessions + settings.dropped},
                                            {"connected", settings.sessions},
                                            {"watches", int64_t{settings.sessions} * settings.watches}}
                         .dump());
  std::fflush(stdout);
  return KeepAlive(*poller, sessions);
}

absl::StatusOr<nlohmann::ordered_json> RunFill(const FillSettings& settings) {
  ASSIGN_OR_RETURN(const auto poller, Poller::Create());
  ASSIGN_OR_RETURN(const auto setup, SetupSession::Open(*poller, settings.target.servers));
  const std::string& root = settings.target.root;
  RETURN_IF_ERROR(setup->MakePath(root));
  const int64_t began_ns = NowNs();
  const std::string data(static_cast<size_t>(settings.target.bytes), 'x');
  for (uint64_t parent = 0; parent * settings.per_parent < settings.znodes; ++parent) {
    const std::string path = NumberedPath(root + "/p", parent);
    RETURN_IF_ERROR(setup->Send(PlainCreate(path, "")));
    const uint64_t last = std::min(settings.znodes, (parent + 1) * settings.per_parent);
    for (uint64_t next = parent * settings.per_parent; next < last;
         next += settings.per_transaction) {
      RETURN_IF_ERROR(setup->Send(CreateManyTemplate(
          path + "/z", next, std::min(last, next + settings.per_transaction), data)));
    }
  }
  RETURN_IF_ERROR(setup->Wait());
  return nlohmann::ordered_json{
      {"znodes", settings.znodes},
      {"seconds", static_cast<double>(NowNs() - began_ns) / (kNsPerMs * 1000)}};
}

}  // namespace bellwether::bench
