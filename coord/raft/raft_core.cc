#include "coord/raft/raft_core.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/raft/leadership.h"
#include "coord/raft/readmission.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {
namespace {

// How long followers wait for a leader to which their connection broke: long enough that the others
// know, too, and then as long for each one ahead in line as an election may take.
constexpr uint64_t kLostLeaderTicks = 2;
constexpr uint64_t kNextInLineTicks = 3;

// Whether a request could come from a leader of `term`: entries contiguous, terms never falling.
bool IsWellFormed(const AppendRequest& request, Term term) {
  if ((request.prev_index == LogIndex(0)) != (request.prev_term == Term(0))) return false;
  LogIndex index = request.prev_index;
  Term entry_term = request.prev_term;
  for (const EntryPtr& entry : request.entries) {
    if (entry == nullptr || entry->index != ++index) return false;
    if (entry->term < entry_term || entry->term == Term(0)) return false;
    entry_term = entry->term;
  }
  return entry_term <= term;
}

bool IsWellFormed(const VoteRequest& request, Term term) {
  return request.campaign_term == (request.pre_vote ? term + 1 : term) &&
         request.last_term <= term && !(request.pre_vote && request.leadership_transfer);
}

bool IsWellFormed(const InstallSnapshot& request, Term term) {
  const SnapshotMeta& snapshot = request.snapshot;
  return snapshot.index > LogIndex(0) && snapshot.term > Term(0) && snapshot.term <= term &&
         Validate(snapshot.membership.members).ok() &&
         (!snapshot.membership.IsJoint() || Validate(snapshot.membership.next).ok());
}

}  // namespace

absl::StatusOr<std::unique_ptr<RaftCore>> RaftCore::Create(const Options& options,
                                                           const HardState& hard_state,
                                                           LogReader& reader,
                                                           base::Random& random) {
  RETURN_IF_ERROR(Validate(options));
  SnapshotMeta start = options.snapshot;
  if (start.index == LogIndex(0)) start.membership = options.membership;
  ASSIGN_OR_RETURN(RaftLog log,
                   RaftLog::Load(reader, std::move(start), options.tail_bytes_max));
  std::unique_ptr<RaftCore> core(new RaftCore(options, hard_state, std::move(log), random));
  // A snapshot may become durable before the term of the leader that named it does (R17). No vote
  // was given in that term, since none leaves before its term is durable.
  if (options.snapshot.term > hard_state.term) {
    core->BecomeFollower(options.snapshot.term, ServerId(0));
  }
  if (core->log_.last_term() > core->term()) {
    return absl::DataLossError(
        fmt::format("the log ends with an entry of term {}, but the recorded term is {}: a write "
                    "of the recorded term was lost",
                    core->log_.last_term(), core->term()));
  }
  return core;
}

RaftCore::RaftCore(const Options& options, const HardState& hard_state, RaftLog log,
                   base::Random& random)
    : options_(options),
      hard_state_(hard_state),
      log_(std::move(log)),
      timer_(options.election_timeout_ticks, random),
      told_hard_state_(hard_state) {
  told_soft_state_.term = hard_state.term;
}

RaftCore::~RaftCore() = default;

// Inputs.

void RaftCore::Step(Message message) {
  if (!failure_.ok() || message.to != options_.self || message.from == options_.self) return;
  if (const auto* request = std::get_if<VoteRequest>(&message.body)) {
    if (IsWellFormed(*request, message.term)) OnVoteRequest(message, *request);
    return;
  }
  if (const auto* request = std::get_if<AppendRequest>(&message.body)) {
    if (IsWellFormed(*request, message.term)) OnAppendRequest(message, *request);
    return;
  }
  if (const auto* request = std::get_if<InstallSnapshot>(&message.body)) {
    if (IsWellFormed(*request, message.term)) OnInstallSnapshot(message, *request);
    return;
  }
  if (message.term > hard_state_.term) {
    BecomeFollower(message.term, ServerId(0));
  } else if (std::holds_alternative<TimeoutNow>(message.body)) {
    OnTimeoutNow(message);
  } else if (const auto* vote = std::get_if<VoteResponse>(&message.body)) {
    OnVoteResponse(message, *vote);
  } else if (const auto* append = std::get_if<AppendResponse>(&message.body)) {
    if (message.term == hard_state_.term && leadership_ != nullptr) {
      leadership_->OnAppendResponse(message.from, *append);
    }
  }
}

void RaftCore::Tick() {
  if (!failure_.ok()) return;
  if (leadership_ != nullptr) {
    if (!leadership_->Tick()) BecomeFollower(hard_state_.term, ServerId(0));
    return;
  }
  timer_.Tick();
  const bool alone = role_ == Role::kFollower && voters().Contains(options_.self) &&
                     voters().members().size() == 1;
  if (!timer_.Expired() && !alone) return;
  if (!MayStand()) {
    leader_ = ServerId(0);
  } else if (HardStateDurable()) {  // else the disk is slow, and one more term would not help
    StartPreVote();
  }
}

// Without a vote in the newest membership it may still be the only one that can be elected, until
// that membership is committed, or known to be after a restart (thesis section 4.2.2).
bool RaftCore::MayStand() const {
  return hard_state_.standing == Standing::kVoter &&
         log_.memberships().IsVoterSince(log_.commit(), options_.self);
}

void RaftCore::OnDisconnected(ServerId peer) {
  if (role_ != Role::kFollower || peer != leader_) return;
  const std::vector<ServerId>& electable = voters().members();
  const auto before = static_cast<uint64_t>(std::count_if(
      electable.begin(), electable.end(),
      [this](ServerId voter) { return voter < options_.self && voter != leader_; }));
  timer_.OnLeaderLost(kLostLeaderTicks + kNextInLineTicks * before);
}

absl::StatusOr<Proposed> RaftCore::Propose(std::vector<std::string> payloads) {
  RETURN_IF_ERROR(failure_);
  if (leadership_ == nullptr) return absl::FailedPreconditionError("this server is not the leader");
  return leadership_->Propose(std::move(payloads));
}

absl::Status RaftCore::RequestRead(ReadId id) {
  RETURN_IF_ERROR(failure_);
  if (leadership_ == nullptr) return absl::FailedPreconditionError("this server is not the leader");
  return leadership_->RequestRead(id);
}

absl::StatusOr<Proposed> RaftCore::ProposeMembership(std::vector<Member> members) {
  RETURN_IF_ERROR(failure_);
  if (leadership_ == nullptr) return absl::FailedPreconditionError("this server is not the leader");
  return leadership_->ProposeMembership(std::move(members));
}

absl::Status RaftCore::TransferLeadership(ServerId to) {
  RETURN_IF_ERROR(failure_);
  if (leadership_ == nullptr) return absl::FailedPreconditionError("this server is not the leader");
  return leadership_->TransferLeadership(to);
}

ServerId RaftCore::transfer_target() const {
  return leadership_ != nullptr ? leadership_->transfer_target() : ServerId(0);
}

void RaftCore::OnPersisted(ReadyId id) {
  CHECK(id <= last_ready_, "persisted={} taken={}", id, last_ready_);
  if (!failure_.ok()) return;
  persisted_ready_ = std::max(persisted_ready_, id);
  log_.OnPersisted(id);
  if (role_ == Role::kCandidate && HardStateDurable()) {
    tally_.Record(options_.self, true);
    OnTally();
  }
}

void RaftCore::OnApplied(LogIndex index) { log_.OnApplied(index); }

// Votes.

void RaftCore::OnVoteRequest(const Message& message, const VoteRequest& request) {
  VoterView view;
  view.term = hard_state_.term;
  view.vote = hard_state_.vote;
  view.standing = hard_state_.standing;
  view.leader = leader_;
  view.in_lease = role_ == Role::kLeader || (leader_ != ServerId(0) && timer_.InLease());
  view.last_index = log_.last_index();
  view.last_term = log_.last_term();
  const VoteDecision decision = DecideVote(message.from, request, view);
  if (decision == VoteDecision::kIgnore) return;
  const bool granted = decision == VoteDecision::kGrant;
  if (!request.pre_vote) {
    const bool gives_up = granted && role_ == Role::kPreCandidate;
    if (message.term > hard_state_.term || gives_up) BecomeFollower(message.term, ServerId(0));
    if (granted) {
      hard_state_.vote = message.from;
      timer_.Restart();
    }
  }
  Send(message.from, VoteResponse{request.pre_vote, request.campaign_term, granted},
       Leaves::kAtOnce);
}

void RaftCore::OnVoteResponse(const Message& message, const VoteResponse& response) {
  const bool awaited = response.pre_vote
                           ? role_ == Role::kPreCandidate &&
                                 response.campaign_term == hard_state_.term + 1
                           : role_ == Role::kCandidate &&
                                 response.campaign_term == hard_state_.term;
  if (!awaited) return;
  tally_.Record(message.from, response.granted);
  OnTally();
}

void RaftCore::OnTally() {
  const VoteResult result = tally_.Result(voters());
  if (result == VoteResult::kLost) {
    BecomeFollower(hard_state_.term, ServerId(0));
  } else if (result == VoteResult::kWon && role_ == Role::kPreCandidate) {
    Campaign(/*leadership_transfer=*/false);
  } else if (result == VoteResult::kWon && HardStateDurable()) {
    BecomeLeader();
  }
}

void RaftCore::StartPreVote() {
  role_ = Role::kPreCandidate;
  leader_ = ServerId(0);
  timer_.Restart();
  tally_.Clear();
  tally_.Record(options_.self, true);
  VoteRequest request;
  request.pre_vote = true;
  RequestVotes(request);
  OnTally();
}

// The leader it follows hands over: no pre-vote, since the others still hear that leader.
void RaftCore::OnTimeoutNow(const Message& message) {
  const bool from_leader = message.term == hard_state_.term && message.from == leader_;
  if (from_leader && MayStand()) Campaign(/*leadership_transfer=*/true);
}

// The own vote counts when it is durable, as anyone else's (OnPersisted). So a request for votes promises
// nothing by itself, and the successor of a leader that hands over, for which everybody waits, asks while
// its own vote is being written. Its log must be durable: who crashes, comes back with a shorter one and
// stands again in the same term could get votes that were given to the longer one.
void RaftCore::Campaign(bool leadership_transfer) {
  role_ = Role::kCandidate;
  leader_ = ServerId(0);
  ++hard_state_.term;
  hard_state_.vote = options_.self;
  timer_.Restart();
  tally_.Clear();
  VoteRequest request;
  request.leadership_transfer = leadership_transfer;
  RequestVotes(request);
}

void RaftCore::RequestVotes(VoteRequest request) {
  request.campaign_term = request.pre_vote ? hard_state_.term + 1 : hard_state_.term;
  request.last_index = log_.last_index();
  request.last_term = log_.last_term();
  const bool early = request.leadership_transfer && log_.durable() == log_.last_index();
  for (ServerId server : voters().members()) {
    if (server == options_.self) continue;
    Send(server, request, early ? Leaves::kBeforeDurable : Leaves::kAtOnce);
  }
}

void RaftCore::BecomeFollower(Term term, ServerId leader) {
  CHECK(term >= hard_state_.term);
  if (term > hard_state_.term) {
    hard_state_.term = term;
    hard_state_.vote = ServerId(0);
  }
  if (leadership_ != nullptr) {
    const std::vector<ReadId> reads = leadership_->TakeReads();
    lost_reads_.insert(lost_reads_.end(), reads.begin(), reads.end());
    leadership_.reset();
    timer_.Restart();
  }
  role_ = Role::kFollower;
  leader_ = leader;
}

void RaftCore::BecomeLeader() {
  role_ = Role::kLeader;
  leader_ = options_.self;
  leadership_ = std::make_unique<Leadership>(options_, hard_state_.term, log_);
}

// Output.

std::optional<Ready> RaftCore::TakeReady() {
  if (!failure_.ok()) return std::nullopt;
  Ready ready;
  ready.id = last_ready_ + 1;
  if (leadership_ != nullptr) {
    leadership_->Advance(reads_);
    if (absl::Status made = leadership_->MakeMessages(messages_); !made.ok()) Fail(std::move(made));
  }
  TakeCommitted(ready);
  if (!failure_.ok()) return std::nullopt;
  RaftLog::Write write = log_.TakeUnwritten(ready.id);
  ready.install = std::move(write.install);
  ready.truncate_from = write.truncate_from;
  ready.entries = std::move(write.entries);
  if (hard_state_ != told_hard_state_) {
    ready.hard_state = told_hard_state_ = hard_state_;
    hard_state_ready_ = ready.id;
  }
  ready.messages = std::exchange(messages_, {});
  ready.messages_after_persist = std::exchange(messages_after_persist_, {});
  ready.reads = std::exchange(reads_, {});
  ready.lost_reads = std::exchange(lost_reads_, {});
  const bool wants = wanted_snapshot_.has_value() && leadership_ == nullptr &&
                     wanted_snapshot_->snapshot.index > log_.commit();
  if (!wants) wanted_snapshot_.reset();
  if (wanted_snapshot_ != told_wanted_snapshot_) {
    ready.wanted_snapshot = told_wanted_snapshot_ = wanted_snapshot_;
  }
  const SoftState soft_state{role_, leader_, hard_state_.term};
  if (soft_state != told_soft_state_) ready.soft_state = told_soft_state_ = soft_state;
  const bool empty = !ready.NeedsPersist() && ready.messages.empty() &&
                     ready.messages_after_persist.empty() && ready.committed.empty() &&
                     ready.reads.empty() && ready.lost_reads.empty() &&
                     !ready.wanted_snapshot && !ready.soft_state;
  if (empty) return std::nullopt;
  last_ready_ = ready.id;
  return ready;
}

void RaftCore::TakeCommitted(Ready& ready) {
  absl::StatusOr<std::vector<EntryPtr>> committed =
      log_.TakeCommitted(options_.unapplied_bytes_max);
  if (!committed.ok()) {
    Fail(committed.status());
    return;
  }
  ready.committed = *std::move(committed);
  if (hard_state_.standing == Standing::kVoter) return;
  for (const EntryPtr& entry : ready.committed) {
    if (entry->type == EntryType::kReadmit &&
        DecodeReadmission(entry->payload) == Readmission{options_.self, options_.folder_id}) {
      hard_state_.standing = Standing::kVoter;
    }
  }
}

// Nothing leaves before the term, vote and standing that it was made under are durable (R13), a
// vote and, but for a successor's, the request for one among them. A leader's were durable before it
// became one.
void RaftCore::Send(ServerId to, decltype(Message::body) body, Leaves leaves) {
  const bool at_once = leaves == Leaves::kBeforeDurable ||
                       (leaves == Leaves::kAtOnce && (HardStateDurable() || MUTANT(6)));
  (at_once ? messages_ : messages_after_persist_)
      .push_back(Message{options_.self, to, hard_state_.term, std::move(body)});
}

bool RaftCore::HardStateDurable() const {
  return hard_state_ == told_hard_state_ && hard_state_ready_ <= persisted_ready_;
}

void RaftCore::Fail(absl::Status status) {
  if (failure_.ok()) failure_ = std::move(status);
}

uint64_t RaftCore::ticks_since_leader_contact() const {
  return leadership_ != nullptr ? leadership_->ticks_since_quorum() : timer_.ticks_since_leader();
}

std::vector<PeerStatus> RaftCore::Peers() const {
  return leadership_ != nullptr ? leadership_->Peers() : std::vector<PeerStatus>();
}

void RaftCore::CheckInvariants() const {
  log_.CheckInvariants();
  CHECK(log_.last_term() <= hard_state_.term);
  CHECK((role_ == Role::kLeader) == (leadership_ != nullptr));
  CHECK((role_ == Role::kLeader) == (leader_ == options_.self));
  if (role_ == Role::kPreCandidate || role_ == Role::kCandidate) CHECK(leader_ == ServerId(0));
  if (role_ == Role::kLeader || role_ == Role::kCandidate) CHECK(hard_state_.vote == options_.self);
  if (hard_state_.standing == Standing::kAwaitingReadmission) CHECK(role_ == Role::kFollower);
  if (leadership_ != nullptr) {
    CHECK(HardStateDurable());
    leadership_->CheckInvariants();
  }
}

}  // namespace bellwether::coord::raft
