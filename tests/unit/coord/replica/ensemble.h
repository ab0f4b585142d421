#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/metrics.h"
#include "coord/replica/replica.h"
#include "coord/storage/file_snapshot_store.h"
#include "tests/support/sim_executor.h"
#include "tests/support/sim_folder.h"
#include "tests/support/sim_log_store.h"
#include "tests/support/sim_network.h"

namespace bellwether::coord {

// Remembers all that it is told. Applied commands are those of its process, and of the snapshot that it
// began with or installed.
class RecordingStateMachine : public StateMachine {
 public:
  void Apply(std::vector<CommittedBatch> batches) override;
  std::unique_ptr<StateSnapshot> TakeSnapshot() override;
  absl::Status RestoreSnapshot(LogIndex index, SnapshotReader& reader) override;
  void OnLeadership(const Leadership& leadership) override { leaderships.push_back(leadership); }
  void OnProposalsInDoubt() override { ++times_in_doubt; }
  bool OnNote(ServerId from, std::string note) override {
    notes.emplace_back(from, note);
    return note != refused_note;
  }
  void OnBroadcast(std::string note) override { broadcasts.push_back(std::move(note)); }
  EntryKind KindOf(std::string_view command) const override {
    return command == "upkeep" ? EntryKind::kUpkeep : EntryKind::kGrowth;
  }
  void OnTick(absl::Duration since_last) override { ticks.push_back(since_last); }

  Replica* replica = nullptr;
  bool hold_applied = false;  // applies without reporting it
  std::vector<std::string> commands;
  LogIndex applied;
  size_t apply_calls = 0;
  std::vector<LogIndex> restored;  // snapshots
  std::vector<Leadership> leaderships;
  int times_in_doubt = 0;
  std::vector<std::pair<ServerId, std::string>> notes;
  std::vector<std::string> broadcasts;
  std::string refused_note = "refuse me";
  std::vector<absl::Duration> ticks;
};

// One run of a server.
struct Process {
  Process(SimScheduler& scheduler, SimNetwork& network, SimDisk& disk, SimFolder& snapshots_folder,
          ReplicaOptions options, base::Uuid ensemble_id);

  SimClock clock;
  SimExecutor executor;
  SimExecutor apply_executor;
  SimExecutor snapshot_executor;
  base::Metrics metrics;
  SimLogStore log;
  std::unique_ptr<FileSnapshotStore> snapshots;
  SimTransport transport;
  RecordingStateMachine state_machine;
  std::optional<absl::Status> fatal;
  Replica replica;
};

// Servers 1 to n in a simulated world of one seed.
class Ensemble {
 public:
  Ensemble(uint32_t servers, uint64_t seed);

  // The flags of a server, to be changed before it starts.
  ReplicaOptions& options(uint32_t id) { return machines_.at(id).options; }
  SimDisk& disk(uint32_t id) { return *machines_.at(id).disk; }
  SimFolder& snapshots_folder(uint32_t id) { return *machines_.at(id).snapshots; }
  uint64_t CounterOf(uint32_t id, std::string_view name) {
    return at(id).metrics.AddCounter(name, "").value();
  }
  int64_t GaugeOf(uint32_t id, std::string_view name, std::string_view labels = "") {
    return at(id).metrics.AddGauge(name, "", labels).value();
  }
  // The id in its identity file.
  void SetEnsembleId(uint32_t id, base::Uuid ensemble_id) {
    machines_.at(id).ensemble_id = ensemble_id;
  }

  // One more server, to be started with an empty folder; its flags name itself and the first ones.
  void AddMachine(uint32_t id);
  static PeerAddress PeerOf(uint32_t id);

  void Start(uint32_t id);
  void StartAll();
  // Starts all. The server that leads, once it has for a moment and another one hears it; 0 when none
  // does.
  uint32_t StartAndElect();
  // kill -9.
  void Crash(uint32_t id);
  // kill -9, and a new empty folder.
  void CrashAndWipe(uint32_t id);
  bool Running(uint32_t id) const { return machines_.at(id).process != nullptr; }
  Process& at(uint32_t id) { return *machines_.at(id).process; }

  // The server that leads and is in contact with a quorum; 0 when none does within `limit`.
  uint32_t WaitForLeader(absl::Duration limit = absl::Seconds(10));
  uint32_t Leader();  // of several that believe so (one is paused), that of the highest term
  // Some server that follows a leader it hears.
  uint32_t WaitForFollower(uint32_t leader);
  bool Until(const std::function<bool()>& condition, absl::Duration limit = absl::Seconds(10)) {
    return scheduler.RunUntil(condition, limit);
  }

  // Outcomes are filled in when known; kept alive by whoever calls back last.
  using ProposeResult = std::shared_ptr<std::optional<absl::Status>>;
  using ReadResult = std::shared_ptr<std::optional<absl::StatusOr<LogIndex>>>;
  ProposeResult Propose(uint32_t id, std::string command);
  ReadResult Read(uint32_t id, std::string note = "");
  // Proposes and waits; the status.
  absl::Status ProposeAndWait(uint32_t id, std::string command);
  absl::StatusOr<LogIndex> ReadAndWait(uint32_t id, std::string note = "");
  using MembershipResult = std::shared_ptr<std::optional<absl::StatusOr<MembershipView>>>;
  MembershipResult Ask(uint32_t id, MembershipChange change);
  // Of the leader, and again as people would: while there is none, or the outcome is not known.
  absl::StatusOr<MembershipView> Change(MembershipChange change);
  // Starts a server of an empty folder, adds it and gives it a vote, once it has caught up.
  absl::Status Join(uint32_t id);
  // Whether every running server has applied exactly these commands.
  bool AllApplied(const std::vector<std::string>& commands);

  SimScheduler scheduler;
  SimNetwork network;

 private:
  struct Machine {
    ReplicaOptions options;
    base::Uuid ensemble_id;
    std::unique_ptr<SimDisk> disk;
    std::unique_ptr<SimFolder> snapshots;
    std::unique_ptr<Process> process;
  };
  std::map<uint32_t, Machine> machines_;
};

}  // namespace bellwether::coord
