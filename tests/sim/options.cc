#include "tests/sim/options.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "fmt/format.h"

namespace bellwether::sim {
namespace {

absl::Duration Milliseconds(base::Random& random, int64_t first, int64_t last) {
  return absl::Milliseconds(random.Between(first, last));
}

}  // namespace

std::string_view NameOf(Fault fault) {
  switch (fault) {
    case Fault::kDrop:
      return "drop";
    case Fault::kDuplicate:
      return "duplicate";
    case Fault::kReorder:
      return "reorder";
    case Fault::kDelay:
      return "delay";
    case Fault::kBreak:
      return "break";
    case Fault::kPartition:
      return "partition";
    case Fault::kOneWayPartition:
      return "one_way_partition";
    case Fault::kCrash:
      return "crash";
    case Fault::kLostWrites:
      return "lost_writes";
    case Fault::kRestart:
      return "restart";
    case Fault::kWipe:
      return "wipe";
    case Fault::kPause:
      return "pause";
    case Fault::kSlowDisk:
      return "slow_disk";
    case Fault::kFullDisk:
      return "full_disk";
    case Fault::kWallClockJump:
      return "wall_clock_jump";
    case Fault::kClientMove:
      return "client_move";
    case Fault::kClientCut:
      return "client_cut";
    case Fault::kClientPause:
      return "client_pause";
    case Fault::kClientCrash:
      return "client_crash";
    case Fault::kPauseAll:
      return "pause_all";
    case Fault::kClockDrift:
      return "clock_drift";
    case Fault::kKillAtVote:
      return "kill_at_vote";
    case Fault::kKillAtAck:
      return "kill_at_ack";
    case Fault::kDamage:
      return "damage";
    case Fault::kMembership:
      return "membership";
    case Fault::kTransfer:
      return "transfer";
    case Fault::kHandOver:
      return "hand_over";
    case Fault::kKillAtInstall:
      return "kill_at_install";
    case Fault::kOldSnapshot:
      return "old_snapshot";
    case Fault::kWipeRemoved:
      return "wipe_removed";
    case Fault::kNewServer:
      return "new_server";
    case Fault::kSeeSaw:
      return "see_saw";
  }
  return "unknown";
}

uint64_t FaultCounts::Total() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

Options Options::FromSeed(uint64_t seed) {
  base::Random random(seed ^ 0x62656c6c77657468);
  Options options;
  options.seed = seed;
  const uint64_t size = random.Below(10);
  options.servers = size == 0 ? 1 : size <= 7 ? 3 : 5;
  options.clients = static_cast<uint32_t>(random.Between(2, 5));
  const uint64_t pace = random.Below(10);
  options.time_scale = pace < 4 ? 1 : pace < 7 ? 4 : 16;
  options.chaos = Milliseconds(random, 12'000, 35'000) * options.time_scale;
  options.fault_interval = Milliseconds(random, 150, 1'500) * options.time_scale;
  options.think_time = Milliseconds(random, 10, 80) * options.time_scale;
  options.session_timeout = Milliseconds(random, 1'000, 4'000) * options.time_scale;
  options.sync_max = absl::Microseconds(random.Chance(0.7) ? random.Between(200, 5'000)
                                                           : random.Between(5'000, 60'000));
  options.outstanding_max = static_cast<uint32_t>(random.Between(1, 8));
  options.watch_ring_changes = random.Chance(0.4) ? static_cast<uint32_t>(random.Between(4, 64))
                                                  : 100'000;
  options.watch_window = static_cast<uint32_t>(random.Between(1, 8));
  options.hunts_leaders = random.Chance(0.15);
  const bool calm = random.Chance(0.05);  // what fails without any fault is easiest to read
  for (size_t fault = 0; fault < static_cast<size_t>(Fault::kMembership); ++fault) {
    options.enabled[fault] = !calm && random.Chance(0.5);
  }
  const auto chance = [&](Fault fault, double most) {
    const double share = static_cast<double>(random.Between(1, 100)) / 100;
    return options.Enabled(fault) ? most * share : 0.0;
  };
  options.drop_chance = chance(Fault::kDrop, 0.02);
  options.duplicate_chance = chance(Fault::kDuplicate, 0.05);
  options.reorder_chance = chance(Fault::kReorder, 0.05);
  options.break_chance = chance(Fault::kBreak, 0.001);
  options.kill_at_vote_chance = chance(Fault::kKillAtVote, 0.4);
  options.kill_at_ack_chance = chance(Fault::kKillAtAck, 0.004);
  options.snapshot_entries = random.Chance(0.7) ? random.Between(5, 200) : random.Between(200, 2'000);
  // Last, so that a seed decides about everything else as it did before these existed.
  for (size_t fault = static_cast<size_t>(Fault::kMembership); fault < kFaults; ++fault) {
    options.enabled[fault] = !calm && random.Chance(0.4);
  }
  options.kill_at_install_chance = chance(Fault::kKillAtInstall, 0.5);
  options.last_partition = !calm && random.Chance(0.3);
  if (random.Chance(0.3)) {
    options.message_bytes_max = 7 * static_cast<size_t>(random.Between(1'000, 3'000));
    options.padding_bytes_max = options.message_bytes_max * 3 / 14;  // three times in one write
    options.outstanding_max = static_cast<uint32_t>(random.Between(4, 16));
  }
  // In the place of others, so that a world takes no longer.
  if (random.Chance(0.5)) {
    options.zk_clients = static_cast<uint32_t>(random.Between(1, 3));
    options.clients -= std::min(options.zk_clients, options.clients - 1);
  }
  if (random.Chance(0.25)) options.first_level = static_cast<uint32_t>(random.Between(1, 3));
  if (random.Chance(0.4)) options.list_page_bytes_max = static_cast<size_t>(random.Between(20, 120));
  return options;
}

std::string Options::Describe() const {
  std::string faults;
  for (size_t fault = 0; fault < kFaults; ++fault) {
    if (!enabled[fault]) continue;
    if (!faults.empty()) faults += ',';
    faults += NameOf(static_cast<Fault>(fault));
  }
  return fmt::format(
      "seed={} servers={} clients={} zk_clients={} first_level={} time_scale={} chaos_ms={} "
      "fault_interval_ms={} think_time_ms={} "
      "session_timeout_ms={} sync_max_us={} hunts_leaders={} outstanding_max={} "
      "watch_ring_changes={} snapshot_entries={} watch_window={} drop={} duplicate={} reorder={} "
      "break={} kill_at_vote={} kill_at_ack={} kill_at_install={} last_partition={} "
      "message_bytes_max={} list_page_bytes_max={} faults={}",
      seed, servers, clients, zk_clients, first_level, time_scale, absl::ToInt64Milliseconds(chaos),
      absl::ToInt64Milliseconds(fault_interval), absl::ToInt64Milliseconds(think_time),
      absl::ToInt64Milliseconds(session_timeout), absl::ToInt64Microseconds(sync_max),
      hunts_leaders, outstanding_max, watch_ring_changes, snapshot_entries, watch_window,
      drop_chance, duplicate_chance, reorder_chance, break_chance, kill_at_vote_chance,
      kill_at_ack_chance, kill_at_install_chance, last_partition, message_bytes_max,
      list_page_bytes_max,
      faults.empty() ? "none" : faults);
}

}  // namespace bellwether::sim
