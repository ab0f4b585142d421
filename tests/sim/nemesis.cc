#include "tests/sim/nemesis.h"

#include <set>
#include <utility>

#include "tests/sim/check_log_matching.h"

namespace bellwether::sim {
namespace {

using Cut = coord::SimNetwork::Cut;

constexpr absl::Duration kLatencyLast = absl::Microseconds(300);
// In the world's time scale; not all are upgraded by then.
constexpr absl::Duration kFinalizedAfter = absl::Seconds(6);
// For a piece of a snapshot to arrive and the rest to be done; 20 us each.
constexpr int kInstallLooks = 150;

// Those that happen at a moment, rather than to single messages or as part of another.
const Fault kEvents[] = {Fault::kDelay,       Fault::kBreak,         Fault::kPartition,
                         Fault::kOneWayPartition, Fault::kCrash,     Fault::kWipe,
                         Fault::kPause,       Fault::kSlowDisk,      Fault::kFullDisk,
                         Fault::kWallClockJump, Fault::kClientMove,  Fault::kClientCut,
                         Fault::kClientPause, Fault::kClientCrash,   Fault::kPauseAll,
                         Fault::kClockDrift,  Fault::kDamage,        Fault::kMembership,
                         Fault::kTransfer,    Fault::kHandOver,      Fault::kOldSnapshot,
                         Fault::kNewServer,   Fault::kSeeSaw};

}  // namespace

void Nemesis::Start() {
  if (world_.options().hunts_leaders) {
    world_.on_leader = [this](uint32_t server) { Hunt(server); };
  }
  world_.network.on_send = [this](ServerId from, ServerId to, const coord::PeerMessage& message) {
    OnSend(from, to, message);
  };
  if (world_.options().last_partition) {
    UndoAfter(world_.options().chaos - Between(300, 1'200), [this] { CutOffLeader(); });
  }
  if (!AllUpgraded()) UndoAfter(Between(100, 5'000), [this] { Upgrade(); });
  UndoAfter(kFinalizedAfter * world_.options().time_scale, [this] { AskToFinalize(); });
  ScheduleNext();
}

void Nemesis::ScheduleNext() {
  const absl::Duration interval = world_.options().fault_interval;
  world_.scheduler.After(interval * 2 * static_cast<double>(random_.Below(1000)) / 1000, [this] {
    if (stopped_) return;
    if (world_.scheduler.now() < quiet_until_) return ScheduleNext();
    std::vector<Fault> enabled;
    for (const Fault fault : kEvents) {
      if (world_.options().Enabled(fault)) enabled.push_back(fault);
    }
    if (enabled.empty()) return;
    const Fault fault = enabled[random_.Below(enabled.size())];
    if (Inject(fault)) world_.faults.Add(fault);
    CheckLogMatching(world_.Disks(), world_.violations);
    ScheduleNext();
  });
}

void Nemesis::UndoAfter(absl::Duration delay, base::Task undo) {
  world_.scheduler.After(delay, [this, undo = std::move(undo)]() mutable {
    if (!stopped_) undo();
  });
}

bool Nemesis::Inject(Fault fault) {
  switch (fault) {
    case Fault::kDelay:
      return Delay();
    case Fault::kBreak:
      return BreakPeers();
    case Fault::kPartition:
      return Partition();
    case Fault::kOneWayPartition:
      return PartitionOneWay();
    case Fault::kCrash:
      return Crash();
    case Fault::kWipe:
    case Fault::kDamage:
      return LoseLog(fault);
    case Fault::kHandOver:
      return HandOver();
    case Fault::kPause:
      return Pause(AnyServer(0.5));
    case Fault::kSlowDisk:
      return SlowDisk();
    case Fault::kFullDisk:
      return FullDisk();
    case Fault::kWallClockJump:
      return JumpWallClock();
    case Fault::kClientMove:
      return MoveClient();
    case Fault::kClientCut:
      return CutClient();
    case Fault::kClientPause:
      return PauseClient();
    case Fault::kClientCrash:
      return CrashClient();
    case Fault::kPauseAll:
      return PauseAll();
    case Fault::kClockDrift:
      return DriftClock();
    case Fault::kMembership:
      return RemoveServer();
    case Fault::kTransfer:
      return Transfer();
    case Fault::kOldSnapshot:
      return OldSnapshot();
    case Fault::kNewServer:
      return NewServer();
    case Fault::kSeeSaw:
      return SeeSaw();
    default:
      return false;
  }
}

// ---- Network ----

bool Nemesis::Delay() {
  if (world_.options().servers == 1) return false;
  world_.network.latency_last = Between(2, 120);
  world_.trace.Add("fault: network takes up to {}",
                   absl::FormatDuration(world_.network.latency_last));
  UndoAfter(Between(100, 3'000), [this] { world_.network.latency_last = kLatencyLast; });
  return true;
}

bool Nemesis::BreakPeers() {
  const ServerId a(AnyServer());
  const ServerId b(AnyServer());
  if (a == b) return false;
  world_.trace.Add("fault: connection of {} and {} breaks", a, b);
  world_.network.SetLink(a, b, Cut::kBroken);
  UndoAfter(Between(1, 500), [this, a, b] { world_.network.SetLink(a, b, Cut::kNone); });
  return true;
}

bool Nemesis::Partition() {
  std::set<uint32_t> side;
  for (uint32_t id = 1; id <= world_.options().servers; ++id) {
    if (random_.Chance(0.5)) side.insert(id);
  }
  // Often just the leader: that hurts most.
  if (const uint32_t leader = world_.Leader(); leader != 0 && random_.Chance(0.4)) side = {leader};
  if (side.empty() || side.size() == world_.options().servers) return false;
  const Cut cut = random_.Chance(0.6) ? Cut::kSilent : Cut::kBroken;
  std::vector<std::pair<ServerId, ServerId>> links;
  for (const uint32_t near : side) {
    for (uint32_t far = 1; far <= world_.options().servers; ++far) {
      if (!side.contains(far)) links.emplace_back(near, far);
    }
  }
  for (const auto& [near, far] : links) {
    world_.trace.Add("fault: {} and {} are cut off, {}", near, far,
                     cut == Cut::kSilent ? "silently" : "noticed");
    world_.network.SetLink(near, far, cut);
  }
  UndoAfter(Between(50, 4'000), [this, links] {
    for (const auto& [near, far] : links) world_.network.SetLink(near, far, Cut::kNone);
  });
  return true;
}

// Silently: it wakes up and hears of nothing that happened meanwhile.
void Nemesis::Isolate(uint32_t server, absl::Duration length) {
  if (world_.options().servers == 1) return;
  world_.trace.Add("fault: server {} is cut off, silently", server);
  world_.faults.Add(Fault::kPartition);
  for (uint32_t other = 1; other <= world_.options().servers; ++other) {
    if (other == server) continue;
    world_.network.SetLink(ServerId(server), ServerId(other), Cut::kSilent);
    UndoAfter(length, [this, server, other] {
      world_.network.SetLink(ServerId(server), ServerId(other), Cut::kNone);
    });
  }
}

// What clients of it have asked for then is lost, and they don't notice by themselves.
void Nemesis::CutOffLeader() {
  if (const uint32_t leader = world_.Leader(); leader != 0) Isolate(leader, Between(2'000, 3'000));
}

bool Nemesis::PartitionOneWay() {
  const ServerId from(AnyServer());
  const ServerId to(AnyServer());
  if (from == to) return false;
  world_.trace.Add("fault: nothing gets from {} to {}", from, to);
  world_.network.CutOneWay(from, to);
  UndoAfter(Between(50, 4'000), [this, from, to] { world_.network.HealOneWay(from, to); });
  return true;
}

// ---- Servers ----

uint32_t Nemesis::AnyServer(double leader_chance) {
  const uint32_t leader = world_.Leader();
  return leader != 0 && random_.Chance(leader_chance) ? leader : AnyServer();
}

bool Nemesis::Crash() {
  if (random_.Chance(0.15)) return CrashAll();
  const uint32_t server = AnyServer(0.3);
  return world_.machine(server).process != nullptr && CrashOne(server);
}

// As when the power fails.
bool Nemesis::CrashAll() {
  for (uint32_t server = 1; server <= world_.options().servers; ++server) {
    if (world_.machine(server).process != nullptr) world_.CrashServer(server);
    UndoAfter(Between(20, 1'000), [this, server] { Restart(server); });
  }
  return true;
}

bool Nemesis::CrashOne(uint32_t server) {
  KillWhenWriting(server, random_.Chance(0.5) ? 0 : 1'000);
  return true;
}

void Nemesis::KillWhenWriting(uint32_t server, int looks) {
  const Machine& machine = world_.machine(server);
  if (machine.process == nullptr) return;
  // Not at the first moment, so that what depends on the write has time to happen too early.
  if (looks > 0 && (machine.disk.unsynced() == 0 || !random_.Chance(0.05))) {
    return UndoAfter(absl::Microseconds(50),
                     [this, server, looks] { KillWhenWriting(server, looks - 1); });
  }
  world_.CrashServer(server);
  UndoAfter(Between(20, 3'000), [this, server] { Restart(server); });
}

// A leader that has just begun has sent little, and others have yet to hear of it.
void Nemesis::Hunt(uint32_t leader) {
  if (!random_.Chance(0.5)) return;
  UndoAfter(Between(0, 30), [this, leader] {
    if (world_.machine(leader).process == nullptr) return;
    if (world_.options().Enabled(Fault::kCrash) && random_.Chance(0.6)) {
      world_.faults.Add(Fault::kCrash);
      CrashOne(leader);
    } else if (world_.options().Enabled(Fault::kPause) && Pause(leader)) {
      world_.faults.Add(Fault::kPause);
    }
  });
}

// What a server has just said may rest on what its disk has not written yet.
void Nemesis::OnSend(ServerId from, ServerId to, const coord::PeerMessage& message) {
  if (std::holds_alternative<coord::SnapshotChunk>(message) && !stopped_ &&
      random_.Chance(world_.options().kill_at_install_chance)) {
    UndoAfter(absl::Microseconds(20),
              [this, to] { KillWhenInstalling(to.value(), kInstallLooks); });
  }
  const auto* const sent = std::get_if<coord::raft::Message>(&message);
  if (sent == nullptr || stopped_) return;
  if (const auto* vote = std::get_if<coord::raft::VoteResponse>(&sent->body)) {
    if (!vote->granted || vote->pre_vote) return;
    if (!random_.Chance(world_.options().kill_at_vote_chance)) return;
    KillSoon(Fault::kKillAtVote, {from});
    // Whoever got the vote is then not heard of, so that others soon ask for one in the same term.
    if (random_.Chance(0.5)) return;
    UndoAfter(absl::Milliseconds(1), [this, to] { Isolate(to.value(), Between(500, 2'000)); });
  } else if (const auto* ack = std::get_if<coord::raft::AppendResponse>(&sent->body)) {
    if (ack->rejected || !random_.Chance(world_.options().kill_at_ack_chance)) return;
    const bool both = random_.Chance(0.5);
    KillSoon(Fault::kKillAtAck, both ? std::vector{from, to} : std::vector{from});
  } else if (std::holds_alternative<coord::raft::InstallSnapshot>(sent->body)) {
    RotWhatIsOffered(from.value());
  }
}

// The first is back soon, perhaps before anyone has missed it; the others stay away longer.
void Nemesis::KillSoon(Fault fault, std::vector<ServerId> servers) {
  UndoAfter(absl::Microseconds(random_.Between(0, 400)), [this, fault, servers] {
    bool any = false;
    for (const ServerId id : servers) {
      const uint32_t server = id.value();
      if (world_.machine(server).process == nullptr) continue;
      any = true;
      world_.CrashServer(server);
      UndoAfter(id == servers.front() ? Between(1, 60) : Between(200, 2'000),
                [this, server] { Restart(server); });
    }
    if (any) world_.faults.Add(fault);
  });
}

void Nemesis::Restart(uint32_t server) {
  if (world_.machine(server).process != nullptr) return;
  if (server == world_.spare() && !spare_is_used_) return;
  world_.faults.Add(Fault::kRestart);
  world_.StartServer(server);
}

bool Nemesis::Pause(uint32_t server) {
  const absl::Duration length = random_.Chance(0.7) ? Between(50, 1'000) : Between(1'000, 5'000);
  if (!StandStill(server, length)) return false;
  if (world_.options().Enabled(Fault::kPartition) && random_.Chance(0.4)) {
    Isolate(server, length + Between(1, 500));
  }
  return true;
}

bool Nemesis::PauseAll() {
  const absl::Duration length = Between(50, 4'000);
  bool any = false;
  for (uint32_t server = 1; server <= world_.options().servers; ++server) {
    any |= StandStill(server, length);
  }
  return any;
}

bool Nemesis::StandStill(uint32_t server, absl::Duration length) {
  Process* const process = world_.machine(server).process.get();
  if (process == nullptr || process->paused()) return false;
  world_.trace.Add("fault: server {} stands still for {}", server, absl::FormatDuration(length));
  process->Pause();
  UndoAfter(length, [this, server, starts = world_.machine(server).starts] {
    if (world_.machine(server).starts == starts) Resume(server);
  });
  return true;
}

void Nemesis::Resume(uint32_t server) {
  Process* const process = world_.machine(server).process.get();
  if (process == nullptr || !process->paused()) return;
  world_.trace.Add("server {} goes on", server);
  process->Resume();
}

bool Nemesis::JumpWallClock() {
  const uint32_t server = AnyServer();
  if (world_.machine(server).process == nullptr) return false;
  const absl::Duration offset = absl::Seconds(random_.Between(-3'600, 3'600));
  world_.trace.Add("fault: wall clock of server {} is off by {}", server,
                   absl::FormatDuration(offset));
  world_.machine(server).process->clock().SetWallOffset(offset);
  return true;
}

bool Nemesis::DriftClock() {
  const uint32_t server = AnyServer(0.5);
  Process* const process = world_.machine(server).process.get();
  if (process == nullptr) return false;
  const double rate =
      random_.Chance(0.7) ? static_cast<double>(random_.Between(40, 100)) / 100
                          : 1 + random_.Below(100) * (world_.options().ClockRateMax() - 1) / 100;
  world_.trace.Add("fault: clock of server {} runs at {}", server, rate);
  process->SetClockRate(rate);
  UndoAfter(Between(500, 8'000), [this, server, starts = world_.machine(server).starts] {
    const Machine& machine = world_.machine(server);
    if (machine.process != nullptr && machine.starts == starts) machine.process->SetClockRate(1);
  });
  return true;
}

// ---- Clients ----

bool Nemesis::MoveClient() {
  const uint32_t slot = AnyClient();
  Program* const client = world_.client(slot);
  if (client == nullptr || client->writes_outstanding() == 0) return false;
  if (!world_.client_network.Break(slot)) return false;
  world_.trace.Add("fault: connections of client {} break", client->serial());
  return true;
}

bool Nemesis::CutClient() {
  const uint32_t slot = AnyClient();
  Program* const client = world_.client(slot);
  if (client == nullptr || client->server() == 0) return false;
  const uint32_t server = client->server();
  world_.trace.Add("fault: client {} and server {} don't reach each other", client->serial(),
                   server);
  world_.client_network.Cut(slot, server);
  UndoAfter(Between(100, 6'000),
            [this, slot, server] { world_.client_network.Heal(slot, server); });
  return true;
}

bool Nemesis::PauseClient() {
  const uint32_t slot = AnyClient();
  Program* const client = world_.client(slot);
  if (client == nullptr) return false;
  if (random_.Chance(0.3) && client->session_deadline() > world_.scheduler.now()) {
    return PauseToDeadline(slot);
  }
  if (world_.options().Enabled(Fault::kHandOver) && random_.Chance(0.5)) {
    return PauseToHandOver(slot);
  }
  // Often so long that it is back just when its session expires.
  const absl::Duration timeout = world_.options().session_timeout;
  const absl::Duration length =
      random_.Chance(0.5) ? timeout * static_cast<double>(random_.Between(30, 200)) / 100
                          : timeout - Between(0, 250) + Between(0, 500);
  PauseClientFor(slot, length, random_.Chance(0.5));
  return true;
}

// It attaches anew when the leader is about to expire its session, while disks are slow: the one is
// on its way through the log when the other is proposed.
bool Nemesis::PauseToDeadline(uint32_t slot) {
  const absl::Duration left = world_.client(slot)->session_deadline() - world_.scheduler.now();
  PauseClientFor(slot, left + Between(0, 300), true);
  SlowDisks(left, left + Between(300, 400));
  return true;
}

// It says that it is there, without attaching anew, while leadership goes from one server to the other,
// just when the first would expire its session: a timeout after its last words, and a tick's bound. The
// first one waits for a server that stands still, and disks are slow, so that handing over takes a while
// and so does what the first one decided meanwhile.
bool Nemesis::PauseToHandOver(uint32_t slot) {
  const absl::Duration begin = world_.options().session_timeout + Between(70, 200);
  PauseClientFor(slot, begin + Between(20, 250), false);
  SlowDisks(begin, begin + Between(300, 400));
  UndoAfter(begin, [this] {
    const uint32_t leader = HandOverNow();
    if (leader == 0) return;
    world_.faults.Add(Fault::kHandOver);
    StandStill(leader % world_.options().servers + 1, Between(40, 150));
  });
  return true;
}

void Nemesis::SlowDisks(absl::Duration begin, absl::Duration end) {
  UndoAfter(begin, [this] {
    for (const auto& [id, machine] : world_.machines()) machine->disk.sync_last = Between(20, 200);
  });
  UndoAfter(end, [this] {
    for (const auto& [id, machine] : world_.machines()) {
      machine->disk.sync_last = world_.options().sync_max;
    }
  });
}

// `breaks`: its connections end then, so that it attaches anew.
void Nemesis::PauseClientFor(uint32_t slot, absl::Duration length, bool breaks) {
  Program& client = *world_.client(slot);
  world_.trace.Add("fault: client {} stands still for {}", client.serial(),
                   absl::FormatDuration(length));
  client.Pause();
  UndoAfter(length, [this, slot, serial = client.serial(), breaks] {
    Program* const same = Same(slot, serial);
    if (same == nullptr) return;
    if (breaks) world_.client_network.Break(slot);
    same->Resume();
  });
}

Program* Nemesis::Same(uint32_t slot, uint64_t serial) {
  Program* const client = world_.client(slot);
  return client != nullptr && client->serial() == serial ? client : nullptr;
}

bool Nemesis::CrashClient() {
  const uint32_t slot = AnyClient();
  if (world_.client(slot) == nullptr) return false;
  world_.CrashClient(slot);
  UndoAfter(Between(10, 1'000), [this, slot] {
    if (world_.client(slot) == nullptr) world_.StartClient(slot);
  });
  return true;
}

// ---- The end ----

void Nemesis::CountMessageFaults() {
  const coord::SimNetwork::Counts& counts = world_.network.counts();
  world_.faults.Add(Fault::kDrop, counts.dropped);
  world_.faults.Add(Fault::kDuplicate, counts.duplicated);
  world_.faults.Add(Fault::kReorder, counts.reordered);
}

void Nemesis::Heal() {
  stopped_ = true;
  world_.on_leader = nullptr;
  world_.network.on_send = nullptr;
  world_.trace.Add("everything is healed");
  world_.network.loss_chance = 0;
  world_.network.duplicate_chance = 0;
  world_.network.reorder_chance = 0;
  world_.network.break_chance = 0;
  world_.network.latency_last = kLatencyLast;
  world_.network.HealAll();
  world_.client_network.HealAll();
  for (const auto& [id, machine] : world_.machines()) {
    machine->disk.sync_last = world_.options().sync_max;
    machine->SetRoom(coord::raft::DiskRoom::kAll);
    Resume(id);
    if (machine->process != nullptr) machine->process->SetClockRate(1);
    UpgradeOne(id);
    Restart(id);
  }
  AskToFinalize();
  for (uint32_t slot = 1; slot <= world_.options().programs(); ++slot) {
    if (world_.client(slot) == nullptr) {
      world_.StartClient(slot);
    } else {
      world_.client(slot)->Resume();
    }
  }
}

}  // namespace bellwether::sim
