#include <utility>

#include "tests/sim/nemesis.h"

// Faults of disks and of what is on them.
namespace bellwether::sim {

using coord::raft::DiskRoom;

// A minority at most may have lost what it promised, and only once there is an ensemble.
bool Nemesis::LoseLog(Fault fault) {
  const uint32_t server = AnyServer(0.3);
  const Machine& machine = world_.machine(server);
  const uint32_t minority = (world_.options().servers - 1) / 2;
  const bool formed = world_.log.newest_zxid() > Zxid(0);
  if (machine.process == nullptr || !formed || world_.Readmitting() >= minority) return false;
  if (machine.readmitting || away_ != 0) return false;  // fewer are in: a smaller minority
  if (server == world_.spare()) return false;
  world_.CrashServer(server);
  UndoAfter(Between(20, 3'000), [this, server] { Restart(server); });
  if (fault == Fault::kDamage) return world_.DamageServer(server);
  world_.WipeServer(server);
  return true;
}

// The server goes on from an older one, or from the log alone; or it serves what has rotted.
bool Nemesis::OldSnapshot() {
  const uint32_t server = AnyServer(0.3);
  if (world_.machine(server).process == nullptr) return false;
  if (random_.Chance(0.4)) return world_.RotNewestSnapshot(server);
  world_.CrashServer(server);
  UndoAfter(Between(20, 3'000), [this, server] { Restart(server); });
  const bool spoiled = world_.SpoilNewestSnapshot(server);
  if (!spoiled) world_.faults.Add(Fault::kCrash);
  return spoiled;
}

// What will be sent is not what was written.
void Nemesis::RotWhatIsOffered(uint32_t server) {
  if (!world_.options().Enabled(Fault::kOldSnapshot) || !random_.Chance(0.3)) return;
  UndoAfter(absl::Microseconds(20), [this, server] {
    if (world_.machine(server).process == nullptr || !world_.RotNewestSnapshot(server)) return;
    world_.faults.Add(Fault::kOldSnapshot);
  });
}

// While a part of it was received, or all of it and the state is not yet that of it.
void Nemesis::KillWhenInstalling(uint32_t server, int looks) {
  if (looks == 0 || world_.machine(server).process == nullptr) return;
  if (!world_.Installing(server) || !random_.Chance(0.2)) {
    return UndoAfter(absl::Microseconds(20),
                     [this, server, looks] { KillWhenInstalling(server, looks - 1); });
  }
  world_.faults.Add(Fault::kKillAtInstall);
  world_.CrashServer(server);
  UndoAfter(Between(1, 500), [this, server] { Restart(server); });
}

bool Nemesis::SlowDisk() {
  const uint32_t server = AnyServer(0.4);
  coord::SimDisk& disk = world_.machine(server).disk;
  disk.sync_last = Between(10, 300);
  world_.trace.Add("fault: syncs of server {} take up to {}", server,
                   absl::FormatDuration(disk.sync_last));
  UndoAfter(Between(200, 3'000), [this, &disk] { disk.sync_last = world_.options().sync_max; });
  return true;
}

bool Nemesis::FullDisk() {
  const uint32_t server = AnyServer(0.4);
  const bool wavers = random_.Chance(0.4);
  const DiskRoom room = random_.Chance(0.5) ? DiskRoom::kUpkeep : DiskRoom::kNothing;
  world_.trace.Add("fault: disk of server {} is {}full{}", server,
                   room == DiskRoom::kUpkeep ? "nearly " : "", wavers ? " now and then" : "");
  world_.machine(server).SetRoom(room);
  if (wavers) {
    Waver(server, room, random_.Between(20, 400));
  } else {
    UndoAfter(Between(100, 2'000),
              [this, server] { world_.machine(server).SetRoom(DiskRoom::kAll); });
  }
  return true;
}

// As when somebody else writes and deletes: one request is refused, the next one is not.
void Nemesis::Waver(uint32_t server, DiskRoom room, int64_t changes) {
  const bool full = changes > 0 && random_.Chance(0.5);
  world_.machine(server).SetRoom(full ? room : DiskRoom::kAll);
  if (changes == 0) return;
  UndoAfter(absl::Microseconds(random_.Between(10, 3'000)),
            [this, server, room, changes] { Waver(server, room, changes - 1); });
}

}  // namespace bellwether::sim
