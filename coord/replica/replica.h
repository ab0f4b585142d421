#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "coord/raft/types.h"
#include "coord/replica/log_store.h"
#include "coord/replica/snapshot_fetcher.h"
#include "coord/replica/snapshot_store.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

enum class Role { kFollower, kCandidate, kLeader, kLearner };

// Who leads, as this server knows it. Every change of term or leader is a new Leadership.
struct Leadership {
  Term term;
  ServerId leader;  // 0: none known
  Role role = Role::kFollower;
  friend bool operator==(const Leadership&, const Leadership&) = default;
};

// A committed entry of commands, as the leader stamped it.
struct CommittedBatch {
  Term term;
  LogIndex index;
  int64_t time_ms = 0;  // the leader's wall clock
  raft::EntryPtr entry;  // holds the bytes of `commands`
  std::vector<std::string_view> commands;
};

// The state machine as it was after one entry, to be written down while it goes on. May be used and
// destroyed on any thread.
class StateSnapshot {
 public:
  virtual ~StateSnapshot() = default;
  virtual LogIndex index() const = 0;
  // Every record of the state. Errors: the writer's.
  virtual absl::Status WriteTo(SnapshotWriter& writer) const = 0;
};

// What the replicated log drives. The replica knows commands and notes as bytes only.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Committed entries in order, each exactly once per process, on the apply executor. Entries
  // without commands are given too, so that the state machine knows how far it has applied.
  virtual void Apply(std::vector<CommittedBatch> batches) = 0;

  // On the replica's executor: what a command is that this state machine, here or on another server,
  // gave to Propose. Asked only while the disk is nearly full.
  virtual EntryKind KindOf(std::string_view command) const = 0;

  // The state after all that was applied, in O(1). On the apply executor, between two Apply.
  virtual std::unique_ptr<StateSnapshot> TakeSnapshot() = 0;

  // Replaces the state by the one after the entry at `index`, which is above all that was applied;
  // then reports OnApplied(index). On the apply executor. Errors: the reader's; DATA_LOSS and
  // UNIMPLEMENTED for records that it can't take. After an error nothing is applied any more.
  virtual absl::Status RestoreSnapshot(LogIndex index, SnapshotReader& reader) = 0;

  // On the replica's executor, after the change and before anything that follows from it.
  virtual void OnLeadership(const Leadership& leadership) = 0;

  // On the replica's executor: of what this server proposed so far, commands that a leader appended may
  // be lost with that leader. A change of leader alone is no reason.
  virtual void OnProposalsInDoubt() = 0;

  // At the leader only, on the replica's executor: a note from a server (itself included). False: it
  // can't be honoured, so the read that it came with must not be confirmed.
  virtual bool OnNote(ServerId from, std::string note) = 0;

  // On the replica's executor: a note that the leader sent to all (Replica::Broadcast). Not called at
  // the leader itself.
  virtual void OnBroadcast(std::string note) = 0;

  // On the replica's executor, at the tick interval: at the leader while it leads with a quorum in
  // contact. `since_last` is the time that really passed: much more than a tick means a pause.
  virtual void OnTick(absl::Duration since_last) = 0;
};

struct ReplicaOptions {
  ServerId id;
  // Itself and who it meets first, sorted by id. They form a new ensemble together; of one that
  // exists, its log says who is in it.
  std::vector<PeerAddress> servers;
  std::string grpc;                  // advertised address for clients
  std::string zk;                    // likewise for ZooKeeper's; empty: it serves none
  base::Uuid folder_id;
  FeatureLevelRange feature_levels;  // that this build supports: said to peers
  absl::Duration tick = absl::Milliseconds(10);
  absl::Duration heartbeat = absl::Milliseconds(50);
  absl::Duration election_timeout = absl::Milliseconds(150);  // each waits 1x to 2x this
  size_t entry_bytes_max = 1 << 20;         // commands put into one entry, entries into one message
  size_t proposal_bytes_max = 6 << 20;      // more is refused: it would fit into no peer's message
  size_t uncommitted_bytes_max = 64 << 20;  // above it the leader refuses proposals
  size_t forward_bytes_max = 16 << 20;      // not yet answered by the leader; above it: refused
  // A snapshot is taken when so much was applied since the one before; the log then keeps what
  // follows that older one.
  uint64_t snapshot_entries = 100'000;
  uint64_t snapshot_log_bytes = 512 << 20;
  double snapshot_share = 1;  // of its time in which one is written while nobody waits; above 0
  SnapshotFetchOptions snapshot_fetch;
  absl::Duration fetch_silent_max = absl::Seconds(15);  // of a server that fetches: it has given up
  // Of SaveSnapshot: for this server to apply what was committed when it was called.
  absl::Duration save_catch_up_max = absl::Seconds(5);
  // The store keeps two snapshots. While clients or servers read the older one no newer is taken for
  // others who save, so that not all begin again and again: unless those have been silent, or the
  // others have waited, for so long.
  absl::Duration save_silent_max = absl::Seconds(2);
  absl::Duration save_held_back_max = absl::Seconds(20);
  bool check_invariants = false;            // of the core, after every round; for simulation
};

// What a server knows of the ensemble, for status pages.
struct ReplicaStatus {
  Leadership leadership;
  absl::Duration leadership_since;  // monotonic; of the term, leader and role as they are
  size_t read_rounds = 0;  // under way, for this server and those that asked it
  base::Uuid ensemble_id;
  LogIndex commit_index;
  LogIndex applied_index;
  LogIndex last_index;
  uint64_t log_bytes = 0;
  LogIndex snapshot_index;  // of the newest snapshot; 0 = none
  bool in_contact = false;  // has confirmed contact with a leader within two election timeouts
  std::string not_in_contact_reason;
  bool is_member = true;  // false: it was removed, or is not added yet; the reason says so
  bool changing = true;   // the newest membership is not known to be committed, or is joint
  struct Peer {
    PeerAddress address;
    std::string grpc;  // empty: never heard
    std::string zk;    // empty: never heard, or it serves no ZooKeeper clients
    bool connected = false;
    bool voter = true;  // else a learner, or no member (any more)
    bool member = true;  // in the newest membership of this server's log, if it has a log
    std::optional<FeatureLevelRange> feature_levels;  // as last heard
  };
  std::vector<Peer> servers;
};

class ReplicaDriver;

// The driver of one Raft replica: the only place where the core's Ready is executed, so its numbered
// steps are the proof of order (persist before vote and acknowledgement, apply after commit). Also
// forms the ensemble, forwards commands to the leader and asks it for read indexes. Must not know
// what commands mean.
// Owned by the server (coord_server); log, snapshots, transport, clock, executors and state machine
// outlive it. Threads: everything runs on `executor` (the replica's executor); Apply runs on
// `apply_executor`; snapshots are read and written on `snapshot_executor`.
// Propose, RequestRead, SendNote and status may be called from any thread; their callbacks run on
// the replica's executor.
// Limits: ReplicaOptions; over a bound a proposal is rejected with RESOURCE_EXHAUSTED.
class Replica {
 public:
  struct Dependencies {
    LogStore& log;
    SnapshotStore& snapshots;
    Transport& transport;
    StateMachine& state_machine;
    base::Clock& clock;
    base::Executor& executor;
    base::Executor& apply_executor;
    base::Executor& snapshot_executor;  // where `snapshots` is used, which blocks
    base::Metrics& metrics;
    uint64_t seed = 0;  // of timeouts and stream ids
    // Called once when this server can't go on: the disk failed, or its folder or its list of
    // servers disagrees with its peers. The status says what to do.
    absl::AnyInvocable<void(absl::Status)> on_fatal;
  };

  // `ensemble_id` is nil for a folder that knows none. Whether the folder ever had a part in an
  // ensemble, the log store knows.
  Replica(ReplicaOptions options, base::Uuid ensemble_id, Dependencies deps);
  // On the replica's executor, or after it and the transport stopped.
  ~Replica();

  // Begins to talk, elect and apply. The state machine, which must be new, gets the newest snapshot,
  // then the entries behind it once more.
  void Start();

  // Lets another server lead, if this one does. `done` runs on the replica's executor: when another
  // leader is known, or after an election timeout if it still leads then, or after four at the latest;
  // when leadership is being handed over already, at the end of that.
  // Proposals made meanwhile, at any server, wait for the new leader; what was under way is committed
  // before. From any thread.
  void HandOver(absl::AnyInvocable<void()> done);

  // Takes no more snapshots, and ends the one that is being written: so that what clients asked of
  // them is answered soon, with UNAVAILABLE. All else goes on. From any thread.
  void StopSnapshots();

  // Stops timers and sends, soon; callbacks of what is outstanding get UNAVAILABLE with their
  // outcome, on the replica's executor. Start and Stop may be called from any thread.
  void Stop();

  // Appends commands at the leader, through it or by forwarding, in the order of the calls. The
  // callback says only: OK, the leader appended them (they take effect when applied, unless
  // OnProposalsInDoubt comes first); rejected, it never will; or unknown (base::OutcomeOf). Calls of
  // one term that follow a rejected or unknown one are not affected. Without a leader calls wait for the
  // next one, up to two election timeouts since the last one was there; then they are rejected. More than
  // `proposal_bytes_max` in one call is rejected: RESOURCE_EXHAUSTED.
  void Propose(std::vector<ProposedCommand> commands, absl::AnyInvocable<void(absl::Status)> done);

  // An index such that a read at a state that has applied it is linearizable as of this call. The
  // note, when not empty, reaches the leader's OnNote before the leader confirms its term, and fails
  // the call when it is refused there. Calls
  // that wait for the same round share it. Waits for a leader as Propose does; when the leader changes,
  // the next one is asked. Errors: UNAVAILABLE without a leader, or when one could not confirm it within
  // two election timeouts; RESOURCE_EXHAUSTED; all rejected.
  void RequestRead(std::string note, absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done);

  // Asks the leader who is in the ensemble, or to change it; answered when the change is complete.
  // Asking again is safe. Errors: those of MembersAfter, CheckSafe and CheckTransfer; FAILED_PRECONDITION
  // (another change is under way); UNAVAILABLE (no leader, or it is too new); UNAVAILABLE and
  // DEADLINE_EXCEEDED of unknown outcome (the leader changed, or no quorum answered in time).
  void AskMembership(MembershipChange change,
                     absl::AnyInvocable<void(absl::StatusOr<MembershipView>)> done);

  // A snapshot, whole and durable, of the state as of this call or later: the newest one when
  // nothing was committed since, else a new one. Errors: those of RequestRead; UNAVAILABLE when
  // this server is too far behind; RESOURCE_EXHAUSTED: no room on the disk, or kReasonBusy.
  // All rejected.
  void SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done);

  // A piece of a snapshot's file, at most 1 MiB; empty: its end. The answers to all callers
  // together are held down to 64 MiB/s, and while they come no newer snapshot is taken for a while.
  // Errors: NOT_FOUND: no longer kept; RESOURCE_EXHAUSTED, kReasonBusy; UNAVAILABLE: stopping.
  void ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                    absl::AnyInvocable<void(absl::StatusOr<std::string>)> done);

  // Reaches the leader's OnNote, or is lost.
  void SendNote(std::string note);

  // Reaches OnBroadcast of every other server while this one leads, or is lost.
  void Broadcast(std::string note);

  // The state machine has learned the ensemble's id: said to peers from now on.
  void SetEnsembleId(base::Uuid ensemble_id);

  // The state machine has applied all up to here.
  void OnApplied(LogIndex index);

  ReplicaStatus status() const;

  // By Clock::Monotonic, as of the last tick: two election timeouts after the last confirmed contact
  // with a leader, though it may be lost since. Until then reads that may be stale are of the present
  // ensemble. Cheaper than status().
  absl::Duration contact_until() const;

 private:
  // Shared with tasks posted to the executor, which do nothing once the replica is gone.
  std::shared_ptr<ReplicaDriver> driver_;
};

}  // namespace bellwether::coord
