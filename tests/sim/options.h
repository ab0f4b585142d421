#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace bellwether::sim {

// What can go wrong in a simulated world. Each is counted when it really happened.
enum class Fault : uint8_t {
  kDrop,             // a message between servers is lost
  kDuplicate,        // a message of the Raft core arrives twice
  kReorder,          // a message of the Raft core arrives after later ones
  kDelay,            // the network between servers is slow for a while
  kBreak,            // connections between servers end
  kPartition,        // servers are cut off in both directions
  kOneWayPartition,  // what one server sends to another one is lost, not what it receives
  kCrash,            // a server is killed
  kLostWrites,       // a crash took writes that were asked for and not yet synced
  kRestart,          // a killed server comes back
  kWipe,             // it comes back with an empty folder
  kPause,            // a server stands still, then goes on
  kSlowDisk,         // a server's syncs take long for a while
  kFullDisk,         // a server's disk has no room to grow for a while
  kWallClockJump,    // a server's wall clock jumps
  kClientMove,       // a client's connection ends while writes are in flight; it goes elsewhere
  kClientCut,        // nothing gets through between a client and a server, and nobody is told
  kClientPause,      // a client stands still for longer than its session lasts
  kClientCrash,      // a client is gone without closing its session
  kPauseAll,         // all servers stand still at once, as when their host is suspended
  kClockDrift,       // a server's clock runs slower or faster for a while
  kKillAtVote,       // a server is killed right after a vote of its has left
  kKillAtAck,        // a follower is killed right after it acknowledged, perhaps with its leader
  kDamage,           // a server finds its log damaged when it starts, and sets it aside
  kMembership,       // a server is removed from the ensemble, and comes back a while later
  kTransfer,         // somebody else is to lead
  kHandOver,         // the leader is told to hand over, and perhaps killed meanwhile
  kKillAtInstall,    // a server is killed while it receives or installs a snapshot
  kOldSnapshot,      // a server finds its newest snapshot damaged or gone when it starts
  kWipeRemoved,      // a server that was removed comes back with an empty folder
  kNewServer,        // a server with a new id and an empty folder joins, and leaves a while later
  kSeeSaw,           // leadership goes away and back around a client's silence
};
inline constexpr size_t kFaults = static_cast<size_t>(Fault::kSeeSaw) + 1;

// As in "one_way_partition".
std::string_view NameOf(Fault fault);

// How often each fault was injected.
struct FaultCounts {
  std::array<uint64_t, kFaults> counts{};

  void Add(Fault fault, uint64_t n = 1) { counts[static_cast<size_t>(fault)] += n; }
  uint64_t Of(Fault fault) const { return counts[static_cast<size_t>(fault)]; }
  uint64_t Total() const;
};

// Everything about a world that is decided before it starts; derived from its seed alone.
struct Options {
  uint64_t seed = 0;
  uint32_t servers = 3;
  uint32_t clients = 4;     // of the native protocol
  uint32_t zk_clients = 0;  // of ZooKeeper's, on the machines behind those
  uint32_t first_level = 4;  // the servers' release supports no higher one until they are upgraded
  int64_t time_scale = 1;  // all timeouts and pauses are so many times as long; latencies are not
  absl::Duration chaos;            // how long faults are injected
  absl::Duration fault_interval;   // between two faults, on average
  absl::Duration think_time;       // of a client between two requests, on average
  absl::Duration session_timeout;  // that clients ask for
  absl::Duration sync_max;         // of a healthy disk
  bool hunts_leaders = false;      // whoever becomes leader is soon hit by a fault
  bool last_partition = false;     // the last fault cuts the leader off, with writes under way
  uint32_t outstanding_max = 1;    // requests of a client not yet answered
  uint32_t watch_ring_changes = 0;  // per server; small ones make watches resync
  uint64_t snapshot_entries = 0;    // of a server's log between two snapshots
  uint32_t watch_window = 1;       // frames of a watch that a slow network holds
  double drop_chance = 0;          // per message between servers, as the two below
  double duplicate_chance = 0;
  double reorder_chance = 0;
  double break_chance = 0;
  double kill_at_vote_chance = 0;  // per vote
  double kill_at_ack_chance = 0;   // per acknowledgement of a follower
  double kill_at_install_chance = 0;  // per piece of a snapshot that was asked for
  // Of one message between servers. In some worlds small, and in proportion all that is put together
  // to go into one: entries, proposals, pieces of snapshots.
  size_t message_bytes_max = 7 << 20;
  size_t padding_bytes_max = 0;       // of what clients write, each time
  size_t list_page_bytes_max = 3 << 20;  // in some worlds so small that lists have several pages
  std::array<bool, kFaults> enabled{};

  uint32_t programs() const { return clients + zk_clients; }
  bool HasSmallPages() const { return list_page_bytes_max < (1 << 20); }
  bool Enabled(Fault fault) const { return enabled[static_cast<size_t>(fault)]; }
  // How much faster than time a server's clock may run.
  double ClockRateMax() const { return Enabled(Fault::kClockDrift) ? 1.3 : 1.0; }

  static Options FromSeed(uint64_t seed);
  // One line with every field.
  std::string Describe() const;
};

}  // namespace bellwether::sim
