#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "coord/replica/replica.h"
#include "coord/service/coord_service.h"
#include "coord/service/replicated_log.h"
#include "coord/storage/file_snapshot_store.h"
#include "coord/zk/protocol.h"
#include "tests/sim/options.h"
#include "tests/support/sim_executor.h"
#include "tests/support/sim_folder.h"
#include "tests/support/sim_log_store.h"
#include "tests/support/sim_network.h"

namespace bellwether::sim {

// What checkers hear of servers, at the moment it happens.
class ServerObserver {
 public:
  virtual ~ServerObserver() = default;

  // `log`: the server's own, as it stands.
  virtual void OnLeadership(coord::ServerId server, const coord::Leadership& leadership,
                            coord::LogStore& log) = 0;
  virtual void OnApply(coord::ServerId server, const coord::CommittedBatch& batch) = 0;
  virtual void OnSnapshotTaken(coord::ServerId server) = 0;
  // The server's state is now that of a snapshot, of its own from an earlier run or of another server;
  // OnState follows.
  virtual void OnRestored(coord::ServerId server, coord::LogIndex index) = 0;
  // After it: what the server's state is.
  virtual void OnState(coord::ServerId server, const coord::ServiceStatus& state) = 0;
  // The server says that it can't go on.
  virtual void OnFatal(coord::ServerId server, const absl::Status& status) = 0;
};

// One run of a coord server: all that main links, over simulated disk, network, clock and threads.
// Its destruction is kill -9.
class Process {
 public:
  struct Dependencies {
    SimScheduler& scheduler;
    coord::SimNetwork& network;
    coord::SimDisk& disk;
    SimFolder& snapshots;
    ServerObserver& observer;
    std::function<void(base::Uuid)> on_ensemble_id;
  };
  Process(const coord::ReplicaOptions& replica, base::Uuid ensemble_id, const Options& options,
          Dependencies deps);
  ~Process();

  coord::CoordService& service() { return service_; }
  // Where frames of clients arrive.
  SimExecutor& rpc_executor() { return rpc_executor_; }
  coord::ReplicaStatus status() const { return replica_.status(); }
  coord::Replica& replica() { return replica_; }
  SimClock& clock() { return clock_; }
  const coord::zk::ProtocolContext& zk_context() const { return zk_context_; }
  // Until when it has contact with a leader, as far as it knows by its clock; never goes back.
  absl::Duration contact_until() const { return replica_.contact_until(); }

  // Like SIGSTOP and SIGCONT; its threads go on one by one.
  void Pause();
  void Resume();
  bool paused() const { return paused_; }
  void HandOver() { replica_.HandOver([] {}); }
  // Seconds that its clock and its timers count per second.
  void SetClockRate(double rate);

 private:
  // Tells the observer what the service is given.
  class Observed : public coord::StateMachine {
   public:
    explicit Observed(Process& process) : process_(process) {}
    void Apply(std::vector<coord::CommittedBatch> batches) override;
    std::unique_ptr<coord::StateSnapshot> TakeSnapshot() override;
    absl::Status RestoreSnapshot(coord::LogIndex index, coord::SnapshotReader& reader) override;
    void OnLeadership(const coord::Leadership& leadership) override;
    void OnProposalsInDoubt() override { process_.service_.OnProposalsInDoubt(); }
    bool OnNote(coord::ServerId from, std::string note) override;
    void OnBroadcast(std::string note) override;
    void OnTick(absl::Duration since_last) override;
    coord::EntryKind KindOf(std::string_view command) const override;

   private:
    Process& process_;
  };

  std::vector<SimExecutor*> Executors();
  coord::CoordService::Dependencies ServiceDependencies(Dependencies& deps);

  const coord::ServerId id_;
  SimScheduler& scheduler_;
  ServerObserver& observer_;
  base::Random random_;
  SimClock clock_;
  SimExecutor replica_executor_;
  SimExecutor apply_executor_;
  SimExecutor snapshot_executor_;
  SimExecutor rpc_executor_;
  SimExecutor io_executor_a_;
  SimExecutor io_executor_b_;
  base::Metrics metrics_;
  coord::SimLogStore log_;
  std::unique_ptr<coord::FileSnapshotStore> snapshots_;
  coord::SimTransport transport_;
  coord::CoordService service_;
  const coord::zk::ProtocolContext zk_context_;
  Observed observed_;
  coord::Replica replica_;
  coord::ReplicaLog replica_log_;
  bool paused_ = false;
  uint64_t pauses_ = 0;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // weakly shared with events
};

// A server's machine: what outlives its processes.
struct Machine {
  explicit Machine(SimScheduler& scheduler) : disk(scheduler), snapshots(scheduler.random()) {}

  // Of the disk that log and snapshots share.
  void SetRoom(coord::raft::DiskRoom room) {
    disk.SetRoom(room);
    snapshots.SetCapacity(room == coord::raft::DiskRoom::kNothing ? 0 : uint64_t{1} << 40);
  }

  coord::ReplicaOptions options;
  base::Uuid ensemble_id;  // of its identity file
  coord::SimDisk disk;
  SimFolder snapshots;
  std::unique_ptr<Process> process;  // null while down
  uint64_t starts = 0;               // processes so far
  bool readmitting = false;          // was wiped, and has not yet been a voter since
};

}  // namespace bellwether::sim
