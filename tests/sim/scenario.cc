#include "tests/sim/scenario.h"

#include <algorithm>
#include <functional>

#include "tests/sim/check_access.h"
#include "tests/sim/check_admission.h"
#include "tests/sim/check_configs.h"
#include "tests/sim/check_expiry.h"
#include "tests/sim/check_grants.h"
#include "tests/sim/check_locks.h"
#include "tests/sim/check_log_matching.h"
#include "tests/sim/check_one_shot_watches.h"
#include "tests/sim/check_reads.h"
#include "tests/sim/check_sequences.h"
#include "tests/sim/check_session_order.h"
#include "tests/sim/check_sessions.h"
#include "tests/sim/check_watches.h"
#include "tests/sim/check_writes.h"
#include "tests/sim/check_zk_moves.h"
#include "tests/sim/check_zk_reads.h"
#include "tests/sim/check_zk_replies.h"
#include "tests/sim/check_zk_watches.h"
#include "tests/sim/check_zk_writes.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/world.h"

namespace bellwether::sim {
namespace {

// Bounds of the liveness phase. Ten election timeouts, and time to connect:
constexpr absl::Duration kLeaderWithin = absl::Milliseconds(10 * 300 + 500);
// Once all servers hear each other.
constexpr absl::Duration kLevelWithin = absl::Seconds(5);
// A client may first have to find out that a connection is dead, expire and begin anew.
constexpr absl::Duration kClientsDoneWithin = absl::Seconds(20);
constexpr absl::Duration kWatchesWithin = absl::Seconds(15);
constexpr absl::Duration kSessionsWithin = absl::Seconds(15);
constexpr absl::Duration kServersAgreeWithin = absl::Seconds(10);

constexpr size_t kTailLinesShown = 60;

class Scenario {
 public:
  Scenario(uint64_t seed, bool print_trace)
      : options_(Options::FromSeed(seed)), world_(options_, print_trace), nemesis_(world_) {}

  Report Run() {
    const absl::Duration begin = world_.scheduler.now();
    world_.trace.Add("options: {}", options_.Describe());
    StartAll();
    nemesis_.Start();
    RunChaos();
    nemesis_.CountMessageFaults();
    nemesis_.Heal();
    if (world_.violations.empty()) ComeToAnEnd();
    Check();
    return MakeReport(world_.scheduler.now() - begin);
  }

 private:
  void StartAll() {
    for (uint32_t id = 1; id <= options_.servers; ++id) {
      world_.scheduler.After(Soon(), [this, id] {
        if (world_.machine(id).process == nullptr) world_.StartServer(id);
      });
    }
    for (uint32_t slot = 1; slot <= options_.programs(); ++slot) {
      world_.scheduler.After(Soon(), [this, slot] {
        if (world_.client(slot) == nullptr) world_.StartClient(slot);
      });
    }
  }

  absl::Duration Soon() {
    return world_.scheduler.RandomDuration(absl::ZeroDuration(), absl::Milliseconds(200));
  }

  void RunChaos() {
    world_.scheduler.RunUntil([this] { return !world_.violations.empty(); }, options_.chaos);
  }

  bool Within(absl::Duration limit, std::string_view what, const std::function<bool()>& condition) {
    limit *= options_.time_scale;
    const bool done = world_.scheduler.RunUntil(
        [&] { return !world_.violations.empty() || condition(); }, limit);
    if (done) return world_.violations.empty();
    world_.violations.Add("liveness", "{} within {} of healing", what,
                          absl::FormatDuration(limit));
    return false;
  }

  void ComeToAnEnd() {
    if (!Within(kLeaderWithin, "no leader", [this] { return world_.Leader() != 0; })) return;
    if (!Within(kLevelWithin, "the feature level is not raised",
                [this] { return world_.FeatureLevel() == coord::kSupportedFeatureLevels.max; })) {
      return;
    }
    if (!Within(kClientsDoneWithin, "clients are not served", [this] { return ClientsDone(); })) {
      return TraceClients();
    }
    const Zxid zxid = world_.log.newest_zxid();
    if (!Within(kWatchesWithin, "watches are behind", [&] { return WatchesReached(zxid); })) {
      return TraceClients();
    }
    if (!Within(kSessionsWithin, "abandoned sessions live on",
                [this] { return SessionsRight(); })) {
      return;
    }
    if (!Within(kServersAgreeWithin, "servers are behind", [this] { return ServersAgree(); })) {
      TraceServers();
    }
  }

  bool ClientsDone() {
    bool done = true;
    for (uint32_t slot = 1; slot <= options_.programs(); ++slot) {
      Program* const client = world_.client(slot);
      if (client == nullptr || client->over() || !client->finished()) done = false;
      if (client != nullptr && finishing_.insert(client->serial()).second) client->Finish();
    }
    return done;
  }

  bool WatchesReached(Zxid zxid) {
    for (uint32_t slot = 1; slot <= options_.programs(); ++slot) {
      Program* const client = world_.client(slot);
      if (client == nullptr || !client->WatchesReached(zxid)) return false;
    }
    return true;
  }

  bool SessionsRight() {
    const uint32_t leader = world_.Leader();
    return leader != 0 &&
           world_.machine(leader).process->service().Status().sessions == options_.programs();
  }

  bool ServersAgree() {
    const LogIndex newest(world_.log.entries().size());
    for (const auto& [id, machine] : world_.machines()) {
      if (machine->process == nullptr) continue;  // the spare one
      const coord::ServiceStatus status = machine->process->service().Status();
      if (id == world_.spare() && !status.replica.is_member) continue;
      if (status.applied_index != newest || !status.not_ready_reason.empty()) return false;
      if (status.replica.leadership.role == coord::Role::kLearner) return false;
    }
    return ConfigIsRight();
  }

  // /zookeeper/config says who is in the ensemble (Z53).
  bool ConfigIsRight() {
    const uint32_t leader = world_.Leader();
    if (leader == 0) return false;
    const std::string config = world_.machine(leader).process->service().EnsembleConfig();
    const auto& members = world_.members.newest().members;
    for (const auto& member : members) {
      const size_t line = config.find(fmt::format("server.{}={}:", member.id, member.address));
      if (line == std::string::npos) return false;
      const std::string_view role = member.voter ? ":participant" : ":observer";
      if (config.substr(line, config.find('\n', line) - line).find(role) == std::string::npos) {
        return false;
      }
    }
    const auto lines = std::count(config.begin(), config.end(), '\n');
    return lines == static_cast<ptrdiff_t>(members.size());
  }

  void TraceServers() {
    for (const auto& [id, machine] : world_.machines()) {
      if (machine->process == nullptr) continue;
      const coord::ServiceStatus status = machine->process->service().Status();
      world_.trace.Add("server {}: applied {} of {}, {}", id, status.applied_index,
                       world_.log.entries().size(),
                       status.not_ready_reason.empty() ? "ready" : status.not_ready_reason);
      world_.trace.Add("its configuration: {}", machine->process->service().EnsembleConfig());
    }
  }

  void TraceClients() {
    for (uint32_t slot = 1; slot <= options_.programs(); ++slot) {
      Program* const client = world_.client(slot);
      if (client != nullptr) world_.trace.Add("machine {}: {}", slot, client->State());
    }
  }

  void Check() {
    const bool came_to_an_end = world_.violations.empty();
    CheckLogMatching(world_.Disks(), world_.violations);
    const Model model(world_.log, world_.digests.digests(), world_.violations);
    if (!world_.violations.empty() && came_to_an_end) return;
    repeated_ = model.repeated();
    CheckWrites(world_.history, model, world_.violations);
    CheckSessionOrder(world_.history, model, world_.violations);
    CheckReads(world_.history, model, world_.violations);
    CheckWatches(world_.history, model, world_.violations);
    CheckOneShotWatches(world_.history, model, world_.violations);
    CheckGrants(world_.history, model, world_.violations);
    CheckLocks(world_.history, model, options_.ClockRateMax(), world_.violations);
    CheckSessions(world_.history, model, options_.ClockRateMax(), world_.violations);
    CheckAdmission(model, world_.violations);
    CheckAccess(model, world_.violations);
    CheckExpiry(model, world_.violations);
    CheckSequences(model, world_.violations);
    CheckZkMoves(world_.history, model, world_.violations);
    CheckZkReplies(world_.history, world_.violations);
    CheckZkWrites(world_.history, model, world_.violations);
    CheckZkReads(world_.history, model, world_.violations);
    CheckZkWatches(world_.history, model, world_.violations);
    CheckConfigs(world_.history, model, world_.members.committed(), world_.violations);
    if (came_to_an_end) CheckAbandonedSessionsEnded(world_.history, model, world_.violations);
  }

  Report MakeReport(absl::Duration simulated) {
    Report report;
    report.seed = options_.seed;
    report.simulated = simulated;
    report.faults = world_.faults;
    report.operations = world_.history.operations.size();
    report.acknowledged = world_.history.Count(Operation::Outcome::kOk);
    report.elections = world_.elections.elections();
    report.snapshots = world_.snapshots;
    report.memberships = world_.memberships;
    report.repeated = repeated_;
    const auto& asked = world_.history.zk_operations;
    report.read_only = static_cast<uint64_t>(
        std::count_if(asked.begin(), asked.end(),
                      [](const ZkOperation& operation) { return operation.read_only; }));
    report.reconfigured = world_.reconfigured;
    report.locked = world_.history.locks.size();
    report.violations = world_.violations.count();
    report.trace_hash = world_.trace.hash();
    report.trace_lines = world_.trace.lines();
    if (report.violations > 0) {
      report.violation = world_.violations.first().front();
      report.explanation = Explain();
    }
    return report;
  }

  std::string Explain() {
    const auto& tail = world_.trace.tail();
    const size_t shown = std::min(tail.size(), kTailLinesShown);
    std::string text = fmt::format("seed {} FAILED\n  options: {}\n  end of the trace:\n",
                                   options_.seed, options_.Describe());
    for (auto line = tail.end() - static_cast<ptrdiff_t>(shown); line != tail.end(); ++line) {
      text += fmt::format("    {}\n", *line);
    }
    for (const std::string& violation : world_.violations.first()) {
      text += fmt::format("  violation: {}\n", violation);
    }
    text += fmt::format("  reproduce: build/release/bin/bell-sim --seeds {0}-{0} --trace\n",
                        options_.seed);
    return text;
  }

  const Options options_;
  World world_;
  Nemesis nemesis_;
  std::set<uint64_t> finishing_;  // serials of clients told to finish
  uint64_t repeated_ = 0;
};

}  // namespace

Report RunSeed(uint64_t seed, bool print_trace) { return Scenario(seed, print_trace).Run(); }

}  // namespace bellwether::sim
