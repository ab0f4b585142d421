#include "tests/sim/world.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/parse.h"
#include "coord/service/feature_levels.h"
#include "coord/storage/snapshot_file.h"
#include "tests/sim/check_leader_completeness.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/zk_client.h"

namespace bellwether::sim {
namespace {

// What ended clients are followed by, and how soon.
constexpr absl::Duration kNewClientAfter = absl::Milliseconds(100);
// Of a snapshot's file: what says that it is one, of which format; damage there is something else.
constexpr size_t kSnapshotFrontBytes = 13;

coord::PeerAddress AddressOf(uint32_t server) {
  return {ServerId(server), "server" + std::to_string(server) + ":2192"};
}

// Of the ensemble as it forms.
coord::raft::Membership FirstMembership(uint32_t servers) {
  coord::raft::Membership membership;
  for (uint32_t id = 1; id <= servers; ++id) {
    membership.members.push_back({ServerId(id), AddressOf(id).address});
  }
  return membership;
}

// The files of whole snapshots, oldest first, by what they are of.
std::map<LogIndex, std::string> SnapshotsIn(SimFolder& folder) {
  constexpr std::string_view kKind = "snapshot-";
  std::map<LogIndex, std::string> snapshots;
  const std::vector<std::string> files = *folder.List();
  for (const std::string& file : files) {
    if (!file.starts_with(kKind)) continue;
    const std::string index = file.substr(kKind.size(), file.rfind('-') - kKind.size());
    snapshots[LogIndex(static_cast<uint64_t>(*base::ParseInteger(index, 0, INT64_MAX)))] = file;
  }
  return snapshots;
}

bool IsWhole(SimFolder& folder, const std::string& snapshot) {
  auto file = folder.Open(snapshot, base::Folder::Mode::kRead);
  CHECK(file.ok());
  const auto reader = coord::SnapshotFileReader::Open(*std::move(file));
  return reader.ok() && coord::VerifySnapshot(**reader).ok();
}

const char* RoleName(coord::Role role) {
  switch (role) {
    case coord::Role::kFollower:
      return "follower";
    case coord::Role::kCandidate:
      return "candidate";
    case coord::Role::kLeader:
      return "leader";
    case coord::Role::kLearner:
      break;
  }
  return "learner";
}

}  // namespace

World::World(const Options& options, bool print_trace)
    : scheduler(options.seed),
      network(scheduler),
      trace(scheduler, print_trace),
      violations(trace),
      elections(violations),
      state_machines(log, violations),
      digests(violations),
      members(FirstMembership(options.servers), violations),
      client_network(
          scheduler, [this](uint32_t server) { return machines_.at(server)->process.get(); },
          options.watch_window),
      options_(options) {
  network.loss_chance = options.drop_chance;
  network.duplicate_chance = options.duplicate_chance;
  network.reorder_chance = options.reorder_chance;
  network.break_chance = options.break_chance;
  network.message_bytes_max = options.message_bytes_max;
  network.on_too_large = [this](ServerId from, ServerId to, size_t bytes) {
    violations.Add("message size", "server {} has {} bytes for server {} in one message", from, bytes,
                   to);
  };
  std::vector<coord::PeerAddress> servers;
  for (uint32_t id = 1; id <= options.servers; ++id) {
    servers.push_back(AddressOf(id));
  }
  for (uint32_t id = 1; id <= std::max(options.servers, spare()); ++id) {
    auto machine = std::make_unique<Machine>(scheduler);
    machine->options.id = ServerId(id);
    machine->options.servers = servers;
    if (id == spare()) machine->options.servers.push_back(AddressOf(id));
    machine->options.check_invariants = true;
    machine->options.feature_levels = {coord::kSupportedFeatureLevels.min, options.first_level};
    machine->options.tick *= options.time_scale;
    machine->options.heartbeat *= options.time_scale;
    machine->options.election_timeout *= options.time_scale;
    machine->options.snapshot_entries = options.snapshot_entries;
    // In the proportions of the real ones.
    machine->options.entry_bytes_max = options.message_bytes_max / 7;
    machine->options.proposal_bytes_max = options.message_bytes_max / 7 * 6;
    machine->options.snapshot_fetch.chunk_bytes =
        static_cast<uint32_t>(options.message_bytes_max / 7);
    machine->options.grpc = ClientNetwork::AddressOf(id);
    machine->options.folder_id = base::Uuid::FromRandom(id, scheduler.random().Next());
    machine->disk.sync_last = options.sync_max;
    members.AddServer(ServerId(id), machine->disk);
    machines_[id] = std::move(machine);
  }
  for (uint32_t slot = 1; slot <= options.programs(); ++slot) clients_[slot] = nullptr;
}

World::~World() {
  for (auto& [slot, client] : clients_) client.reset();
  for (auto& [id, machine] : machines_) {
    if (machine->process != nullptr) CrashServer(id);
  }
  client_network.DropAll();
}

// ---- Servers ----

void World::StartServer(uint32_t id) {
  Machine& machine = this->machine(id);
  CHECK(machine.process == nullptr);
  trace.Add("server {} starts", id);
  log.OnStart(ServerId(id));
  elections.OnStart(ServerId(id));
  if (const absl::Status records = machine.disk.CheckRecords(); !records.ok()) {
    violations.Add("damage", "a crash of server {} left {}", id, records.ToString());
  }
  ++machine.starts;
  machine.process = std::make_unique<Process>(
      machine.options, machine.ensemble_id, options_,
      Process::Dependencies{scheduler, network, machine.disk, machine.snapshots, *this,
                            [&machine](base::Uuid id) { machine.ensemble_id = id; }});
}

void World::CrashServer(uint32_t id) {
  Machine& machine = this->machine(id);
  trace.Add("server {} is killed", id);
  client_network.ServerDown(id);
  machine.process.reset();
  const uint64_t lost_before = machine.disk.requests_lost();
  machine.disk.Crash();
  machine.snapshots.Crash();
  const uint64_t lost = machine.disk.requests_lost() - lost_before;
  if (lost == 0) return;
  faults.Add(Fault::kLostWrites);
  trace.Add("server {} lost {} unsynced writes", id, lost);
}

void World::WipeServer(uint32_t id) {
  Machine& machine = this->machine(id);
  CHECK(machine.process == nullptr);
  trace.Add("server {} is wiped", id);
  machine.disk.Wipe();
  machine.snapshots.Wipe();
  machine.ensemble_id = base::Uuid();
  machine.options.folder_id = base::Uuid::FromRandom(id, scheduler.random().Next());
  machine.readmitting = true;
}

bool World::DamageServer(uint32_t id) {
  Machine& machine = this->machine(id);
  CHECK(machine.process == nullptr);
  const std::optional<coord::SimDisk::Damaged> damaged = machine.disk.Damage();
  if (!damaged.has_value()) return false;
  trace.Add("server {} has a damaged log: {}", id, damaged->what);
  if (!absl::IsDataLoss(damaged->found)) {
    violations.Add("damage", "server {} goes on with a damaged log ({}): {}", id, damaged->what,
                   damaged->found.ToString());
    return true;
  }
  machine.disk.Wipe();
  machine.options.folder_id = base::Uuid::FromRandom(id, scheduler.random().Next());
  machine.readmitting = true;
  return true;
}

void World::MakeNew(uint32_t id) {
  WipeServer(id);
  machine(id).readmitting = false;
}

std::string World::SpareNewestSnapshot(uint32_t id) {
  Machine& machine = this->machine(id);
  std::map<LogIndex, std::string> snapshots = SnapshotsIn(machine.snapshots);
  std::erase_if(snapshots, [&machine](const auto& snapshot) {
    return !IsWhole(machine.snapshots, snapshot.second);
  });
  if (snapshots.empty()) return "";
  const LogIndex older = snapshots.size() < 2 ? LogIndex() : std::prev(snapshots.end(), 2)->first;
  return machine.disk.durable_first() > older + 1 ? "" : snapshots.rbegin()->second;
}

void World::DamageSnapshot(uint32_t id, const std::string& file) {
  SimFolder& folder = machine(id).snapshots;
  const size_t bytes = folder.content(file).size();
  folder.Damage(file, kSnapshotFrontBytes + scheduler.random().Below(bytes - kSnapshotFrontBytes));
}

bool World::SpoilNewestSnapshot(uint32_t id) {
  Machine& machine = this->machine(id);
  CHECK(machine.process == nullptr);
  const std::string newest = SpareNewestSnapshot(id);
  if (newest.empty()) return false;
  const bool gone = scheduler.random().Chance(0.3);
  trace.Add("server {} goes on without {}, which is {}", id, newest, gone ? "gone" : "damaged");
  if (gone) {
    CHECK(machine.snapshots.Remove(newest).ok() && machine.snapshots.Sync().ok());
  } else {
    DamageSnapshot(id, newest);
  }
  return true;
}

bool World::RotNewestSnapshot(uint32_t id) {
  CHECK(machine(id).process != nullptr);
  const std::string newest = SpareNewestSnapshot(id);
  if (newest.empty() || Installing(id) || machine(id).disk.unsynced() > 0) return false;
  trace.Add("{} of server {} rots", newest, id);
  DamageSnapshot(id, newest);
  return true;
}

bool World::Installing(uint32_t id) {
  Machine& machine = this->machine(id);
  const std::vector<std::string> files = *machine.snapshots.List();
  for (const std::string& file : files) {
    if (file.starts_with("receiving-")) return true;
  }
  const std::map<LogIndex, std::string> snapshots = SnapshotsIn(machine.snapshots);
  if (snapshots.empty()) return false;
  const LogIndex newest = snapshots.rbegin()->first;
  return newest > log.applied(ServerId(id)) || newest > machine.disk.durable_last();
}

std::map<ServerId, const coord::SimDisk*> World::Disks() const {
  std::map<ServerId, const coord::SimDisk*> disks;
  for (const auto& [id, machine] : machines_) disks[ServerId(id)] = &machine->disk;
  return disks;
}

uint32_t World::Leader() const {
  uint32_t leader = 0;
  Term term;
  for (const auto& [id, machine] : machines_) {
    if (machine->process == nullptr || machine->process->paused()) continue;
    const coord::ReplicaStatus status = machine->process->status();
    if (status.leadership.role != coord::Role::kLeader || !status.in_contact) continue;
    if (status.leadership.term < term) continue;
    leader = id;
    term = status.leadership.term;
  }
  return leader;
}

uint32_t World::FeatureLevel() const {
  uint32_t level = 0;
  for (const auto& [id, machine] : machines_) {
    if (machine->process == nullptr) continue;
    level = std::max(level, machine->process->service().feature_level());
  }
  return level;
}

std::set<ServerId> World::Emptied() {
  std::set<ServerId> emptied;
  for (auto& [id, machine] : machines_) {
    const auto& hard_state = machine->disk.durable_hard_state();
    if (hard_state.has_value() && hard_state->standing == coord::raft::Standing::kVoter) {
      machine->readmitting = false;
    }
    if (machine->readmitting) emptied.insert(ServerId(id));
  }
  return emptied;
}

void World::OnLeadership(ServerId server, const coord::Leadership& leadership,
                         coord::LogStore& server_log) {
  trace.Add("server {} is {} of term {}, leader {}", server, RoleName(leadership.role),
            leadership.term, leadership.leader);
  elections.OnLeadership(server, leadership);
  if (leadership.role != coord::Role::kLeader) return;
  CheckLeaderCompleteness(log, server, leadership.term, elections.newest_term(), server_log,
                          violations);
  if (on_leader) on_leader(server.value());
}

void World::OnApply(ServerId server, const coord::CommittedBatch& batch) {
  state_machines.OnApply(server, batch);
  log.OnApply(server, batch, scheduler.now());
  if (members.OnApply(server, batch)) members.CheckUnderWay(Emptied());
}

void World::OnSnapshotTaken(ServerId server) {
  ++snapshots;
  trace.Add("server {} takes a snapshot", server);
}

void World::OnRestored(ServerId server, LogIndex index) {
  trace.Add("server {} continues from the snapshot of {}", server, index);
  state_machines.OnRestored(server, index);
  log.OnRestored(server, index);
}

void World::OnState(ServerId server, const coord::ServiceStatus& state) {
  log.OnState(state.zxid);
  digests.OnState(server, state.applied_index, state.digest);
}

void World::OnFatal(ServerId server, const absl::Status& status) {
  violations.Add("server stopped", "server {}: {}", server, status.ToString());
}

// ---- Clients ----

void World::StartClient(uint32_t slot) {
  const uint64_t serial = ++last_serial_;
  trace.Add("client {} starts on machine {}", serial, slot);
  Program::Dependencies deps{
      .scheduler = scheduler,
      .network = client_network,
      .trace = trace,
      .violations = violations,
      .history = history,
      .newest_zxid = [this] { return log.newest_zxid(); },
      .on_over =
          [this, slot, serial] {
            scheduler.After(kNewClientAfter, [this, slot, serial] {
              Program* const old = client(slot);
              if (old == nullptr || old->serial() != serial) return;
              clients_[slot].reset();
              StartClient(slot);
            });
          },
  };
  if (slot <= options_.clients) {
    clients_[slot] = std::make_unique<SimClient>(slot, serial, options_, std::move(deps));
  } else {
    clients_[slot] = std::make_unique<ZkClient>(slot, serial, options_, std::move(deps));
  }
}

void World::CrashClient(uint32_t slot) {
  trace.Add("client {} is killed", clients_[slot]->serial());
  clients_[slot].reset();
}

}  // namespace bellwether::sim
