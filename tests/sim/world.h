#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/check_digests.h"
#include "tests/sim/check_elections.h"
#include "tests/sim/check_memberships.h"
#include "tests/sim/check_state_machine.h"
#include "tests/sim/client_network.h"
#include "tests/sim/committed_log.h"
#include "tests/sim/history.h"
#include "tests/sim/options.h"
#include "tests/sim/server.h"
#include "tests/sim/program.h"
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
  StateMachineChecker state_machines;
  DigestChecker digests;
  MembershipChecker members;
  ClientNetwork client_network;
  FaultCounts faults;
  uint64_t snapshots = 0;  // taken by servers
  uint64_t memberships = 0;  // changes of it that were answered as complete
  uint64_t reconfigured = 0;  // of those, by ZooKeeper's reconfig
  std::function<void(uint32_t server)> on_leader;  // it believes to have become leader; may be null

  const Options& options() const { return options_; }

  // Servers.
  void StartServer(uint32_t id);
  void CrashServer(uint32_t id);
  // Its disk becomes an empty folder. Requires: it is down.
  void WipeServer(uint32_t id);
  // It has never been in the ensemble. Requires: it is down.
  void MakeNew(uint32_t id);
  // Its newest snapshot is damaged, or gone. False, and nothing happened, when there is none or
  // what is left does not reach its log, as behind an installed one: then the log is of no use
  // either. Requires: it is down.
  bool SpoilNewestSnapshot(uint32_t id);
  // One byte of its newest snapshot is another one while it runs. False, and nothing happened, as
  // above, or while it is being installed or the log is being written. Requires: it runs.
  bool RotNewestSnapshot(uint32_t id);
  // A snapshot of another server is here in part, or not yet what its state and its log begin with.
  bool Installing(uint32_t id);
  // Its log is damaged, found to be so and set aside: the folder still knows its ensemble, and has a
  // new id. False, and nothing happened, when there is nothing on its disk. Requires: it is down.
  bool DamageServer(uint32_t id);
  Machine& machine(uint32_t id) { return *machines_.at(id); }
  // A server that is none of the first ones, behind them by id; 0: there is none.
  uint32_t spare() const { return options_.Enabled(Fault::kNewServer) ? options_.servers + 1 : 0; }
  // The spare one included.
  const std::map<uint32_t, std::unique_ptr<Machine>>& machines() const { return machines_; }
  std::map<ServerId, const coord::SimDisk*> Disks() const;
  // The server that leads with a quorum; 0: none.
  uint32_t Leader() const;
  // The highest in force at a server that runs.
  uint32_t FeatureLevel() const;
  // Servers that were wiped and don't vote yet.
  uint32_t Readmitting() { return static_cast<uint32_t>(Emptied().size()); }

  // Clients, by the machine they run on.
  void StartClient(uint32_t slot);
  void CrashClient(uint32_t slot);
  // Null for a moment between two clients.
  Program* client(uint32_t slot) { return clients_.at(slot).get(); }

 private:
  void OnLeadership(ServerId server, const coord::Leadership& leadership,
                    coord::LogStore& log) override;
  void OnApply(ServerId server, const coord::CommittedBatch& batch) override;
  void OnSnapshotTaken(ServerId server) override;
  void OnRestored(ServerId server, LogIndex index) override;
  void OnState(ServerId server, const coord::ServiceStatus& state) override;
  void OnFatal(ServerId server, const absl::Status& status) override;

  // The file of the newest whole snapshot, when the server can go on without it; else "".
  std::string SpareNewestSnapshot(uint32_t id);
  void DamageSnapshot(uint32_t id, const std::string& file);
  std::set<ServerId> Emptied();

  const Options options_;
  std::map<uint32_t, std::unique_ptr<Machine>> machines_;
  std::map<uint32_t, std::unique_ptr<Program>> clients_;
  uint64_t last_serial_ = 0;
};

}  // namespace bellwether::sim
