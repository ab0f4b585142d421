#pragma once

#include <cstdint>
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
  bool PartitionOneWay();
  bool Crash();
  bool LoseLog(Fault fault);
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
  bool SlowDisk();
  bool FullDisk();
  void Waver(uint32_t server, int64_t changes);
  bool JumpWallClock();
  bool DriftClock();
  bool MoveClient();
  bool CutClient();
  bool PauseClient();
  bool CrashClient();

  void Restart(uint32_t server);
  void Resume(uint32_t server);
  // Any server, with that chance the leader.
  uint32_t AnyServer(double leader_chance);
  uint32_t AnyServer() { return AnyOf(world_.options().servers); }
  uint32_t AnyClient() { return AnyOf(world_.options().clients); }
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
};

}  // namespace bellwether::sim
