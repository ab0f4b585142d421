#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "coord/raft/raft_core.h"

namespace bellwether::coord::raft {

// What a server's disk holds, and writes handed to it that are not there yet.
// Fault model: writes become durable in order, each whole; a crash keeps those that are durable and
// any prefix of the others. Reads see exactly what is durable. Snapshots are durable at once, the
// compaction of the log is a write like others, so that a crash may come between them.
class FakeDisk : public LogReader {
 public:
  struct Write {
    ReadyId ready;
    LogIndex truncate_from;
    std::vector<EntryPtr> entries;
    std::optional<HardState> hard_state;
    std::vector<Message> messages;  // leave when it is durable
    LogIndex reset_to;              // first of all the log is emptied; 0 = no
    LogIndex compact_to;            // entries up to here are dropped; 0 = none
  };

  LogIndex FirstIndex() const override { return first_; }
  LogIndex LastIndex() const override { return first_ + log_.size() - 1; }
  absl::StatusOr<Term> TermAt(LogIndex index) override;
  std::vector<EntryPtr> MembershipEntries() override;
  absl::StatusOr<std::vector<EntryPtr>> Read(LogIndex begin, LogIndex end,
                                             size_t bytes_max) override;

  void Add(Write write) { pending_.push_back(std::move(write)); }
  // Makes the oldest write durable.
  Write Sync();
  void LosePending() { pending_.clear(); }
  void Wipe();

  // The two newest are kept.
  void AddSnapshot(const SnapshotMeta& snapshot);
  bool HasSnapshot(const SnapshotMeta& snapshot) const;
  SnapshotMeta snapshot() const;  // the newest; index 0 = none
  // At a start: a log that does not continue the snapshot is from before its installation (R18).
  void ResetLogBehindSnapshot();

  size_t pending() const { return pending_.size(); }
  const std::vector<EntryPtr>& log() const { return log_; }  // from FirstIndex()
  EntryPtr EntryAt(LogIndex index) const;  // null when it is not there
  HardState hard_state;
  base::Uuid folder_id;
  bool fails = false;  // every read answers DATA_LOSS

 private:
  void ResetLog(LogIndex index);

  LogIndex first_{1};
  std::vector<EntryPtr> log_;
  std::deque<Write> pending_;
  std::deque<SnapshotMeta> snapshots_;
};

// An ensemble of RaftCores in memory: nothing happens by itself, everything is decided by the calls
// and the seed. After every step it checks each core's invariants and the safety of the whole:
// election safety, log matching, leader completeness, state machine safety (paper figure 3), and
// that a read's index covers everything that had been applied anywhere when the read was asked for.
class RaftCluster {
 public:
  using Edge = std::pair<ServerId, ServerId>;  // from, to

  // Servers 1..servers. `options`: everything but self, membership, folder_id and snapshot.
  explicit RaftCluster(uint32_t servers, uint64_t seed = 1, Options options = {});

  // Inputs.
  void Tick(uint32_t server, uint32_t ticks = 1);
  void TickAll(uint32_t ticks);  // running servers, one tick at a time, quiet after each
  absl::StatusOr<Proposed> Propose(uint32_t server, std::vector<std::string> payloads);
  absl::Status Read(uint32_t server, uint64_t read_id);
  absl::Status Transfer(uint32_t server, uint32_t to);
  // A snapshot of what is applied; `keep` entries below it stay in the log. False when there is one
  // of that already.
  bool TakeSnapshot(uint32_t server, uint64_t keep = 0);
  // Makes `server` leader of a new term; what is needed for that is not traced.
  void Elect(uint32_t server);

  // Runs every server, disk and connection until nothing is left to do.
  void RunUntilQuiet();
  // One piece of it.
  void TakeReadys(uint32_t server);
  bool SyncOne(uint32_t server);
  bool Deliver(uint32_t from, uint32_t to, size_t position = 0, bool keep = false);
  // Ends the transfer of the snapshot that `server` wants: it arrives, or its source can't send it.
  bool Fetch(uint32_t server);

  // Faults.
  void Partition(const std::vector<std::set<uint32_t>>& groups);
  void Cut(uint32_t from, uint32_t to) { cut_.insert(Edge(from, to)); }
  void Mend(uint32_t from, uint32_t to) { cut_.erase(Edge(from, to)); }
  void Heal() { cut_.clear(); }
  void HoldDisk(uint32_t server) { at(server).disk_held = true; }
  void ReleaseDisk(uint32_t server) { at(server).disk_held = false; }
  // Unsynced writes after the first `kept` are lost, and what was on its way to the server.
  void Crash(uint32_t server, size_t kept = 0);
  void Restart(uint32_t server);
  // Crash and restart with an empty folder, which knows that an ensemble exists.
  void Wipe(uint32_t server);

  // State.
  bool IsUp(uint32_t server) const { return servers_.at(ServerId(server)).core != nullptr; }
  RaftCore& core(uint32_t server) { return *at(server).core; }
  FakeDisk& disk(uint32_t server) { return at(server).disk; }
  std::optional<uint32_t> Leader() const;  // running leader of the highest term
  const std::vector<EntryPtr>& applied(uint32_t server) const {
    return servers_.at(ServerId(server)).applied;
  }
  std::vector<std::string> AppliedCommands(uint32_t server) const;
  const std::vector<ReadResult>& reads(uint32_t server) { return at(server).reads; }
  const std::vector<ReadId>& lost_reads(uint32_t server) { return at(server).lost_reads; }
  const std::map<Edge, std::deque<Message>>& in_flight() const { return in_flight_; }
  uint32_t size() const { return static_cast<uint32_t>(servers_.size()); }
  // Snapshots that took the place of a log.
  int installed() const { return installed_; }
  LogIndex newest_applied() const { return LogIndex(applied_anywhere_.size()); }

  // What happened since the last call, one line each.
  std::string TakeTrace();

 private:
  struct Server {
    std::unique_ptr<base::Random> random;
    FakeDisk disk;
    std::unique_ptr<RaftCore> core;  // absent while down
    bool disk_held = false;
    std::vector<EntryPtr> applied;
    std::map<ReadId, LogIndex> asked;  // what had been applied anywhere when the read was asked for
    std::vector<ReadResult> reads;
    std::vector<ReadId> lost_reads;
    std::optional<WantedSnapshot> wanted;
    HardState seen;  // for monotonicity within an incarnation
    LogIndex seen_commit;
  };

  Server& at(uint32_t server) { return servers_.at(ServerId(server)); }
  void Start(ServerId id);
  void Carry(std::vector<Message> messages);
  void Execute(ServerId id, Ready ready);
  void Apply(ServerId id, Server& server, const std::vector<EntryPtr>& entries);
  void Restore(ServerId id, Server& server, const SnapshotMeta& snapshot);
  void Check(ServerId id);
  void CheckLeader(ServerId id);
  void CheckLogMatching() const;
  void Trace(std::string line);

  const Options options_;
  std::map<ServerId, Server> servers_;
  std::map<Edge, std::deque<Message>> in_flight_;
  std::set<Edge> cut_;
  base::Random random_;

  std::map<Term, ServerId> leaders_;          // who was ever leader of a term
  std::vector<EntryPtr> applied_anywhere_;    // by index - 1
  int installed_ = 0;
  std::string trace_;
  bool tracing_ = true;
};

// One line, without from and to: "append t=2 prev=3/1 [4/2 'a'] commit=3".
std::string Describe(const Message& message);
std::string Describe(const Entry& entry);

}  // namespace bellwether::coord::raft
