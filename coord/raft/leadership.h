#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coord/raft/byte_window.h"
#include "coord/raft/message.h"
#include "coord/raft/options.h"
#include "coord/raft/pending_reads.h"
#include "coord/raft/progress.h"
#include "coord/raft/quorum.h"
#include "coord/raft/raft_core.h"
#include "coord/raft/raft_log.h"

namespace bellwether::coord::raft {

// What a server has only while it leads one term: the followers' progress, pending reads, the bound
// on uncommitted bytes. Begins with appending the no-op; ends with the term, the quorum or when the
// server has left the ensemble. Decides what is committed, and completes changes of membership.
// Owned by RaftCore, whose log it appends to; knows nothing of votes.
class Leadership {
 public:
  // The references outlive it.
  Leadership(const Options& options, Term term, RaftLog& log);

  // As RaftCore's.
  absl::StatusOr<Proposed> Propose(std::vector<std::string> payloads);
  absl::StatusOr<Proposed> ProposeMembership(std::vector<Member> members);
  absl::Status RequestRead(ReadId id);
  absl::Status TransferLeadership(ServerId to);

  // An answer in this term. One that contradicts what was sent is dropped.
  void OnAppendResponse(ServerId from, const AppendResponse& response);

  // False when leadership is over: no quorum answered for an election timeout (check-quorum), or
  // this server has no vote any more and nobody took over.
  bool Tick();

  // Draws the conclusions from all answers so far: readmissions, commit, the next step of a change
  // of membership, confirmed reads.
  void Advance(std::vector<ReadResult>& results);

  // Adds what followers should be sent now. Errors: the log can't be read.
  absl::Status MakeMessages(std::vector<Message>& messages);

  // Whom leadership is being handed to; 0 = nobody.
  ServerId transfer_target() const { return transfer_ ? transfer_->to : ServerId(0); }
  std::vector<ReadId> TakeReads() { return reads_.TakeAll(); }
  uint64_t ticks_since_quorum() const;
  std::vector<PeerStatus> Peers() const;
  void CheckInvariants() const;

 private:
  struct Peer {
    explicit Peer(LogIndex next) : progress(next) {}

    Progress progress;
    LogIndex removed_by;      // entry whose membership it is not in; 0 = it is a member
    uint64_t removed_at = 0;  // tick of that
    bool heartbeat_due = false;
    LogIndex commit_sent;     // newest commit index it was sent
    ReadRound round_sent;     // newest read round it was asked
    base::Uuid readmission;       // folder for which this leader has appended a kReadmit entry
    LogIndex readmission_index;   // of that entry
    uint64_t readmission_at = 0;  // tick at which it was appended
  };

  // Leadership is handed over: no proposals meanwhile, so that the target can have the whole log.
  struct Transfer {
    ServerId to;
    uint64_t deadline = 0;  // tick at which it is given up
    bool told = false;      // TimeoutNow is on its way
  };

  const Membership& membership() const { return log_.memberships().newest(); }
  const VoterSet& voters() const { return log_.memberships().voters(); }

  void Append(EntryType type, std::string payload);
  void AppendMembership(const Membership& membership);
  absl::Status CheckMayChange(const std::vector<Member>& members) const;
  void UpdatePeers();
  void AdvanceMembership();
  void ForgetRemoved();
  void ReadmitCaughtUp();
  bool IsReadmissionDue(const Peer& peer) const;
  absl::Status CheckNotHandingOver() const;
  bool IsActive(const Progress& progress) const;
  bool CanTakeOver(ServerId server) const;
  ServerId BestSuccessor() const;
  void TellSuccessor(std::vector<Message>& messages);
  absl::Status SendEntries(ServerId server, Peer& peer, std::vector<Message>& messages);
  bool NeedsEmptyMessage(const Peer& peer) const;
  Message MakeAppend(ServerId server, Peer& peer, std::vector<EntryPtr> entries);
  Message MakeInstallSnapshot(ServerId server, Peer& peer);
  // The majority's value of one number per server. `own` is this server's.
  uint64_t ReachedByMajority(uint64_t own, uint64_t (Progress::*counted)() const) const;

  const Options& options_;
  const Term term_;
  RaftLog& log_;

  std::map<ServerId, Peer> peers_;  // ordered, so that messages are in the same order every time
  PendingReads reads_;
  ByteWindow uncommitted_;
  std::optional<Transfer> transfer_;
  bool retiring_ = false;  // this server has no vote any more, and that is committed
  bool committed_own_entry_ = false;  // an entry of term_ is committed
  uint64_t ticks_ = 0;
};

}  // namespace bellwether::coord::raft
