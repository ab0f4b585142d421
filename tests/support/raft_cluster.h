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
#include "tests/support/fake_disk.h"
#include "tests/support/raft_trace.h"

namespace bellwether::coord::raft {

// An ensemble of RaftCores in memory: nothing happens by itself, everything is decided by the calls
// and the seed. After every step it checks each core's invariants and the safety of the whole:
// election safety, leader append-only, log matching, leader completeness, state machine safety
// (paper figure 3), and that a read's index covers everything that had been applied anywhere when the read was asked for.
class RaftCluster {
 public:
  using Edge = std::pair<ServerId, ServerId>;  // from, to

  // Servers 1..servers are the voters to begin with; behind them `spares` servers with empty folders,
  // which can be added. `options`: everything but self, membership, folder_id and snapshot.
  explicit RaftCluster(uint32_t servers, uint64_t seed = 1, Options options = {},
                       uint32_t spares = 0);

  // Inputs.
  void Tick(uint32_t server, uint32_t ticks = 1);
  void TickAll(uint32_t ticks);  // running servers, one tick at a time, quiet after each
  absl::StatusOr<Proposed> Propose(uint32_t server, std::vector<std::string> payloads);
  absl::Status Read(uint32_t server, uint64_t read_id);
  absl::Status ChangeMembers(uint32_t server, std::vector<Member> members);
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
    // While it leads: that term, and where its log ended.
    Term led;
    LogIndex led_last;
    Term led_last_term;
  };

  Server& at(uint32_t server) { return servers_.at(ServerId(server)); }
  void Start(ServerId id);
  void Carry(std::vector<Message> messages);
  void Execute(ServerId id, Ready ready);
  void Apply(ServerId id, Server& server, const std::vector<EntryPtr>& entries);
  void Restore(ServerId id, Server& server, const SnapshotMeta& snapshot);
  void CheckMembershipFollows(const Entry& entry);
  // By what was applied up to `index`.
  Membership MembershipBy(LogIndex index) const;
  void Check(ServerId id);
  void CheckLeader(ServerId id);
  void CheckAppendOnly(ServerId id);
  void CheckLogMatching() const;
  void Trace(std::string line);

  const Options options_;
  Membership initial_;
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

}  // namespace bellwether::coord::raft
