#include "tests/bench/zk_load_run.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tests/bench/latency_histogram.h"
#include "tests/bench/process.h"
#include "tests/bench/zk_load_session.h"

namespace bellwether::bench {
namespace {

constexpr absl::Duration kAnswersMax = absl::Seconds(30);  // for what is outstanding at the end
constexpr size_t kBehindMax = 1'000'000;  // requests of a rate that is more than the servers take
constexpr double kNsPerSecond = 1e9;

int64_t ToNs(double seconds) { return static_cast<int64_t>(seconds * kNsPerSecond); }

// What was sent on a connection and has no answer, the oldest first.
class InFlight {
 public:
  struct Sent {
    int64_t due_ns = 0;
    size_t reply_bytes = 0;
  };

  void Push(Sent sent) {
    if (count_ == ring_.size()) Grow();
    ring_[(first_ + count_++) % ring_.size()] = sent;
  }
  // Requires: not empty.
  Sent Pop() {
    const Sent sent = ring_[first_];
    first_ = (first_ + 1) % ring_.size();
    --count_;
    return sent;
  }

 private:
  void Grow() {
    std::vector<Sent> ring(ring_.size() * 2);
    for (size_t i = 0; i < count_; ++i) ring[i] = ring_[(first_ + i) % ring_.size()];
    ring_ = std::move(ring);
    first_ = 0;
  }

  std::vector<Sent> ring_ = std::vector<Sent>(64);
  size_t first_ = 0;
  size_t count_ = 0;
};

// The measured part of a load; `Load` owns it and its sessions share it.
struct Pass {
  const LoadSettings& settings;
  const RequestTemplate read;
  const RequestTemplate write;
  base::Random random{1};
  int64_t measure_from_ns = 0;
  int64_t end_ns = INT64_MAX;
  uint64_t begun = 0;
  uint64_t answered = 0;
  LatencyHistogram latencies;

  bool IsOver(int64_t now_ns) const {
    return now_ns >= end_ns || (settings.operations > 0 && begun >= settings.operations);
  }
};

// One session of the load and what is outstanding on it.
class RunSession : public LoadSession {
 public:
  RunSession(Poller& poller, Pass& pass, size_t index)
      : LoadSession(poller), pass_(pass), created_(index * kCreatedPerSession) {}

  // A request that was due at that time; goes out with the next flush.
  void Begin(int64_t due_ns) {
    ++pass_.begun;
    const LoadSettings& settings = pass_.settings;
    const bool reads =
        settings.operation == LoadOperation::kGet || settings.operation == LoadOperation::kChildren ||
        (settings.operation == LoadOperation::kMixed && pass_.random.Chance(settings.reads));
    const RequestTemplate& request = reads ? pass_.read : pass_.write;
    const uint64_t number = settings.operation == LoadOperation::kCreate
                                ? created_++
                                : pass_.random.Below(static_cast<uint64_t>(settings.znodes));
    connection().Send(request, number);
    sent_.Push({due_ns, request.reply_body_bytes()});
  }

 private:
  static constexpr uint64_t kCreatedPerSession = 1'000'000;

  void OnLoadReply(const ZkConnection::Reply& reply, int64_t now_ns) override {
    const InFlight::Sent sent = sent_.Pop();
    ++pass_.answered;
    if (reply.error != 0 || reply.body.size() != sent.reply_bytes) {
      return Fail(absl::InternalError(fmt::format("a request failed: error {}, {} bytes instead of {}",
                                                  reply.error, reply.body.size(),
                                                  sent.reply_bytes)));
    }
    const bool has_rate = pass_.settings.rate > 0;
    const int64_t counted_ns = has_rate ? sent.due_ns : now_ns;  // however late the answer
    if (counted_ns >= pass_.measure_from_ns && counted_ns < pass_.end_ns) {
      pass_.latencies.Record(absl::Nanoseconds(now_ns - sent.due_ns));
    }
    if (!has_rate && !pass_.IsOver(now_ns)) Begin(now_ns);
  }

  Pass& pass_;
  uint64_t created_;  // the next znode's number
  InFlight sent_;
};

Pass PassOf(const LoadSettings& settings, std::string_view data) {
  const std::string& root = settings.target.root;
  const auto bytes = static_cast<size_t>(settings.target.bytes);
  const std::string existing = root + "/z";
  const bool children = settings.operation == LoadOperation::kChildren;
  const bool create = settings.operation == LoadOperation::kCreate;
  return {settings,
          children ? ChildrenTemplate(root + "/parent", static_cast<size_t>(settings.children), 1)
                   : GetTemplate(existing, bytes),
          create ? CreateTemplate(root + "/created/n", data) : SetTemplate(existing, data)};
}

class Load {
 public:
  Load(const LoadSettings& settings, Poller& poller)
      : settings_(settings),
        poller_(poller),
        data_(static_cast<size_t>(settings.target.bytes), 'x'),
        pass_(PassOf(settings, data_)) {}

  absl::StatusOr<nlohmann::ordered_json> Run() {
    RETURN_IF_ERROR(Prepare());
    const auto count = static_cast<size_t>(settings_.connections);
    std::vector<LoadSession*> all;
    for (size_t i = 0; i < count; ++i) {
      sessions_.push_back(std::make_unique<RunSession>(poller_, pass_, i));
      all.push_back(sessions_.back().get());
    }
    RETURN_IF_ERROR(OpenAll(poller_, settings_.target.servers, all, SessionSettings().timeout_ms));
    RETURN_IF_ERROR(Measure());
    RETURN_IF_ERROR(PollUntil(poller_, kAnswersMax, "all requests are answered", [this] {
      return pass_.answered == pass_.begun || !FirstFailure(sessions_).ok();
    }));
    RETURN_IF_ERROR(FirstFailure(sessions_));
    CloseAll(poller_, all);
    return Report();
  }

 private:
  absl::Status Prepare() {
    ASSIGN_OR_RETURN(const auto setup, SetupSession::Open(poller_, settings_.target.servers));
    const std::string& root = settings_.target.root;
    RETURN_IF_ERROR(setup->MakePath(root));
    switch (settings_.operation) {
      case LoadOperation::kCreate:
        return setup->MakePath(root + "/created");
      case LoadOperation::kChildren:
        RETURN_IF_ERROR(setup->MakePath(root + "/parent"));
        return setup->MakeNumbered(root + "/parent/c", static_cast<uint64_t>(settings_.children), "");
      case LoadOperation::kSet:
      case LoadOperation::kGet:
      case LoadOperation::kMixed:
        return setup->MakeNumbered(root + "/z", static_cast<uint64_t>(settings_.znodes), data_);
    }
    return absl::OkStatus();
  }

  absl::Status Measure() {
    start_ns_ = NowNs();
    pass_.measure_from_ns = start_ns_ + ToNs(settings_.warm_up);
    pass_.end_ns = settings_.operations > 0 ? INT64_MAX
                                            : pass_.measure_from_ns + ToNs(settings_.seconds);
    if (settings_.rate == 0) {
      for (int i = 0; i < settings_.in_flight; ++i) {
        for (const auto& session : sessions_) {
          if (!pass_.IsOver(start_ns_)) session->Begin(start_ns_);
        }
      }
      for (const auto& session : sessions_) session->connection().Flush();
    }
    for (int64_t now = NowNs(); !IsMeasured(now); now = NowNs()) {
      if (!measuring_ && now >= pass_.measure_from_ns) {
        measuring_ = true;
        measured_since_ns_ = now;
        servers_cpu_ = -CpuSecondsOf(settings_.target.pids);
        own_cpu_ = -CpuSeconds();
        answered_before_ = pass_.answered;
      }
      const int64_t wait_ns = settings_.rate > 0 ? BeginDue(now) - now : pass_.end_ns - now;
      RETURN_IF_ERROR(FirstFailureNowAndThen(now));
      poller_.Poll(absl::Nanoseconds(std::min<int64_t>(wait_ns, ToNs(0.01))));
    }
    measured_ns_ = NowNs() - measured_since_ns_;
    servers_cpu_ += CpuSecondsOf(settings_.target.pids);
    own_cpu_ += CpuSeconds();
    answered_before_ = pass_.answered - answered_before_;
    return FirstFailure(sessions_);
  }

  bool IsMeasured(int64_t now_ns) const {
    if (settings_.operations == 0) return now_ns >= pass_.end_ns;
    return pass_.answered >= settings_.operations;
  }

  // Begins what is due, each on the next connection; when the next one will be.
  int64_t BeginDue(int64_t now_ns) {
    const size_t first = due_ % sessions_.size();
    size_t begun = 0;
    for (;; ++due_, ++begun) {
      const int64_t due_ns =
          start_ns_ + static_cast<int64_t>(static_cast<double>(due_) / settings_.rate * kNsPerSecond);
      if (due_ns > now_ns || due_ns >= pass_.end_ns) {
        for (size_t i = 0; i < std::min(begun, sessions_.size()); ++i) {
          sessions_[(first + i) % sessions_.size()]->connection().Flush();
        }
        return std::min(due_ns, pass_.end_ns);
      }
      sessions_[due_ % sessions_.size()]->Begin(due_ns);
    }
  }

  absl::Status FirstFailureNowAndThen(int64_t now_ns) {
    if (now_ns < next_check_ns_) return absl::OkStatus();
    next_check_ns_ = now_ns + ToNs(0.01);
    if (pass_.begun - pass_.answered > kBehindMax) {
      return absl::ResourceExhaustedError(
          fmt::format("the servers do not keep up with {:.0f} requests/s", settings_.rate));
    }
    return FirstFailure(sessions_);
  }

  nlohmann::ordered_json Report() const {
    const double seconds = settings_.operations > 0
                               ? static_cast<double>(measured_ns_) / kNsPerSecond
                               : settings_.seconds;
    const LatencyHistogram& latencies = pass_.latencies;
    const auto per_100k = [&](double cpu_seconds) {
      return cpu_seconds / static_cast<double>(std::max<uint64_t>(1, answered_before_)) * 100'000;
    };
    return {{"measured", latencies.count()},
            {"seconds", seconds},
            {"per_second", static_cast<double>(latencies.count()) / seconds},
            {"p50_us", absl::ToDoubleMicroseconds(latencies.Percentile(0.5))},
            {"p99_us", absl::ToDoubleMicroseconds(latencies.Percentile(0.99))},
            {"p999_us", absl::ToDoubleMicroseconds(latencies.Percentile(0.999))},
            {"servers_cpu_per_100k", per_100k(servers_cpu_)},
            {"generator_cpu_per_100k", per_100k(own_cpu_)}};
  }

  const LoadSettings& settings_;
  Poller& poller_;
  const std::string data_;
  Pass pass_;
  std::vector<std::unique_ptr<RunSession>> sessions_;

  int64_t start_ns_ = 0;
  uint64_t due_ = 0;  // requests at a rate so far
  int64_t next_check_ns_ = 0;
  bool measuring_ = false;
  int64_t measured_since_ns_ = 0;
  int64_t measured_ns_ = 0;
  uint64_t answered_before_ = 0;  // before it is measured; then while it was
  double servers_cpu_ = 0;        // while it was measured
  double own_cpu_ = 0;
};

}  // namespace

absl::StatusOr<nlohmann::ordered_json> RunLoad(const LoadSettings& settings) {
  ASSIGN_OR_RETURN(const auto poller, Poller::Create());
  return Load(settings, *poller).Run();
}

}  // namespace bellwether::bench
