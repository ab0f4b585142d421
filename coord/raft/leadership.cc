#include "coord/raft/leadership.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/raft/readmission.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {

Leadership::Leadership(const Options& options, Term term, RaftLog& log)
    : options_(options), term_(term), log_(log) {
  UpdatePeers();
  if (!MUTANT(3)) Append(EntryType::kNoop, "");
}

void Leadership::Append(EntryType type, std::string payload) {
  auto entry = std::make_shared<Entry>();
  entry->term = term_;
  entry->index = log_.last_index() + 1;
  entry->type = type;
  entry->payload = std::move(payload);
  log_.Append(std::move(entry));
}

absl::StatusOr<Proposed> Leadership::Propose(std::vector<std::string> payloads) {
  if (payloads.empty()) return absl::InvalidArgumentError("nothing to propose");
  RETURN_IF_ERROR(CheckNotHandingOver());
  size_t bytes = 0;
  for (const std::string& payload : payloads) bytes += payload.size();
  if (!uncommitted_.empty() && uncommitted_.bytes() + bytes > options_.uncommitted_bytes_max) {
    return absl::ResourceExhaustedError(
        fmt::format("{} bytes of commands wait to be committed; try again later",
                    uncommitted_.bytes()));
  }
  const Proposed proposed{term_, log_.last_index() + 1, log_.last_index() + payloads.size()};
  for (std::string& payload : payloads) Append(EntryType::kCommands, std::move(payload));
  uncommitted_.Add(proposed.last, bytes);
  return proposed;
}

absl::Status Leadership::RequestRead(ReadId id) {
  if (reads_.size() >= options_.pending_reads_max) {
    return absl::ResourceExhaustedError(
        fmt::format("{} reads wait for a quorum; try again later", reads_.size()));
  }
  const LogIndex commit =
      log_.handed_out() < log_.commit() && MUTANT(5) ? log_.handed_out() : log_.commit();
  reads_.Add(id, committed_own_entry_ || MUTANT(1) ? std::optional(commit) : std::nullopt);
  return absl::OkStatus();
}

absl::Status Leadership::CheckNotHandingOver() const {
  if (transfer_) {
    return absl::UnavailableError(
        fmt::format("leadership is being handed to server {}; try again", transfer_->to));
  }
  if (retiring_) return absl::UnavailableError("this server leads no longer; try again");
  return absl::OkStatus();
}

// Changes of membership (thesis sections 4.1 to 4.3).

absl::StatusOr<Proposed> Leadership::ProposeMembership(std::vector<Member> members) {
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.id < b.id; });
  RETURN_IF_ERROR(Validate(members));
  RETURN_IF_ERROR(CheckNotHandingOver());
  RETURN_IF_ERROR(CheckMayChange(members));
  Membership changed{members, {}};
  if (VoterSet(changed).members() != voters().members() && !MUTANT(37)) {
    changed = Membership{membership().members, std::move(members)};
  }
  AppendMembership(changed);
  return Proposed{term_, log_.last_index(), log_.last_index()};
}

absl::Status Leadership::CheckMayChange(const std::vector<Member>& members) const {
  // The change of an earlier leader may still come to light, and two changes begun from the same
  // membership have quorums that don't meet (R5).
  if (!committed_own_entry_ && !MUTANT(37)) {
    return absl::UnavailableError("this leader has not committed an entry yet; try again");
  }
  const MembershipLog& memberships = log_.memberships();
  const bool under_way =
      membership().IsJoint() || membership() != memberships.At(log_.commit());
  if (under_way && !MUTANT(41)) {  // R6
    return absl::FailedPreconditionError(
        fmt::format("a change of membership (entry {}) is under way; wait until it is complete",
                    memberships.newest_index()));
  }
  if (members == membership().members) {
    return absl::AlreadyExistsError("the ensemble has these members already");
  }
  for (const Member& member : members) {
    if (!member.voter || membership().IsVoter(member.id)) continue;
    auto peer = peers_.find(member.id);
    const bool able = membership().Find(member.id) != nullptr && peer != peers_.end() &&
                      !peer->second.progress.folder_id().IsNil() &&
                      peer->second.progress.Counts();
    if (!able) {
      return absl::FailedPreconditionError(
          fmt::format("server {} can't get a vote yet: add it as a learner and wait until it has "
                      "the log",
                      member.id));
    }
  }
  return absl::OkStatus();
}

void Leadership::AppendMembership(const Membership& membership) {
  Append(EntryType::kMembership, Encode(membership));
  UpdatePeers();
}

void Leadership::UpdatePeers() {
  for (auto& [server, peer] : peers_) {
    if (membership().Find(server) != nullptr) {
      peer.removed_by = LogIndex(0);
    } else if (peer.removed_by == LogIndex(0)) {
      peer.removed_by = log_.memberships().newest_index();
      peer.removed_at = ticks_;
    }
  }
  for (ServerId server : membership().Servers()) {
    if (server != options_.self) peers_.try_emplace(server, log_.last_index() + 1);
  }
}

// A committed joint membership is followed by the one that it leads to, whoever appended it. A
// leader that has no vote in a committed one hands over (thesis section 4.2.2).
void Leadership::AdvanceMembership() {
  const bool committed = log_.memberships().newest_index() <= log_.commit();
  if (!committed && !(membership().IsJoint() && MUTANT(44))) return;
  if (membership().IsJoint()) {
    if (!transfer_) AppendMembership(Membership{membership().next, {}});
  } else if (!retiring_ && !voters().Contains(options_.self)) {
    retiring_ = true;
    TransferLeadership(ServerId(0)).IgnoreError();  // with nobody able it just ends
  }
}

// A removed server is told that it is, so that it never stands again; but not for ever.
void Leadership::ForgetRemoved() {
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    const Peer& removed = peer->second;
    const bool told = std::min(removed.progress.match(), removed.commit_sent) >= removed.removed_by;
    const bool overdue = removed.removed_by <= log_.commit() &&
                         ticks_ - removed.removed_at >= options_.election_timeout_ticks;
    const bool forget = removed.removed_by != LogIndex(0) && (told || overdue);
    peer = forget ? peers_.erase(peer) : std::next(peer);
  }
}

// Leadership transfer (thesis section 3.10).

absl::Status Leadership::TransferLeadership(ServerId to) {
  if (transfer_ && (to == transfer_->to || to == ServerId(0))) return absl::OkStatus();
  if (transfer_) {
    return absl::FailedPreconditionError(
        fmt::format("leadership is already being handed to server {}", transfer_->to));
  }
  if (to == options_.self) return absl::OkStatus();
  if (to == ServerId(0)) {
    to = BestSuccessor();
    if (to == ServerId(0)) {
      return absl::UnavailableError("no other voter is connected and able to lead");
    }
  } else if (membership().Find(to) == nullptr) {
    return absl::NotFoundError(fmt::format("server {} is not in the ensemble", to));
  } else if (!CanTakeOver(to)) {
    return absl::InvalidArgumentError(
        fmt::format("server {} has no vote, so it can't lead", to));
  }
  transfer_ = Transfer{to, ticks_ + options_.election_timeout_ticks, false};
  return absl::OkStatus();
}

// A voter also when the change of membership under way is complete.
bool Leadership::CanTakeOver(ServerId server) const {
  const std::vector<Member>& members =
      membership().IsJoint() ? membership().next : membership().members;
  const bool votes = std::any_of(members.begin(), members.end(), [server](const Member& member) {
    return member.id == server && member.voter;
  });
  return votes && peers_.at(server).progress.Counts();
}

// The voter that has most of the log, among those that answer.
ServerId Leadership::BestSuccessor() const {
  ServerId best;
  LogIndex best_match;
  for (const auto& [server, peer] : peers_) {
    const bool able = CanTakeOver(server) && IsActive(peer.progress);
    if (!able || (best != ServerId(0) && peer.progress.match() <= best_match)) continue;
    best = server;
    best_match = peer.progress.match();
  }
  return best;
}

void Leadership::TellSuccessor(std::vector<Message>& messages) {
  if (!transfer_ || transfer_->told) return;
  if (peers_.at(transfer_->to).progress.match() < log_.last_index()) return;
  transfer_->told = true;
  messages.push_back(Message{options_.self, transfer_->to, term_, TimeoutNow{}});
}

void Leadership::OnAppendResponse(ServerId from, const AppendResponse& response) {
  const bool plausible = response.prev_index <= log_.last_index() &&
                         response.match <= log_.last_index() &&
                         response.read_round <= reads_.newest_round() &&
                         !response.folder_id.IsNil();
  if (!plausible) return;
  auto known = peers_.find(from);
  if (known == peers_.end()) return;
  Peer& peer = known->second;
  if (!peer.progress.Identify(response, log_.last_index() + 1)) return;
  peer.progress.OnHeard(ticks_, response.read_round);
  if (response.rejected) {
    peer.progress.OnRejected(response.prev_index,
                             log_.LastAtMost(response.hint_index, response.hint_term));
  } else {
    peer.progress.OnAccepted(response.prev_index, response.match);
  }
}

bool Leadership::Tick() {
  ++ticks_;
  if (ticks_ % options_.heartbeat_ticks == 0) {
    for (auto& [server, peer] : peers_) peer.heartbeat_due = true;
    if (transfer_) transfer_->told = false;  // what was said may be lost
  }
  if (transfer_ && ticks_ >= transfer_->deadline) transfer_.reset();
  if (retiring_ && !transfer_) return false;
  return ticks_since_quorum() < options_.election_timeout_ticks;
}

uint64_t Leadership::ReachedByMajority(uint64_t own,
                                       uint64_t (Progress::*counted)() const) const {
  return voters().ReachedByMajority([this, own, counted](ServerId server) {
    return server == options_.self ? own : (peers_.at(server).progress.*counted)();
  });
}

uint64_t Leadership::ticks_since_quorum() const {
  return ticks_ - ReachedByMajority(ticks_, &Progress::CountedTick);
}

void Leadership::Advance(std::vector<ReadResult>& results) {
  ReadmitCaughtUp();
  // The leader's own entries count once they are durable, not before (R7).
  const LogIndex own = MUTANT(4) ? log_.last_index() : log_.durable();
  const LogIndex reached(ReachedByMajority(own.value(), &Progress::CountedMatch));
  // Entries of earlier terms are committed only by one of this term behind them (paper 5.4.2).
  if (reached > log_.commit() && (log_.TermAt(reached) == term_ || MUTANT(12))) {
    log_.CommitTo(reached);
    uncommitted_.ReleaseThrough(reached);
    if (!std::exchange(committed_own_entry_, true)) reads_.OnFirstCommit(reached);
  }
  AdvanceMembership();
  if (reads_.HasUnconfirmed()) {
    reads_.Confirm(ReadRound(ReachedByMajority(reads_.newest_round().value(),
                                               &Progress::CountedRound)),
                   results);
  }
}

void Leadership::ReadmitCaughtUp() {
  if (transfer_) return;  // the log stands still
  for (auto& [server, peer] : peers_) {
    const Progress& progress = peer.progress;
    if (!IsReadmissionDue(peer)) continue;
    peer.readmission = progress.folder_id();
    // What the log of an emptied server begins with, only its flags say; before it counts, an entry
    // says who is in.
    if (!log_.memberships().newest_is_entry()) {
      Append(EntryType::kMembership, Encode(membership()));
    }
    Append(EntryType::kReadmit, Encode(Readmission{server, progress.folder_id()}));
    peer.readmission_index = log_.last_index();
    peer.readmission_at = ticks_;
  }
}

// Once per folder; again when it has long had the entry, committed, and still waits: then the entry
// came to it inside a snapshot, which doesn't tell of it.
bool Leadership::IsReadmissionDue(const Peer& peer) const {
  const Progress& progress = peer.progress;
  if (peer.removed_by != LogIndex(0)) return false;
  if (!progress.awaiting() || progress.state() != Progress::State::kReplicate) return false;
  if (log_.last_index() - progress.match() > options_.readmission_lag_entries) return false;
  if (peer.readmission != progress.folder_id()) return true;
  return std::min(progress.match(), log_.commit()) >= peer.readmission_index &&
         ticks_ - peer.readmission_at >= options_.election_timeout_ticks;
}

absl::Status Leadership::MakeMessages(std::vector<Message>& messages) {
  for (auto& [server, peer] : peers_) {
    if (peer.progress.next() <= log_.base_index()) peer.progress.OnCompacted();
    RETURN_IF_ERROR(SendEntries(server, peer, messages));
    if (!NeedsEmptyMessage(peer)) continue;
    messages.push_back(peer.progress.state() == Progress::State::kSnapshot
                           ? MakeInstallSnapshot(server, peer)
                           : MakeAppend(server, peer, {}));
    peer.progress.OnEmptySent();
    peer.round_sent = reads_.newest_round();
  }
  TellSuccessor(messages);
  ForgetRemoved();
  reads_.CloseRound();
  return absl::OkStatus();
}

absl::Status Leadership::SendEntries(ServerId server, Peer& peer, std::vector<Message>& messages) {
  Progress& progress = peer.progress;
  while (progress.next() <= log_.last_index()) {
    const size_t room =
        progress.Room(options_.inflight_appends_max, options_.inflight_bytes_max);
    if (room == 0) break;
    ASSIGN_OR_RETURN(std::vector<EntryPtr> entries,
                     log_.Read(progress.next(), log_.last_index(),
                               std::min(room, options_.append_bytes_max)));
    size_t bytes = 0;
    for (const EntryPtr& entry : entries) bytes += EntryBytes(*entry);
    const LogIndex last = entries.back()->index;
    messages.push_back(MakeAppend(server, peer, std::move(entries)));
    progress.OnEntriesSent(last, bytes);
  }
  return absl::OkStatus();
}

// A read round goes out on its own even when entries have carried it: the answer to an empty append
// does not wait for the follower's disk. A commit index goes out on its own when the follower can
// use it, so that it does not wait for the next heartbeat.
bool Leadership::NeedsEmptyMessage(const Peer& peer) const {
  const bool round_due = reads_.HasUnconfirmed() && peer.round_sent < reads_.newest_round();
  const bool commit_due = std::min(log_.commit(), peer.progress.match()) > peer.commit_sent;
  return peer.progress.NeedsProbe() || peer.heartbeat_due || round_due || commit_due;
}

Message Leadership::MakeAppend(ServerId server, Peer& peer, std::vector<EntryPtr> entries) {
  AppendRequest request;
  request.prev_index = peer.progress.next() - 1;
  request.prev_term = *log_.TermAt(request.prev_index);
  request.entries = std::move(entries);
  request.commit = log_.commit();
  request.read_round = reads_.newest_round();
  peer.heartbeat_due = false;
  peer.commit_sent = log_.commit();
  return Message{options_.self, server, term_, std::move(request)};
}

Message Leadership::MakeInstallSnapshot(ServerId server, Peer& peer) {
  peer.heartbeat_due = false;
  peer.commit_sent = log_.commit();
  return Message{options_.self, server, term_,
                 InstallSnapshot{log_.snapshot(), reads_.newest_round()}};
}

bool Leadership::IsActive(const Progress& progress) const {
  const bool heard = !progress.folder_id().IsNil();
  return heard && ticks_ - progress.heard_at() < options_.election_timeout_ticks;
}

std::vector<PeerStatus> Leadership::Peers() const {
  std::vector<PeerStatus> result;
  for (const auto& [server, peer] : peers_) {
    if (peer.removed_by != LogIndex(0)) continue;
    const Progress& progress = peer.progress;
    result.push_back(PeerStatus{server, voters().Contains(server), progress.match(),
                                IsActive(progress), progress.awaiting(),
                                progress.state() == Progress::State::kSnapshot});
  }
  return result;
}

void Leadership::CheckInvariants() const {
  CHECK(log_.last_term() == term_);
  for (ServerId server : membership().Servers()) {
    CHECK(server == options_.self || peers_.at(server).removed_by == LogIndex(0));
  }
  const bool removal_committed = log_.memberships().newest_index() <= log_.commit();
  CHECK(!retiring_ || removal_committed);
  if (transfer_) CHECK(CanTakeOver(transfer_->to) || !peers_.at(transfer_->to).progress.Counts());
  for (const auto& [server, peer] : peers_) {
    const Progress& progress = peer.progress;
    CHECK(progress.match() <= log_.last_index() && progress.match() < progress.next());
    CHECK(progress.next() <= log_.last_index() + 1);
    CHECK(progress.window().count() <= options_.inflight_appends_max);
    CHECK(progress.window().empty() || progress.state() == Progress::State::kReplicate);
    CHECK(peer.round_sent <= reads_.newest_round() && peer.commit_sent <= log_.commit());
  }
  CHECK(committed_own_entry_ == (log_.TermAt(log_.commit()) == term_));
}

}  // namespace bellwether::coord::raft
