#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "base/random.h"
#include "tests/sim/world.h"

namespace bellwether::sim {

// Injects the faults that a world's options allow, one after the other, each undone after a while
// of its own, so that several overlap. What is left when it stops, Heal undoes.
class Nemesis {
 public:
  explicit Nemesis(World& world) : world_(world), random_(world.scheduler.random().Next()) {}

  void Start();
  // No more faults.
  void Stop() { stopped_ = true; }
  // Everything works again: servers run, links carry, disks and clocks are normal.
  void Heal();
  // Adds what the network did by itself, per message, to the world's counts.
  void CountMessageFaults();

 private:
  void ScheduleNext();
  // False when the fault can't be injected now.
  bool Inject(Fault fault);
  bool Delay();
  bool BreakPeers();
  bool Partition();
  void Isolate(uint32_t server, absl::Duration length);
  void CutOffLeader();
  bool PartitionOneWay();
  bool Crash();
  bool CrashAll();
  // Kills the server, now or as soon as it has writes that can get lost.
  bool CrashOne(uint32_t server);
  void KillWhenWriting(uint32_t server, int looks);
  bool Pause(uint32_t server);
  bool PauseAll();
  bool StandStill(uint32_t server, absl::Duration length);
  void OnSend(ServerId from, ServerId to, const coord::PeerMessage& message);
  void KillSoon(Fault fault, std::vector<ServerId> servers);
  void Hunt(uint32_t leader);
  bool JumpWallClock();
  bool DriftClock();
  bool MoveClient();
  bool CutClient();
  bool PauseClient();
  bool PauseToDeadline(uint32_t slot);
  bool PauseToHandOver(uint32_t slot);
  void SlowDisks(absl::Duration begin, absl::Duration end);
  void PauseClientFor(uint32_t slot, absl::Duration length, bool breaks);
  bool CrashClient();

  // nemesis_disks.cc
  bool LoseLog(Fault fault);
  bool OldSnapshot();
  void RotWhatIsOffered(uint32_t server);
  void KillWhenInstalling(uint32_t server, int looks);
  bool SlowDisk();
  bool FullDisk();
  void Waver(uint32_t server, coord::raft::DiskRoom room, int64_t changes);

  // nemesis_ensemble.cc
  using OnView = std::function<void(const coord::MembershipView&)>;
  // Of a server that runs, mostly the leader; `then` is called when it is done, or never.
  bool Ask(coord::MembershipChange change, OnView then);
  absl::Duration AskedUntil() const;
  // Of a client of ZooKeeper's that can, with that chance; likewise.
  bool AskByReconfig(double chance, WantedServers wanted, std::function<void()> then);
  absl::Duration ReconfiguredUntil() const;
  std::string ServerLine(uint32_t server, std::string_view role) const;
  WantedServers Without(uint32_t server);
  bool MembersMayChange();
  bool RemoveServer();
  void OnRemoved(uint32_t server);
  // Asks until the server has a vote, also when no more faults are injected.
  void Admit(uint32_t server, absl::Duration not_before, std::function<void()> then);
  void AskToAdmit(uint32_t server);
  void AdmitByReconfig(double chance, uint32_t server, std::string_view role);
  void OnAdmitted(uint32_t server);
  bool NewServer();
  void Dismiss();
  bool Transfer();
  bool HandOver();
  // The server that leads is told to; 0: none leads, or nobody could follow it.
  uint32_t HandOverNow();
  bool SeeSaw();
  // The servers are restarted with a newer release one by one, then the feature level is raised.
  void Upgrade();
  void UpgradeOne(uint32_t server);
  void AskToFinalize();
  bool AllUpgraded() const;
  bool AtLevelOfMembership() const;

  void Restart(uint32_t server);
  void Resume(uint32_t server);
  // Null when that client is gone.
  Program* Same(uint32_t slot, uint64_t serial);
  // Any server, with that chance the leader.
  uint32_t AnyServer(double leader_chance);
  uint32_t AnyServer() { return AnyOf(world_.options().servers); }
  uint32_t AnyClient() { return AnyOf(world_.options().programs()); }
  uint32_t AnyOf(uint32_t count) { return 1 + static_cast<uint32_t>(random_.Below(count)); }
  // In the world's time scale, to the microsecond.
  absl::Duration Between(int64_t first_ms, int64_t last_ms) {
    return absl::Microseconds(random_.Between(first_ms * 1'000, last_ms * 1'000)) *
           world_.options().time_scale;
  }
  // After that time, unless the nemesis has stopped: then Heal has done it.
  void UndoAfter(absl::Duration delay, base::Task undo);

  World& world_;
  base::Random random_;
  bool stopped_ = false;
  uint32_t away_ = 0;           // not in the ensemble, or soon not, or just back; 0: all are in it
  absl::Duration away_until_;   // by then what was asked to remove it has happened or never will
  absl::Duration quiet_until_;  // no other faults begin before
  int see_saws_ = 0;
  struct Admission {
    absl::Duration not_before;
    std::function<void()> then;
  };
  std::map<uint32_t, Admission> admissions_;  // not complete, by server
  bool spare_is_used_ = false;                // in the ensemble, or soon, or soon no more
  absl::Duration spare_until_;                // as away_until_, of what is asked of the spare one
};

}  // namespace bellwether::sim
