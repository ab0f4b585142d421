#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "coord/raft/raft_core.h"
#include "coord/replica/applier.h"
#include "coord/replica/formation.h"
#include "coord/replica/forwarding.h"
#include "coord/replica/inbox.h"
#include "coord/replica/instruments.h"
#include "coord/replica/read_table.h"
#include "coord/replica/replica.h"
#include "coord/replica/snapshot_fetcher.h"
#include "coord/replica/snapshot_work.h"

namespace bellwether::coord {

// The inside of Replica: see there. Inputs (messages, ticks, finished writes, calls from outside)
// change the core or an inbox and ask for a round; Pump is that round.
// Threads: all but the functions marked so run on the replica's executor.
//
// Invariants:
// - only HandleReady takes and executes a Ready
// - a message that waits for persistence leaves after every write taken before it is durable
// - leadership_ is what the state machine was told last; nothing is proposed or forwarded while the
//   core is ahead of it
class ReplicaDriver : public Transport::Handler,
                      public std::enable_shared_from_this<ReplicaDriver> {
 public:
  ReplicaDriver(ReplicaOptions options, base::Uuid ensemble_id, Replica::Dependencies deps);

  using MembershipDone = absl::AnyInvocable<void(absl::StatusOr<MembershipView>)>;

  void Start();
  void StopSnapshots();
  void Stop();
  // `to` 0: to the voter that has most of the log.
  void HandOver(ServerId to, absl::AnyInvocable<void()> done);
  void AskMembership(MembershipChange change, MembershipDone done);
  void SetEnsembleId(base::Uuid ensemble_id);
  void Broadcast(const std::string& note);

  // From any thread.
  void Propose(std::vector<ProposedCommand> commands, absl::AnyInvocable<void(absl::Status)> done);
  void RequestRead(std::string note, absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done);
  void SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done);
  void ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                    absl::AnyInvocable<void(absl::StatusOr<std::string>)> done);
  void SendNote(std::string note);
  void OnApplied(LogIndex index);
  ReplicaStatus status() const;
  absl::Duration contact_until() const { return absl::Nanoseconds(contact_until_ns_.load()); }

  // Runs `task` on the executor unless the driver is gone by then. From any thread.
  void PostSelf(absl::AnyInvocable<void(ReplicaDriver&)> task);

  // Transport::Handler
  void OnConnected(const Hello& hello) override;
  void OnDisconnected(ServerId peer) override;
  void OnMessage(ServerId from, PeerMessage message) override;
  void OnRefused(ServerId peer) override;

 private:
  // A Ready whose writes, or those of one before it, are not yet durable.
  struct Unpersisted {
    raft::ReadyId id;
    bool durable = false;
    LogIndex last;  // of its entries; 0: it has none
    std::vector<raft::Message> messages_after;
  };

  // Commands to be appended by this leader in the next round, and who is to be told.
  struct LeaderItem {
    Proposal proposal;    // commands; done is set for this server's own
    ServerId asker;       // 0, or the server that forwarded
    uint64_t stream_id = 0;
    uint64_t position = 0;
  };

  // Of this server's caller, or of another server that waits for the answer.
  struct MembershipAsk {
    MembershipChange change;
    MembershipDone done;
    ServerId asker;  // 0: this server's own
    uint64_t asker_id = 0;
    ServerId asked_of;  // when this server asked: the leader of then
    absl::Duration deadline;
  };

  // Wants a snapshot of a state that has applied `at_least`.
  struct SnapshotCaller {
    LogIndex at_least;
    absl::Duration asked;
    absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done;
  };

  // Who reads one snapshot.
  struct SnapshotReaders {
    int clients = 0;             // have not yet got the end of its file
    std::set<ServerId> servers;  // nor have these
    int asked = 0;               // pieces under way
    absl::Duration last_piece = -absl::InfiniteDuration();  // asked or read
  };

  struct Peer {
    PeerAddress address;
    std::optional<Hello> hello;  // while connected
    std::string grpc;            // last heard
    std::string zk;              // last heard
    std::optional<FeatureLevelRange> feature_levels;  // last heard
    raft::DiskRoom disk_room = raft::DiskRoom::kAll;  // last told to this leader or candidate
    absl::Status refused;        // why its messages are not taken
    absl::Duration refused_first;
    absl::Duration refused_last;
  };

  // replica_driver.cc: start, stop, rounds.
  void RequestPump();  // from any thread
  void Pump();
  void HandleReady();
  void PersistReady(raft::Ready& ready);
  void OnReadyPersisted(raft::ReadyId id);
  void ReleasePersisted();
  void ApplyCommitted(std::vector<raft::EntryPtr> committed);
  void SendAll(std::vector<raft::Message>& messages);
  void OnSoftState(const raft::SoftState& soft_state);
  void CountElections(const raft::SoftState& soft_state);
  void CountLeaders();
  void OnHardState(const raft::HardState& hard_state);
  bool Votes() const;
  void UpdateRole();

  // driver_handover.cc: giving up leadership, and what waits for the next leader.
  void OnHoldForwards(ServerId from, HoldForwards hold);
  void AnswerHold();
  bool HasLeader() const;
  bool HoldsProposals(absl::Duration now) const;
  bool MayDecide(absl::Duration now) const;
  void NoteAppended(Term term, LogIndex index);
  bool SettleAppended(const raft::Entry& entry);
  void CheckInDoubt(absl::Duration now);
  void AskAgain(ReadTable::Round round);
  void CheckHandOver(absl::Duration now);
  void EndHandOver();
  void CheckDisk();
  bool OtherIsAhead() const;

  // replica_driver.cc: time.
  void ScheduleTick();
  void Tick();
  void TickCore(absl::Duration since_last);
  void Fail(absl::Status status);
  void PublishStatus();
  void NoteContact(absl::Duration when);
  bool InContact(absl::Duration now) const;
  std::string NotInContactReason() const;

  // driver_requests.cc: proposals, forwards, reads, notes.
  void DrainProposals();
  void ProposeAsLeader();
  void MeasureDiskRoom();
  // Whether it stores more than there is.
  bool Grows(const Proposal& proposal) const;
  // OK, or why too few logs have room for commands of the kind.
  absl::Status RoomInEnsemble(EntryKind kind) const;
  void AppendGroup(std::vector<LeaderItem> group);
  void AnswerItem(LeaderItem& item, absl::Status status, Term term = Term(),
                  LogIndex index = LogIndex());
  void ForwardToLeader(std::vector<Proposal> proposals);
  void SendForward(std::vector<Proposal> group);
  void DrainReads();
  void StartReadAsLeader(ReadTable::Round round);
  void FinishRead(uint64_t id, absl::StatusOr<LogIndex> index);
  void AnswerRound(ReadTable::Round round, const absl::StatusOr<LogIndex>& index);
  void DrainNotes();
  bool ForwardStreamStands() const;
  void OpenForwardStream();
  void BreakForwardStream(std::string_view why);
  void ExpireRequests(absl::Duration now);
  void FailAllRequests(const absl::Status& rejected);
  void OnForward(ServerId from, Forward forward);
  void OnForwardReply(ServerId from, ForwardReply reply);
  void OnReadIndexRequest(ServerId from, ReadIndexRequest request);
  void OnReadIndexReply(ServerId from, ReadIndexReply reply);
  void OnRaftMessage(ServerId from, raft::Message message);
  bool Reachable(ServerId server) const;

  // driver_snapshots.cc: taking, installing, fetching and giving snapshots.
  void PostSnapshotWork(base::Task task);
  template <typename Result>
  void OnSnapshotThread(absl::AnyInvocable<Result(SnapshotStore&)> work,
                        absl::AnyInvocable<void(ReplicaDriver&, Result)> then);
  void RestoreState(LogIndex index, Term term);
  void InstallSnapshot(const raft::SnapshotMeta& snapshot);
  void TickSnapshots(absl::Duration now);
  bool SnapshotDue(absl::Duration now) const;
  void TakeSnapshot();
  void WriteSnapshot(std::unique_ptr<StateSnapshot> state, absl::Duration began);
  void OnSnapshotWritten(const raft::SnapshotMeta& meta, absl::Duration began,
                         absl::StatusOr<SnapshotInfo> written);
  void CompactLog(LogIndex compact_to);
  void OnWantedSnapshot(raft::WantedSnapshot wanted);
  void FetchMore(absl::Duration now);
  void StopFetching(std::string_view why);
  void OnSnapshotChunk(ServerId from, SnapshotChunk chunk);
  void OnPieceStored(uint64_t fetch, size_t bytes, absl::Status stored);
  void OnSnapshotReceived(uint64_t fetch, absl::StatusOr<SnapshotInfo> received);
  void OnSnapshotChunkRequest(ServerId from, SnapshotChunkRequest request);
  void OnPieceRead(ServerId from, const SnapshotChunkRequest& request, SnapshotChunk chunk);
  void CheckSnapshot(const SnapshotInfo& newest);
  void OnSnapshotChecked(LogIndex index, const absl::Status& checked);
  bool FailUnlessTransient(const absl::Status& status);

  // driver_saves.cc: snapshots for clients.
  void ServeSnapshotCallers();
  void FailSnapshotCallers(const absl::Status& status);
  void ExpireSnapshotCallers(absl::Duration now);
  bool OlderIsRead(absl::Duration now);
  SnapshotReaders& NotePieceAsked(LogIndex index);
  SnapshotReaders& NotePieceRead(LogIndex index);
  void NotePiece(LogIndex index, uint64_t offset, const absl::StatusOr<std::string>& piece);
  void NoteReadToTheEnd(LogIndex index);
  void AnswerPiece(absl::StatusOr<std::string> piece,
                   absl::AnyInvocable<void(absl::StatusOr<std::string>)> done);
  void ShowSnapshot(const SnapshotInfo& newest);

  // driver_formation.cc: who this server is to the others.
  void BeginOrForm();
  void JoinAs(raft::Standing standing);
  void PrepareLog(const raft::HardState& hard_state);
  std::vector<raft::Member> FirstMembers() const;
  void StartCore(const raft::HardState& hard_state, raft::SnapshotMeta snapshot);
  void OnHello(const Hello& hello);
  void RememberFormation();
  void CheckRefusals(absl::Duration now);
  void CheckAddress(absl::Duration now);
  Hello MakeHello() const;
  // To all who are connected.
  void SayHello();
  Peer* FindPeer(ServerId server);
  const Peer* FindPeer(ServerId server) const;

  // driver_membership.cc: who is in the ensemble.
  void CheckMembership(absl::Duration now);
  void AnswerLate(absl::Duration now);
  std::vector<PeerAddress> WantedServers(absl::Duration now);
  void UpdateServers(absl::Duration now);
  void DropPeer(ServerId server);
  void SayMembership();
  bool Removed() const;
  std::string NotAMemberReason() const;
  bool ChangeComplete() const;
  MembershipView ViewAsLeader() const;  // elsewhere, nothing is known of who is up and how far
  std::string OwnAddress() const;
  std::vector<raft::Member> WithAddresses(std::vector<raft::Member> members) const;
  void AskAsLeader(MembershipAsk ask);
  bool CommittedInItsTerm() const;
  absl::Status BeginChange(const MembershipChange& change);
  void TransferAsLeader(MembershipAsk ask);
  void AnswerTransferred(MembershipAsk ask, ServerId leader);
  void AnswerAsk(MembershipAsk ask, absl::StatusOr<MembershipView> view);
  void AnswerComplete();
  void OnMembershipRequest(ServerId from, MembershipRequest request);
  void OnMembershipReply(ServerId from, MembershipReply reply);
  // Nobody can tell any more what became of what was asked.
  void EndAsk(MembershipAsk ask, const absl::Status& why);
  void BreakAsks(std::string_view why);
  void FailAsks(const absl::Status& rejected);

  // Constant after construction.
  const ReplicaOptions options_;
  Replica::Dependencies deps_;
  const uint64_t process_id_;
  Instruments instruments_;

  // Thread-safe.
  Inbox<Proposal> proposal_inbox_;
  Inbox<ReadCaller> read_inbox_;
  Inbox<std::string> note_inbox_;
  std::atomic<bool> pump_requested_ = false;
  std::atomic<uint64_t> reported_applied_ = 0;
  std::atomic<int> pieces_ = 0;  // calls of ReadSnapshot without an answer
  std::atomic<int64_t> contact_until_ns_ = std::numeric_limits<int64_t>::min();
  mutable base::Mutex status_mutex_;
  ReplicaStatus status_ ABSL_GUARDED_BY(status_mutex_);

  // Owned by the executor from here on.
  base::Random random_;
  bool running_ = false;
  bool failed_ = false;
  base::TimerId tick_timer_ = 0;
  absl::Duration last_tick_;
  absl::Duration hello_said_;
  absl::Duration tick_remainder_;
  absl::Duration state_machine_tick_;  // when it, or the leadership, was told last
  absl::Duration log_measured_ = -absl::InfiniteDuration();
  uint64_t log_bytes_ = 0;
  raft::DiskRoom disk_room_ = raft::DiskRoom::kAll;  // of this server, at the last tick

  base::Uuid ensemble_id_;
  FolderState folder_ = FolderState::kEmpty;
  Formation formation_;
  bool joining_ = false;  // its part is decided; what its core begins with is being written
  std::vector<ServerId> told_heard_empty_;  // durable, so the others may know
  std::map<ServerId, Peer> peers_;

  // Who is in the ensemble.
  std::vector<PeerAddress> servers_;                // itself and all of peers_, as the transport knows
  std::map<ServerId, absl::Duration> leaving_;      // removed, and until when they may be told so
  bool servers_due_ = true;                         // they may have changed
  std::optional<LogIndex> members_said_;            // index of the membership in the last Hello
  raft::Membership membership_said_;                // which that was
  std::optional<absl::Duration> address_denied_;    // since when most peers know it under another one
  ServerId refused_by_;                             // who last said that this server is no member
  bool told_not_a_member_ = false;                  // in the log
  std::vector<MembershipAsk> changes_;              // asked of this leader, not complete
  std::map<uint64_t, MembershipAsk> asked_;         // by this server of the leader
  uint64_t last_ask_ = 0;

  std::unique_ptr<raft::RaftCore> core_;  // null while forming
  Leadership leadership_;
  absl::Duration leadership_since_;
  std::deque<Unpersisted> unpersisted_;
  Applier applier_;
  LogIndex applied_told_;  // to the core
  LogIndex committed_;     // highest handed out

  // Snapshots.
  bool taking_snapshot_ = false;
  absl::Duration next_snapshot_ = -absl::InfiniteDuration();  // none before, after one failed
  uint64_t log_bytes_since_snapshot_ = 0;
  bool newest_damaged_ = false;     // and set aside: another one is to take its place
  bool checking_snapshot_ = false;  // for clients
  LogIndex whole_snapshot_;         // its sums were right, and nobody has read all of it since
  absl::Duration chunk_asked_ = -absl::InfiniteDuration();  // when a server or a client wanted a piece
  std::set<ServerId> being_served_;                         // a piece is being read for them
  SnapshotFetcher fetcher_;
  uint64_t fetch_ = 0;           // number of the fetch under way, or beginning
  bool fetch_beginning_ = false;
  absl::Duration next_fetch_ = -absl::InfiniteDuration();
  uint64_t last_chunk_id_ = 0;
  std::vector<SnapshotCaller> snapshot_callers_;
  std::map<LogIndex, SnapshotReaders> snapshot_readers_;
  absl::Duration next_piece_ = -absl::InfiniteDuration();  // for a client, not before
  const std::shared_ptr<SnapshotWork> snapshot_work_;  // shared with what runs on the snapshot executor

  // Giving up leadership.
  struct HandingOver {
    ServerId to;  // 0: the best
    std::vector<absl::AnyInvocable<void()>> done;  // of all who asked for it, or for another one meanwhile
    std::set<ServerId> awaited;  // have not yet said that they hold their forwards
    absl::Duration deadline;
    bool begun = false;  // the core hands over
  };
  std::optional<HandingOver> handing_over_;
  Term held_in_;  // proposals wait for the leader of a later term
  absl::Duration held_until_ = -absl::InfiniteDuration();
  bool hold_unanswered_ = false;  // the leader of held_in_ waits for this server's word
  absl::Duration led_at_ = -absl::InfiniteDuration();  // when a leader was last there
  // The last command of this server that the leader of a term appended. Not yet known to be committed,
  // terms rising; of more than one while no entry of the later ones is committed.
  struct Appended {
    Term term;
    LogIndex index;
  };
  std::deque<Appended> appended_;

  // For the metrics: samples for the histograms, and how far fetches of snapshots have come.
  SnapshotProgress snapshot_progress_;
  AppendTimer append_timer_;
  IndexTimer commit_timer_;
  IndexTimer apply_timer_;
  Term stood_in_;  // last term in which this server was a candidate
  Term led_in_;    // last term whose leader it has seen

  std::vector<LeaderItem> leader_items_;
  ForwardSender forward_sender_;
  ForwardReceiver forward_receiver_;
  ReadTable reads_;
  std::vector<ReadCaller> waiting_readers_;  // for a round to end, when too many are under way
  absl::Duration contact_ = -absl::InfiniteDuration();
  absl::Duration contact_asked_ = -absl::InfiniteDuration();
};

}  // namespace bellwether::coord
