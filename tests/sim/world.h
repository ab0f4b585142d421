#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/check_elections.h"
#include "tests/sim/client_network.h"
#include "tests/sim/committed_log.h"
#include "tests/sim/history.h"
#include "tests/sim/options.h"
#include "tests/sim/server.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// An ensemble, its clients and everything between them, in one thread, from one seed: the same seed
// gives the same trace, byte for byte. Run by a Scenario, which decides when what happens.
class World : private ServerObserver {
 public:
  World(const Options& options, bool print_trace);
  ~World() override;

  SimScheduler scheduler;
  coord::SimNetwork network;
  Trace trace;
  Violations violations;
  History history;
  CommittedLog log;
  ElectionChecker elections;
  ClientNetwork client_network;
  FaultCounts faults;
  uint64_t snapshots = 0;  // taken by servers
  std::function<void(uint32_t server)> on_leader;  // it believes to have become leader; may be null

  const Options& options() const { return options_; }

  // Servers.
  void StartServer(uint32_t id);
  void CrashServer(uint32_t id);
  // Its disk becomes an empty folder. Requires: it is down.
  void WipeServer(uint32_t id);
  // Its log is damaged and was set aside: the folder still knows its ensemble, and has a new id.
  // Requires: it is down.
  void DamageServer(uint32_t id);
  Machine& machine(uint32_t id) { return *machines_.at(id); }
  const std::map<uint32_t, std::unique_ptr<Machine>>& machines() const { return machines_; }
  std::map<ServerId, const coord::SimDisk*> Disks() const;
  // The server that leads with a quorum; 0: none.
  uint32_t Leader() const;
  // Servers that were wiped and don't vote yet.
  uint32_t Readmitting();

  // Clients, by the machine they run on.
  void StartClient(uint32_t slot);
  void CrashClient(uint32_t slot);
  // Null for a moment between two clients.
  SimClient* client(uint32_t slot) { return clients_.at(slot).get(); }

 private:
  void OnLeadership(ServerId server, const coord::Leadership& leadership,
                    coord::LogStore& log) override;
  void OnApply(ServerId server, const coord::CommittedBatch& batch) override;
  void OnSnapshotTaken(ServerId server) override;
  void OnRestored(ServerId server, LogIndex index) override;
  void OnState(ServerId server, LogIndex index, uint64_t digest) override;
  void OnFatal(ServerId server, const absl::Status& status) override;

  const Options options_;
  std::map<uint32_t, std::unique_ptr<Machine>> machines_;
  std::map<uint32_t, std::unique_ptr<SimClient>> clients_;
  uint64_t last_serial_ = 0;
};

}  // namespace bellwether::sim
