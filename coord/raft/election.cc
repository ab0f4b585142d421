#include "coord/raft/election.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/mutant.h"

namespace bellwether::coord::raft {

ElectionTimer::ElectionTimer(uint32_t election_timeout_ticks, base::Random& random)
    : election_timeout_ticks_(election_timeout_ticks), random_(&random) {
  Restart();
}

void ElectionTimer::Tick() {
  ++elapsed_;
  if (since_leader_ != kNever) ++since_leader_;
}

void ElectionTimer::Restart() {
  elapsed_ = 0;
  timeout_ = election_timeout_ticks_ + random_->Below(election_timeout_ticks_);
}

void ElectionTimer::OnLeaderHeard() {
  if (std::exchange(leader_lost_, false)) Restart();
  elapsed_ = 0;
  since_leader_ = 0;
}

void ElectionTimer::OnLeaderLost(uint64_t ticks) {
  leader_lost_ = true;
  timeout_ = std::min(timeout_, elapsed_ + ticks);
}

void VoteTally::Clear() {
  granted_.clear();
  refused_.clear();
}

void VoteTally::Record(ServerId server, bool granted) {
  auto in = [server](const std::vector<ServerId>& servers) {
    return std::find(servers.begin(), servers.end(), server) != servers.end();
  };
  if (in(granted_) || in(refused_)) return;
  (granted ? granted_ : refused_).push_back(server);
}

VoteResult VoteTally::Result(const VoterSet& voters) const {
  return voters.Result(granted_, refused_);
}

VoteDecision DecideVote(ServerId candidate, const VoteRequest& request, const VoterView& view) {
  // A leader that asks for votes leads no more, so that its own lease doesn't shut it out (R11), and
  // one that hands over wants to be followed by the candidate.
  const bool in_lease =
      view.in_lease && view.leader != candidate && !request.leadership_transfer;
  const bool up_to_date = std::tie(request.last_term, request.last_index) >=
                          std::tie(view.last_term, view.last_index);
  const bool may_vote = view.standing == Standing::kVoter && (up_to_date || MUTANT(13));
  if (request.pre_vote) {
    const bool grant = request.campaign_term > view.term && may_vote && !in_lease;
    return grant ? VoteDecision::kGrant : VoteDecision::kRefuse;
  }
  if (request.campaign_term < view.term) return VoteDecision::kRefuse;
  if (request.campaign_term == view.term) {
    const bool free = view.vote == ServerId(0) || view.vote == candidate;
    const bool leaderless = view.leader == ServerId(0) || view.leader == candidate;
    return free && leaderless && may_vote ? VoteDecision::kGrant : VoteDecision::kRefuse;
  }
  if (in_lease) return VoteDecision::kIgnore;
  return may_vote ? VoteDecision::kGrant : VoteDecision::kRefuse;
}

}  // namespace bellwether::coord::raft
