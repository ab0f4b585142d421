// Giving up leadership: on request, with nothing under way that the change would leave unknown, or at
// once, when the own disk hangs. And what a change of leader means for what is under way.

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "coord/replica/replica_driver.h"

namespace bellwether::coord {
namespace {

// How long what is asked waits for the next leader, in election timeouts since the last one was there.
constexpr int kLeaderlessElections = 2;
// How much of an election timeout a leader that hands over waits for the others to hold.
constexpr double kHoldAwaitedShare = 0.2;
// How long, in election timeouts, a server that has stepped down stays for the election: it has a vote.
constexpr int kSuccessorElections = 3;

}  // namespace

// First everybody holds what they would propose, then what is under way is committed and applied,
// then the core hands over: so no command's fate depends on who leads. Who asks meanwhile waits for the
// outcome of that one.
void ReplicaDriver::HandOver(ServerId to, absl::AnyInvocable<void()> done) {
  if (handing_over_.has_value()) {
    if (handing_over_->to == ServerId() && !handing_over_->begun) handing_over_->to = to;
    return handing_over_->done.push_back(std::move(done));
  }
  const absl::Duration now = deps_.clock.Monotonic();
  const bool leads = running_ && core_ != nullptr && leadership_.role == Role::kLeader;
  if (!leads || peers_.empty()) return done();
  handing_over_ = HandingOver();
  HandingOver& handing_over = *handing_over_;
  handing_over.to = to;
  handing_over.done.push_back(std::move(done));
  handing_over.deadline = now + options_.election_timeout;
  held_in_ = leadership_.term;
  held_until_ = handing_over.deadline;
  for (const auto& [id, peer] : peers_) {
    if (!Reachable(id)) continue;
    handing_over.awaited.insert(id);
    deps_.transport.Send(id, HoldForwards{leadership_.term});
  }
  RequestPump();
}

// Itself, or one that it is connected to.
bool ReplicaDriver::HasLeader() const {
  return leadership_.role == Role::kLeader || Reachable(leadership_.leader);
}

// Whether time may pass for the state machine, which then may end sessions. What it proposes is appended
// in this term, or never: kept for the next leader it would end a session whose keepalive that one has
// confirmed meanwhile.
bool ReplicaDriver::MayDecide(absl::Duration now) const {
  return leadership_.role == Role::kLeader && core_->role() == raft::Role::kLeader &&
         core_->term() == leadership_.term && InContact(now) && (!HoldsProposals(now) || MUTANT(46));
}

// Until the next leader is known.
bool ReplicaDriver::HoldsProposals(absl::Duration now) const {
  const bool next_known = leadership_.term != held_in_ && leadership_.leader != ServerId();
  if (now < held_until_ && !next_known) return true;
  return !HasLeader() && now - led_at_ < kLeaderlessElections * options_.election_timeout;
}

void ReplicaDriver::OnHoldForwards(ServerId from, HoldForwards hold) {
  if (hold.term != leadership_.term) return;
  if (handing_over_.has_value()) {
    handing_over_->awaited.erase(from);
  } else if (from == leadership_.leader) {
    held_in_ = hold.term;
    held_until_ = deps_.clock.Monotonic() + options_.election_timeout;
    hold_unanswered_ = true;
    AnswerHold();
  }
}

// With no forward under way, none is broken off when the leader changes.
void ReplicaDriver::AnswerHold() {
  if (!hold_unanswered_ || forward_sender_.bytes() > 0) return;
  hold_unanswered_ = false;
  if (leadership_.term == held_in_ && Reachable(leadership_.leader)) {
    deps_.transport.Send(leadership_.leader, HoldForwards{held_in_});
  }
}

void ReplicaDriver::CheckHandOver(absl::Duration now) {
  if (!handing_over_.has_value()) return;
  if (leadership_.role != Role::kLeader) {
    const bool others = std::any_of(peers_.begin(), peers_.end(),
                                    [this](const auto& peer) { return Reachable(peer.first); });
    const absl::Duration stays =
        others ? kSuccessorElections * options_.election_timeout : absl::ZeroDuration();
    if (leadership_.leader != ServerId() || now >= handing_over_->deadline + stays) EndHandOver();
    return;
  }
  if (now >= handing_over_->deadline) {
    LOG_INFO("leadership could not be handed over id={}", options_.id);
    return EndHandOver();
  }
  // All others wait for a server that does not answer, so it is not waited for to the end: what it
  // forwards from now on is refused.
  std::erase_if(handing_over_->awaited, [this](ServerId server) { return !Reachable(server); });
  const absl::Duration waited = now - (handing_over_->deadline - options_.election_timeout);
  const bool held =
      handing_over_->awaited.empty() || waited >= options_.election_timeout * kHoldAwaitedShare;
  if (handing_over_->begun || !held || applied_told_ < core_->last_index()) return;
  if (absl::Status status = core_->TransferLeadership(handing_over_->to); !status.ok()) {
    LOG_INFO("leadership is not handed over id={} reason=\"{}\"", options_.id, status);
    return EndHandOver();
  }
  LOG_INFO("leadership is handed over id={} to={}", options_.id, core_->transfer_target());
  instruments_.handovers.Add();
  handing_over_->begun = true;
  RequestPump();
}

void ReplicaDriver::EndHandOver() {
  if (!handing_over_.has_value()) return;
  std::vector<absl::AnyInvocable<void()>> done = std::move(handing_over_->done);
  handing_over_.reset();
  held_until_ = -absl::InfiniteDuration();
  for (absl::AnyInvocable<void()>& each : done) each();
  RequestPump();
}

// --- What is under way when the leader changes

void ReplicaDriver::NoteAppended(Term term, LogIndex index) {
  if (index <= committed_) return;
  if (appended_.empty() || appended_.back().term < term) appended_.push_back({term, index});
  appended_.back().index = std::max(appended_.back().index, index);
}

// Given every committed entry. What a leader appended is committed before any entry of a later term, or
// never (paper section 5.3, log matching): true when that is how something was lost.
bool ReplicaDriver::SettleAppended(const raft::Entry& entry) {
  bool lost = false;
  while (!appended_.empty()) {
    const Appended& oldest = appended_.front();
    if (entry.term < oldest.term) break;
    if (entry.term == oldest.term && entry.index < oldest.index) break;
    lost |= entry.term > oldest.term;
    appended_.pop_front();
  }
  return lost;
}

// Nobody is there who could commit it: those who wait may learn its fate at another server.
void ReplicaDriver::CheckInDoubt(absl::Duration now) {
  if (HasLeader() || HoldsProposals(now)) return;
  BreakForwardStream("no leader is known or connected");
  if (appended_.empty()) return;
  appended_.clear();
  deps_.state_machine.OnProposalsInDoubt();
}

// A read is as good under the next leader, with its note. What another server asked is not answered: it
// asks the next one by itself when it hears of that, and would refuse its readers if it were told no.
void ReplicaDriver::AskAgain(ReadTable::Round round) {
  std::move(round.callers.begin(), round.callers.end(), std::back_inserter(waiting_readers_));
  if (!waiting_readers_.empty()) RequestPump();
}

// Whether a server that could lead has written what this one's disk has not.
bool ReplicaDriver::OtherIsAhead() const {
  const auto waits = std::find_if(unpersisted_.begin(), unpersisted_.end(),
                                  [](const Unpersisted& pending) { return !pending.durable; });
  const LogIndex last = waits == unpersisted_.end() ? LogIndex() : waits->last;
  const std::vector<raft::PeerStatus> peers = core_->Peers();
  return std::any_of(peers.begin(), peers.end(), [last](const raft::PeerStatus& peer) {
    return peer.voter && peer.active && !peer.awaiting_readmission && peer.match >= last;
  });
}

// A leader that can't write holds everybody up, though the others could go on without it. Where they
// wait for their disks as well, as for one that all share, another leader would be no faster, and giving
// up leadership would only leave what is under way unknown.
void ReplicaDriver::CheckDisk() {
  if (leadership_.role != Role::kLeader) return;
  const absl::Duration writing = deps_.log.WritingFor();
  if (writing <= options_.election_timeout || core_->transfer_target() != ServerId()) return;
  if (!OtherIsAhead() || !core_->TransferLeadership(ServerId()).ok()) return;
  instruments_.handovers.Add();
  LOG_WARN("a write of the log takes too long, leadership is handed over id={} to={} seconds={:.1f}",
           options_.id, core_->transfer_target(), absl::ToDoubleSeconds(writing));
}

}  // namespace bellwether::coord
