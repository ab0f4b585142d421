#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/random.h"
#include "coord/raft/election.h"
#include "coord/raft/log_reader.h"
#include "coord/raft/message.h"
#include "coord/raft/options.h"
#include "coord/raft/quorum.h"
#include "coord/raft/raft_log.h"
#include "coord/raft/ready.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

class Leadership;

// Where a proposal was put. It is committed if and only if an entry of this term is applied at this
// index; another term there means that it never will be.
struct Proposed {
  Term term;
  LogIndex first;  // of the first payload
  LogIndex last;   // of the last payload
};

// What a leader knows of another server.
struct PeerStatus {
  ServerId server;
  bool voter = false;
  LogIndex match;       // durable there
  bool active = false;  // answered within the last election timeout
  bool awaiting_readmission = false;
  bool needs_snapshot = false;  // what it lacks is compacted
};

// One server's Raft (Ongaro's paper and thesis): inputs go in, TakeReady() says what to do. Knows
// nothing of files, sockets, threads, clocks or what commands mean. Single-threaded: every call
// comes from its owner's executor. Does not call back, except to the LogReader. Messages from the
// network may be lost, repeated, reordered or malformed; senders are trusted not to lie.
//
// Invariants, checked by CheckInvariants():
// - term, commit and standing never go back; the log's terms are not above the term
// - compacted <= newest snapshot <= handed out
// - handed out to apply <= commit <= last index; handed out to apply <= durable on this server
// - a leader voted for itself durably, and its log ends with an entry of its own term; it is a voter
//   of its membership until one in which it is not is committed
// - only a leader has reads pending; a server that awaits readmission is a follower
// - a follower's match <= the leader's last index, next > match, and its window is within bounds
class RaftCore {
 public:
  // `hard_state` and `reader` are what the disk holds; `reader` and `random` outlive the core.
  // Errors: INVALID_ARGUMENT (options), DATA_LOSS (log not usable, or not with Options::snapshot),
  // UNIMPLEMENTED (a membership of a later format), the reader's.
  static absl::StatusOr<std::unique_ptr<RaftCore>> Create(const Options& options,
                                                          const HardState& hard_state,
                                                          LogReader& reader, base::Random& random);
  ~RaftCore();
  RaftCore(const RaftCore&) = delete;
  RaftCore& operator=(const RaftCore&) = delete;

  // A message received. One for another server or malformed is dropped. The sender need not be in
  // this server's membership, which may be behind (thesis section 4.1).
  void Step(Message message);

  // One tick of the owner's clock has passed.
  void Tick();

  // The connection to a server broke, as it does at once when the process at its other end dies. A
  // follower of that server stands within a few ticks, those of higher id later, so that votes are
  // not split; and it gives its vote at once. Servers that still hear the leader refuse, so that a
  // connection that broke by itself disturbs nobody.
  void OnDisconnected(ServerId peer);

  // Appends one entry per payload; the answer only says where. Several at a time cost one write.
  // Errors, nothing done: FAILED_PRECONDITION (not the leader), RESOURCE_EXHAUSTED (too many
  // uncommitted bytes), INVALID_ARGUMENT (no payload), UNAVAILABLE (leadership is handed over).
  absl::StatusOr<Proposed> Propose(std::vector<std::string> payloads);

  // Changes who is in the ensemble, in any order. Without a change among the voters one entry does
  // it; else a joint membership comes first (thesis section 4.3), and whoever leads when that is
  // committed appends the final one by itself. Complete when membership() is not joint and
  // membership_index() <= commit(); until then, or when a new leader lacks the entry, it may still
  // be undone. A leader without a vote in it hands over and steps down.
  // Errors, nothing done: FAILED_PRECONDITION (not the leader; another change is under way (R6); a
  // new voter is not a learner that holds its folder's promises), UNAVAILABLE (leadership is handed
  // over, or too new (R5): try again), INVALID_ARGUMENT (no membership), ALREADY_EXISTS (no change).
  // Whether the new voters can keep a quorum is for the caller to judge, from Peers().
  absl::StatusOr<Proposed> ProposeMembership(std::vector<Member> members);

  // ReadIndex (thesis section 6.4): later a ReadResult or a lost read carries the id. Reads asked
  // for between two Readys share a round; until an entry of the leader's own term is committed they
  // wait (R1). Errors as for Propose (RESOURCE_EXHAUSTED: too many reads pending).
  absl::Status RequestRead(ReadId id);

  // Leadership transfer (thesis section 3.10) to a voter; 0 = the one that has most of the log.
  // Until it ends, by a new term or after an election timeout, Propose answers UNAVAILABLE. OK only
  // says that it began, was under way already, or that this server is the one named.
  // Errors, nothing done: FAILED_PRECONDITION (not the leader, or under way to another server),
  // NOT_FOUND (no such server), INVALID_ARGUMENT (it has no vote), UNAVAILABLE (0: nobody is able).
  absl::Status TransferLeadership(ServerId to);
  // Whom this leader hands over to at the moment; 0 = nobody.
  ServerId transfer_target() const;

  // Steps 2 of the Ready `id` and of all before it are durable. Requires: taken before.
  void OnPersisted(ReadyId id);

  // The state machine holds everything up to `index`. Requires: handed out before.
  void OnApplied(LogIndex index);

  // The owner has a durable snapshot at an index that is applied, made with MembershipAt(index), and
  // is about to drop the entries through compact_to (at most that index; 0 = none) from its disk:
  // the core reads them no more. What it keeps spares followers the snapshot. Ignored when the core
  // has a newer one. To compact further later, say it again with the same snapshot.
  void OnSnapshotTaken(const SnapshotMeta& snapshot, LogIndex compact_to);

  // A snapshot fetched from another server is whole and durable in the owner's store. When the log
  // lacks what it covers a Ready says `install`; otherwise it only shows what is committed, or
  // nothing new, and nothing is installed.
  void OnSnapshotReceived(const SnapshotMeta& snapshot);

  // Ready::wanted_snapshot can't be had; the leader's next heartbeat names one again.
  void OnSnapshotFailed();

  // What is to be done now, or nothing. Inputs in a burst first, then this: it forms the batches.
  std::optional<Ready> TakeReady();

  // Not OK: the log could not be read or contradicts what is committed, or a term has two leaders.
  // The core then neither takes nor gives anything any more, and its owner must stop the server.
  const absl::Status& status() const { return failure_; }

  Role role() const { return role_; }
  ServerId leader() const { return leader_; }  // 0 = unknown
  Term term() const { return hard_state_.term; }
  Standing standing() const { return hard_state_.standing; }
  LogIndex commit() const { return log_.commit(); }
  LogIndex last_index() const { return log_.last_index(); }
  // Term of an entry of the log, durable or not; 0 for index 0, nullopt beyond the end and below
  // compacted_index().
  std::optional<Term> TermAt(LogIndex index) const { return log_.TermAt(index); }
  // The last entry that is compacted; 0 = none is.
  LogIndex compacted_index() const { return log_.base_index(); }
  // The newest snapshot that the core was told of; index 0 = none.
  const SnapshotMeta& snapshot() const { return log_.snapshot(); }

  // Who is in the ensemble by the newest entry of this log, committed or not (thesis section 4.1).
  const Membership& membership() const { return log_.memberships().newest(); }
  // The entry that set it, or Options::snapshot's index; 0 = it is that of the options.
  LogIndex membership_index() const { return log_.memberships().newest_index(); }
  // By the newest entry at or below `index`. Requires: snapshot().index <= index <= last_index().
  const Membership& MembershipAt(LogIndex index) const { return log_.memberships().At(index); }

  // Ticks since a leader was last heard (the largest number when none was), or, on the leader,
  // since a quorum answered it.
  uint64_t ticks_since_leader_contact() const;

  // Empty unless leader.
  std::vector<PeerStatus> Peers() const;

  // CHECKs the class's invariants. For tests and simulation, after every call.
  void CheckInvariants() const;

 private:
  RaftCore(const Options& options, const HardState& hard_state, RaftLog log, base::Random& random);

  // Messages, by kind.
  void OnVoteRequest(const Message& message, const VoteRequest& request);
  void OnVoteResponse(const Message& message, const VoteResponse& response);
  void OnTimeoutNow(const Message& message);

  // core_replication.cc: what a follower takes from its leader.
  void OnAppendRequest(const Message& message, const AppendRequest& request);
  void OnInstallSnapshot(const Message& message, const InstallSnapshot& request);
  bool HearLeader(const Message& message, AppendResponse& response);
  void Accept(ServerId leader, LogIndex verified, bool has_entries, AppendResponse response);
  void Reject(ServerId leader, LogIndex index, Term term, AppendResponse response);
  AppendResponse MakeResponse() const;

  // Roles.
  const VoterSet& voters() const { return log_.memberships().voters(); }
  bool MayStand() const;
  void BecomeFollower(Term term, ServerId leader);
  void StartPreVote();
  void Campaign(bool leadership_transfer);
  void BecomeLeader();
  void RequestVotes(VoteRequest request);
  void OnTally();

  // Output.
  enum class Leaves {
    kBeforeDurable,  // whatever is durable
    kAtOnce,         // but not before the hard state is durable
    kAfterEntries,   // when all entries of the log are
  };
  void Send(ServerId to, decltype(Message::body) body, Leaves leaves);
  bool HardStateDurable() const;
  void TakeCommitted(Ready& ready);
  void Fail(absl::Status status);

  // Constant after construction.
  const Options options_;

  HardState hard_state_;
  RaftLog log_;
  absl::Status failure_;

  Role role_ = Role::kFollower;
  ServerId leader_;
  ElectionTimer timer_;
  VoteTally tally_;
  std::unique_ptr<Leadership> leadership_;  // present exactly while leader
  std::optional<WantedSnapshot> wanted_snapshot_;

  // Output gathered for the next Ready.
  std::vector<Message> messages_;
  std::vector<Message> messages_after_persist_;
  std::vector<ReadResult> reads_;
  std::vector<ReadId> lost_reads_;

  // What the owner has been told.
  ReadyId last_ready_;
  ReadyId persisted_ready_;
  ReadyId hard_state_ready_;  // the Ready that carried told_hard_state_; 0 = from disk
  HardState told_hard_state_;
  SoftState told_soft_state_;
  std::optional<WantedSnapshot> told_wanted_snapshot_;
};

}  // namespace bellwether::coord::raft
