#include <algorithm>
#include <utility>

#include "fmt/format.h"

#include "tests/sim/nemesis.h"

// Who is in the ensemble, and who leads it.
namespace bellwether::sim {
namespace {

using coord::MembershipView;
using MemberChange = coord::MembershipChange::Kind;

constexpr absl::Duration kAskedFor = absl::Seconds(12);
// A reconfig waits behind what its client asked for before, and asks for changes for a while.
constexpr absl::Duration kReconfiguredFor = absl::Seconds(18);
constexpr int kSeeSawsMax = 2;  // in one world

const coord::MemberInfo* FindIn(const MembershipView& view, uint32_t server) {
  const auto found = std::find_if(
      view.members.begin(), view.members.end(),
      [server](const coord::MemberInfo& member) { return member.id == ServerId(server); });
  return found == view.members.end() ? nullptr : &*found;
}

}  // namespace

// ---- Members ----

bool Nemesis::Ask(coord::MembershipChange change, OnView then) {
  if (!AtLevelOfMembership()) return false;
  const uint32_t server = AnyServer(0.7);
  Process* const process = world_.machine(server).process.get();
  if (process == nullptr) return false;
  process->replica().AskMembership(
      std::move(change), [then = std::move(then)](absl::StatusOr<MembershipView> view) {
        if (view.ok() && then) then(*view);
      });
  return true;
}

// What is asked now is answered by then, pauses included, or never.
absl::Duration Nemesis::AskedUntil() const {
  return world_.scheduler.now() + kAskedFor * world_.options().time_scale;
}

absl::Duration Nemesis::ReconfiguredUntil() const {
  return world_.scheduler.now() + kReconfiguredFor * world_.options().time_scale;
}

bool Nemesis::AskByReconfig(double chance, WantedServers wanted, std::function<void()> then) {
  if (world_.options().zk_clients == 0 || !AtLevelOfMembership()) return false;
  if (!random_.Chance(chance)) return false;
  for (uint32_t slot = 1; slot <= world_.options().programs(); ++slot) {
    Program* const client = world_.client(slot);
    const auto done = [this, then] {
      ++world_.reconfigured;
      then();
    };
    if (client != nullptr && client->Reconfigure(wanted, done)) return true;
  }
  return false;
}

// As reconfig names it.
std::string Nemesis::ServerLine(uint32_t server, std::string_view role) const {
  const std::string& address = world_.machine(server).options.servers.at(server - 1).address;
  return fmt::format("server.{}={}:2193:{}", server, address, role);
}

// Without it, by its id or by who stays.
WantedServers Nemesis::Without(uint32_t server) {
  WantedServers wanted;
  const bool by_id = spare_is_used_ || world_.scheduler.now() < spare_until_ || random_.Chance(0.5);
  if (by_id) {
    wanted.leaving = std::to_string(server);
    return wanted;
  }
  for (uint32_t id = 1; id <= world_.options().servers; ++id) {
    if (id == server) continue;
    if (!wanted.members.empty()) wanted.members += ',';
    wanted.members += ServerLine(id, "participant");
  }
  return wanted;
}

// All folders count: the servers with a vote must be able to lose one.
bool Nemesis::MembersMayChange() {
  const bool formed = world_.log.newest_zxid() > Zxid(0) && AtLevelOfMembership();
  return world_.options().servers > 1 && formed && world_.Readmitting() == 0;
}

// It keeps its folder, mostly, and comes back.
bool Nemesis::RemoveServer() {
  if (away_ != 0 || !MembersMayChange()) return false;
  const uint32_t server = AnyServer(0.3);
  if (server == world_.spare()) return false;
  const bool by_reconfig = AskByReconfig(0.7, Without(server), [this, server] {
    ++world_.memberships;
    OnRemoved(server);
  });
  const bool asked =
      by_reconfig || Ask({MemberChange::kRemove, ServerId(server), ""},
                         [this, server](const MembershipView& view) {
                           ++world_.memberships;
                           if (!view.changing && FindIn(view, server) == nullptr) OnRemoved(server);
                         });
  if (!asked) return false;
  away_ = server;
  away_until_ = by_reconfig ? ReconfiguredUntil() : AskedUntil();
  world_.trace.Add("fault: server {} is to leave the ensemble", server);
  world_.scheduler.After(Between(200, 8'000), [this, server] {
    Admit(server, away_until_, [this] { away_ = 0; });
  });
  return true;
}

// What it promised counts no more. Not at once: this is called from inside a server.
void Nemesis::OnRemoved(uint32_t server) {
  if (!world_.options().Enabled(Fault::kWipeRemoved) || !random_.Chance(0.6)) return;
  UndoAfter(Between(0, 100), [this, server] {
    if (away_ != server || admissions_.contains(server) || world_.Readmitting() > 0) return;
    if (world_.machine(server).process != nullptr) world_.CrashServer(server);
    world_.WipeServer(server);
    world_.faults.Add(Fault::kWipeRemoved);
    UndoAfter(Between(20, 3'000), [this, server] { Restart(server); });
  });
}

void Nemesis::Admit(uint32_t server, absl::Duration not_before, std::function<void()> then) {
  admissions_[server] = {not_before, std::move(then)};
  AdmitByReconfig(0.4, server, "participant");
  AskToAdmit(server);
}

void Nemesis::AskToAdmit(uint32_t server) {
  if (!admissions_.contains(server)) return;
  if (server == world_.spare()) spare_until_ = std::max(spare_until_, AskedUntil());
  const std::string& address = world_.machine(server).options.servers.at(server - 1).address;
  Ask({MemberChange::kAdd, ServerId(server), address}, [this, server](const MembershipView& view) {
    const coord::MemberInfo* const member = FindIn(view, server);
    if (member == nullptr || member->leaving) return;
    if (member->voter && !view.changing) return OnAdmitted(server);
    if (member->voter) return;
    Ask({MemberChange::kPromote, ServerId(server), ""},
        [this](const MembershipView&) { ++world_.memberships; });
  });
  world_.scheduler.After(Between(100, 500), [this, server] { AskToAdmit(server); });
}

// Who added it takes it away again when it gets no vote in time.
void Nemesis::AdmitByReconfig(double chance, uint32_t server, std::string_view role) {
  WantedServers wanted;
  wanted.joining = ServerLine(server, role);
  if (!AskByReconfig(chance, std::move(wanted), [this] { ++world_.memberships; })) return;
  if (server == world_.spare()) spare_until_ = ReconfiguredUntil();
  const auto admission = admissions_.find(server);
  if (admission != admissions_.end()) admission->second.not_before = ReconfiguredUntil();
}

void Nemesis::OnAdmitted(uint32_t server) {
  const auto admission = admissions_.find(server);
  if (admission == admissions_.end()) return;
  if (world_.scheduler.now() <= admission->second.not_before) return;
  world_.trace.Add("server {} is in the ensemble, with a vote", server);
  const std::function<void()> then = std::move(admission->second.then);
  admissions_.erase(admission);
  then();
}

bool Nemesis::NewServer() {
  const uint32_t spare = world_.spare();
  if (spare == 0 || spare_is_used_ || away_ != 0 || !MembersMayChange()) return false;
  if (world_.scheduler.now() < spare_until_) return false;
  spare_is_used_ = true;
  world_.trace.Add("fault: server {} is to join the ensemble", spare);
  world_.MakeNew(spare);
  world_.StartServer(spare);
  AdmitByReconfig(0.9, spare, "observer");
  world_.scheduler.After(Between(200, 2'000), [this, spare] {
    Admit(spare, spare_until_, [this] {
      UndoAfter(Between(500, 8'000), [this] {
        WantedServers wanted;
        wanted.leaving = std::to_string(world_.spare());
        AskByReconfig(0.5, std::move(wanted), [this] { ++world_.memberships; });
        world_.scheduler.After(Between(0, 1'000), [this] { Dismiss(); });
      });
    });
  });
  return true;
}

// Asks until the spare server is out, also when no more faults are injected, then ends it.
void Nemesis::Dismiss() {
  if (!spare_is_used_) return;
  Ask({MemberChange::kRemove, ServerId(world_.spare()), ""}, [this](const MembershipView& view) {
    if (view.changing || FindIn(view, world_.spare()) != nullptr || !spare_is_used_) return;
    ++world_.memberships;
    if (world_.scheduler.now() < spare_until_) return;
    spare_is_used_ = false;
    spare_until_ = AskedUntil();
    world_.scheduler.After(absl::ZeroDuration(), [this] {
      if (world_.machine(world_.spare()).process != nullptr) world_.CrashServer(world_.spare());
    });
  });
  world_.scheduler.After(Between(100, 500), [this] { Dismiss(); });
}

// ---- Releases ----

void Nemesis::Upgrade() {
  for (const auto& [id, machine] : world_.machines()) {
    UndoAfter(Between(0, 3'000), [this, id = id] {
      UpgradeOne(id);
      UndoAfter(Between(20, 300), [this, id] { Restart(id); });
    });
  }
}

void Nemesis::UpgradeOne(uint32_t server) {
  Machine& machine = world_.machine(server);
  if (machine.options.feature_levels.max == coord::kSupportedFeatureLevels.max) return;
  world_.trace.Add("server {} is upgraded", server);
  machine.options.feature_levels = coord::kSupportedFeatureLevels;
  if (machine.process != nullptr) world_.CrashServer(server);
}

bool Nemesis::AllUpgraded() const {
  return std::all_of(
      world_.machines().begin(), world_.machines().end(), [](const auto& machine) {
        return machine.second->options.feature_levels.max == coord::kSupportedFeatureLevels.max;
      });
}

// Below it the service refuses what is asked of the replica here.
bool Nemesis::AtLevelOfMembership() const {
  return world_.FeatureLevel() >= coord::kFeatureLevelMembership;
}

// Asks until it is so, also when no more faults are injected. Servers that are not members now must
// be upgraded as well. An ensemble that formed before all were heard needs it, too.
void Nemesis::AskToFinalize() {
  if (world_.FeatureLevel() == coord::kSupportedFeatureLevels.max) return;
  Process* const process = world_.machine(AnyServer(0.5)).process.get();
  if (AllUpgraded() && process != nullptr) {
    process->service().FinalizeUpgrade([](const absl::StatusOr<coord::UpgradeReport>&) {});
  }
  world_.scheduler.After(Between(100, 500), [this] { AskToFinalize(); });
}

// ---- Leaders ----

bool Nemesis::Transfer() {
  const ServerId to(random_.Chance(0.5) ? 0 : AnyServer());
  if (world_.options().servers == 1) return false;
  world_.trace.Add("fault: server {} is to lead", to);
  return Ask({MemberChange::kTransfer, to, ""}, nullptr);
}

// As on SIGTERM, which often ends the process soon after.
bool Nemesis::HandOver() {
  const uint32_t leader = HandOverNow();
  if (leader == 0) return false;
  if (random_.Chance(0.5)) return true;
  UndoAfter(Between(0, 100), [this, leader, starts = world_.machine(leader).starts] {
    const Machine& machine = world_.machine(leader);
    if (machine.process == nullptr || machine.starts != starts) return;
    world_.CrashServer(leader);
    UndoAfter(Between(20, 2'000), [this, leader] { Restart(leader); });
  });
  return true;
}

uint32_t Nemesis::HandOverNow() {
  const uint32_t leader = world_.Leader();
  if (leader == 0 || world_.options().servers == 1) return 0;
  world_.trace.Add("fault: server {} is to hand over", leader);
  world_.machine(leader).process->HandOver();
  return leader;
}

// A client is silent for a while; another server leads, and hears of it; the first one leads again
// just when the client falls silent anew, for less than its session's timeout. So each leader by
// itself has heard of it in time, but what the first one remembers is old. Nothing else happens
// meanwhile.
bool Nemesis::SeeSaw() {
  const uint32_t first = world_.Leader();
  const uint32_t second = AnyServer();
  const uint32_t slot = AnyClient();
  Program* const client = world_.client(slot);
  if (first == 0 || first == second || client == nullptr || client->server() == 0) return false;
  if (see_saws_ == kSeeSawsMax) return false;
  ++see_saws_;
  world_.trace.Add("fault: server {} leads for a while instead of {}, around silences of client {}",
                   second, first, client->serial());
  const auto share = [this](int64_t first_percent, int64_t last_percent) {
    return world_.options().session_timeout *
           static_cast<double>(random_.Between(first_percent, last_percent)) / 100;
  };
  const absl::Duration away = share(30, 45);
  const absl::Duration back = away + share(40, 60);
  const absl::Duration end = back + share(80, 97);
  const auto lead = [this](uint32_t server) {
    Ask({MemberChange::kTransfer, ServerId(server), ""}, nullptr);
  };
  quiet_until_ = world_.scheduler.now() + end;
  client->Pause();
  UndoAfter(away, [lead, second] { lead(second); });
  UndoAfter(away + Between(20, 60), [this, slot, serial = client->serial()] {
    if (Program* same = Same(slot, serial)) same->Resume();
  });
  UndoAfter(back, [this, slot, serial = client->serial()] {
    if (Program* same = Same(slot, serial)) same->Pause();
  });
  UndoAfter(back + Between(20, 60), [lead, first] { lead(first); });
  UndoAfter(end, [this, slot, serial = client->serial()] {
    if (Program* same = Same(slot, serial)) same->Resume();
  });
  return true;
}

}  // namespace bellwether::sim
