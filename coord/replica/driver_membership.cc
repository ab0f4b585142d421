// Who is in the ensemble: the log says so, the transport and the others follow it, and the leader
// changes it when asked to.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "coord/replica/replica_driver.h"

namespace bellwether::coord {
namespace {

// Election timeouts: how long a server that was removed may still be told so, a change may take, and
// whoever asked at another server waits.
constexpr int kLeavingElections = 10;
constexpr int kChangeElections = 20;
constexpr int kAskElections = 25;

absl::Status NoLeaderForChange() {
  return absl::UnavailableError("no leader is known or connected; try again");
}

absl::Status NewLeader() { return absl::UnavailableError("this leader is new; try again"); }

// Of a transfer to `to` (0: anybody else), when it is over and `leader` leads: one that others asked for
// may have come first.
absl::Status CheckTransferred(ServerId to, ServerId leader) {
  if (to == ServerId() || to == leader) return absl::OkStatus();
  return absl::UnavailableError(fmt::format(
      "leadership went to server {} before it could be handed to server {}; try again", leader, to));
}

}  // namespace

// --- Following the log

// At the end of every round.
void ReplicaDriver::CheckMembership(absl::Duration now) {
  // At one index there may be another one, when a leader's entry replaced an uncommitted one.
  const bool moved =
      core_ != nullptr && (members_said_ != core_->membership_index() ||
                           membership_said_ != core_->membership());
  if (std::exchange(servers_due_, false) || moved) UpdateServers(now);
  if (moved) SayMembership();
  if (core_ != nullptr) UpdateRole();
  AnswerComplete();
  AnswerLate(now);
  if (InContact(now)) refused_by_ = ServerId();
  const std::string reason = InContact(now) ? "" : NotAMemberReason();
  if (!reason.empty() && !told_not_a_member_) {
    LOG_WARN("not in the ensemble id={} reason=\"{}\"", options_.id, reason);
  }
  told_not_a_member_ = !reason.empty();
}

// Those of the newest membership; of one that a peer says is newer, so that a server that was away can
// hear a leader that it does not know (thesis section 4.1); and for a while who was removed.
std::vector<PeerAddress> ReplicaDriver::WantedServers(absl::Duration now) {
  std::map<ServerId, std::string> wanted;
  LogIndex own_index;
  if (core_ == nullptr) {
    for (const PeerAddress& server : options_.servers) wanted[server.id] = server.address;
  } else {
    own_index = core_->membership_index();
    for (ServerId server : core_->membership().Servers()) {
      wanted[server] = core_->membership().Find(server)->address;
    }
    // It is not added yet, or was removed: only those it was told of may say more.
    if (!wanted.contains(options_.id)) {
      for (const PeerAddress& server : options_.servers) wanted.try_emplace(server.id, server.address);
    }
  }
  std::vector<const Hello*> heard;
  for (const auto& [id, peer] : peers_) {
    if (Reachable(id)) heard.push_back(&*peer.hello);
  }
  std::stable_sort(heard.begin(), heard.end(), [](const Hello* a, const Hello* b) {
    return a->members_index < b->members_index;
  });
  for (const Hello* hello : heard) {
    // What the log of an emptied server begins with is no more than what its flags say.
    const bool newer = hello->members_index > own_index ||
                       (folder_ == FolderState::kAwaiting && hello->folder == FolderState::kMember);
    for (const PeerAddress& member : hello->members) {
      if (!newer && !wanted.contains(member.id)) continue;
      std::string& address = wanted[member.id];
      if (address.empty() || (newer && !member.address.empty())) address = member.address;
      // However it is spelled: another address would break the connection.
      const Peer* const peer = newer && Reachable(member.id) ? FindPeer(member.id) : nullptr;
      if (peer != nullptr && !peer->address.address.empty()) address = peer->address.address;
    }
  }
  for (const PeerAddress& server : options_.servers) {
    auto found = wanted.find(server.id);
    if (found != wanted.end() && found->second.empty()) found->second = server.address;
  }
  for (auto& [id, address] : wanted) {  // who told it may be gone
    if (address.empty() && peers_.contains(id)) address = peers_.at(id).address.address;
  }
  std::erase_if(leaving_, [&](const auto& leaving) {
    return wanted.contains(leaving.first) || !peers_.contains(leaving.first);
  });
  for (const auto& [id, until] : leaving_) {
    if (now < until) wanted[id] = peers_.at(id).address.address;
  }
  wanted.try_emplace(options_.id, "");
  std::vector<PeerAddress> servers;
  for (auto& [id, address] : wanted) servers.push_back({id, std::move(address)});
  return servers;
}

void ReplicaDriver::UpdateServers(absl::Duration now) {
  std::vector<PeerAddress> wanted = WantedServers(now);
  const auto address_of = [](const std::vector<PeerAddress>& servers, ServerId id) {
    const auto found = std::find_if(servers.begin(), servers.end(),
                                    [id](const PeerAddress& server) { return server.id == id; });
    return found == servers.end() ? nullptr : &found->address;
  };
  bool leave = false;
  for (const auto& [id, peer] : peers_) {
    if (address_of(wanted, id) != nullptr || leaving_.contains(id)) continue;
    leaving_[id] = now + kLeavingElections * options_.election_timeout;
    leave = true;
  }
  if (leave) wanted = WantedServers(now);
  if (wanted == servers_) return;
  std::vector<ServerId> gone;
  for (const auto& [id, peer] : peers_) {
    const std::string* const address = address_of(wanted, id);
    if (address == nullptr || *address != peer.address.address) gone.push_back(id);
  }
  for (ServerId id : gone) DropPeer(id);
  for (const PeerAddress& server : wanted) {
    if (server.id != options_.id) peers_[server.id].address = server;
  }
  servers_ = std::move(wanted);
  deps_.transport.SetServers(servers_);
  PublishStatus();
}

// As if its connection had ended; the transport says nothing of it any more.
void ReplicaDriver::DropPeer(ServerId server) {
  LOG_INFO("peer dropped id={} peer={}", options_.id, server);
  if (FindPeer(server)->hello.has_value()) OnDisconnected(server);
  peers_.erase(server);
}

void ReplicaDriver::SayMembership() {
  if (members_said_.has_value()) {
    const raft::Membership& membership = core_->membership();
    LOG_INFO("membership id={} index={} servers={} joint={}", options_.id,
             core_->membership_index(), membership.Servers().size(), membership.IsJoint());
  }
  members_said_ = core_->membership_index();
  membership_said_ = core_->membership();
  SayHello();
  // Whether a peer is of the same ensemble depends on it, too.
  std::vector<Hello> heard;
  for (const auto& [id, peer] : peers_) {
    if (peer.hello.has_value()) heard.push_back(*peer.hello);
  }
  for (const Hello& hello : heard) OnHello(hello);
}

// --- Not being a member

// Known for sure: the entry that removed it is committed here. A new folder may just not have got yet to
// the one that adds it.
bool ReplicaDriver::Removed() const {
  return core_ != nullptr && folder_ == FolderState::kMember &&
         core_->membership_index() <= core_->commit() &&
         core_->membership().Find(options_.id) == nullptr;
}

// Empty as far as nothing is known against it.
std::string ReplicaDriver::NotAMemberReason() const {
  if (Removed()) {
    return fmt::format(
        "this server was removed from the ensemble; stop it, or add it again with `bell cluster add "
        "{}=HOST:PORT`",
        options_.id);
  }
  if (refused_by_ == ServerId()) return "";
  return fmt::format(
      "server {} says that this server is not in the ensemble: it was removed, or is not added yet; "
      "add it with `bell cluster add {}=HOST:PORT`, or stop it",
      refused_by_, options_.id);
}

void ReplicaDriver::OnRefused(ServerId peer) {
  if (!running_ || FindPeer(peer) == nullptr) return;
  refused_by_ = peer;
  RequestPump();
}

// --- Asking

void ReplicaDriver::AskMembership(MembershipChange change, MembershipDone done) {
  if (!running_) return done(absl::UnavailableError("this server is stopping"));
  MembershipAsk ask;
  ask.change = std::move(change);
  ask.done = std::move(done);
  const absl::Duration now = deps_.clock.Monotonic();
  if (core_ != nullptr && leadership_.role == Role::kLeader) {
    ask.deadline = now + kChangeElections * options_.election_timeout;
    return AskAsLeader(std::move(ask));
  }
  const ServerId leader = leadership_.leader;
  if (!Reachable(leader)) return ask.done(NoLeaderForChange());
  ask.deadline = now + kAskElections * options_.election_timeout;
  ask.asked_of = leader;
  MembershipRequest request{++last_ask_, ask.change};
  asked_.emplace(request.id, std::move(ask));
  deps_.transport.Send(leader, std::move(request));
}

void ReplicaDriver::OnMembershipRequest(ServerId from, MembershipRequest request) {
  MembershipAsk ask;
  ask.change = std::move(request.change);
  ask.asker = from;
  ask.asker_id = request.id;
  ask.deadline = deps_.clock.Monotonic() + kChangeElections * options_.election_timeout;
  AskAsLeader(std::move(ask));
}

void ReplicaDriver::OnMembershipReply(ServerId, MembershipReply reply) {
  auto found = asked_.find(reply.id);
  if (found == asked_.end()) return;  // given up
  MembershipAsk ask = std::move(found->second);
  asked_.erase(found);
  AnswerAsk(std::move(ask), std::move(reply.view));
}

void ReplicaDriver::AnswerAsk(MembershipAsk ask, absl::StatusOr<MembershipView> view) {
  if (ask.asker == ServerId()) return ask.done(std::move(view));
  if (!Reachable(ask.asker)) return;
  deps_.transport.Send(ask.asker, MembershipReply{ask.asker_id, std::move(view)});
}

// --- At the leader

bool ReplicaDriver::ChangeComplete() const {
  return !core_->membership().IsJoint() && core_->membership_index() <= core_->commit();
}

MembershipView ReplicaDriver::ViewAsLeader() const {
  MembershipView view;
  view.term = core_->term();
  view.leader = core_->leader();
  view.index = core_->membership_index();
  view.last_index = core_->last_index();
  view.changing = !ChangeComplete();
  const raft::Membership& membership = core_->membership();
  const std::vector<raft::PeerStatus> peers = core_->Peers();
  for (ServerId server : membership.Servers()) {
    const auto& target = membership.IsJoint() ? membership.next : membership.members;
    const auto member = std::find_if(target.begin(), target.end(),
                                     [&](const raft::Member& m) { return m.id == server; });
    MemberInfo& info = view.members.emplace_back();
    info.id = server;
    info.address = membership.Find(server)->address;
    info.leaving = member == target.end();
    info.voter = info.leaving ? membership.IsVoter(server) : member->voter;
    if (server == options_.id) {
      if (info.address.empty()) info.address = OwnAddress();
      info.grpc = options_.grpc;
      info.active = true;
      info.match = core_->last_index();
      continue;
    }
    if (const Peer* const peer = FindPeer(server)) info.grpc = peer->grpc;
    const auto status = std::find_if(peers.begin(), peers.end(), [&](const raft::PeerStatus& p) {
      return p.server == server;
    });
    if (status == peers.end()) continue;
    info.active = status->active;
    info.awaiting_readmission = status->awaiting_readmission;
    info.needs_snapshot = status->needs_snapshot;
    info.match = status->match;
  }
  return view;
}

std::string ReplicaDriver::OwnAddress() const {
  for (const PeerAddress& server : options_.servers) {
    if (server.id == options_.id) return server.address;
  }
  return "";
}

// An ensemble that began as a single server without peers does not know that one's address yet.
std::vector<raft::Member> ReplicaDriver::WithAddresses(std::vector<raft::Member> members) const {
  for (raft::Member& member : members) {
    if (!member.address.empty()) continue;
    if (member.id == options_.id) {
      member.address = OwnAddress();
    } else if (const Peer* const peer = FindPeer(member.id)) {
      member.address = peer->address.address;
    }
  }
  return members;
}

void ReplicaDriver::AskAsLeader(MembershipAsk ask) {
  if (core_ == nullptr || core_->role() != raft::Role::kLeader ||
      leadership_.role != Role::kLeader) {
    return AnswerAsk(std::move(ask), NoLeaderForChange());
  }
  if (ask.change.kind == MembershipChange::Kind::kNone) {
    return AnswerAsk(std::move(ask), ViewAsLeader());
  }
  if (ask.change.kind == MembershipChange::Kind::kTransfer) {
    return TransferAsLeader(std::move(ask));
  }
  if (absl::Status begun = BeginChange(ask.change); !begun.ok()) {
    return AnswerAsk(std::move(ask), std::move(begun));
  }
  changes_.push_back(std::move(ask));
  RequestPump();
}

// Without one it may not change anything (R5), nor does it know who is up.
bool ReplicaDriver::CommittedInItsTerm() const {
  return core_->TermAt(core_->commit()) == core_->term();
}

// OK: the members are, or will be when the change under way is complete, as asked.
absl::Status ReplicaDriver::BeginChange(const MembershipChange& change) {
  if (!CommittedInItsTerm()) return NewLeader();
  const raft::Membership& membership = core_->membership();
  const std::vector<raft::Member>& now =
      membership.IsJoint() ? membership.next : membership.members;
  ASSIGN_OR_RETURN(std::vector<raft::Member> after, MembersAfter(now, change));
  if (after == now) return absl::OkStatus();
  after = WithAddresses(std::move(after));
  RETURN_IF_ERROR(CheckSafe(after, ViewAsLeader()));
  LOG_INFO("membership is changed id={} kind={} server={} address={}", options_.id,
           static_cast<int>(change.kind), change.server, change.address);
  const absl::Status proposed = core_->ProposeMembership(std::move(after)).status();
  return absl::IsAlreadyExists(proposed) ? absl::OkStatus() : proposed;
}

// With all care taken, as when this server stops, so that clients hardly notice.
void ReplicaDriver::TransferAsLeader(MembershipAsk ask) {
  const ServerId to = ask.change.server;
  if (!CommittedInItsTerm()) return AnswerAsk(std::move(ask), NewLeader());
  if (absl::Status able = CheckTransfer(to, ViewAsLeader()); !able.ok()) {
    return AnswerAsk(std::move(ask), std::move(able));
  }
  if (to == options_.id) return AnswerAsk(std::move(ask), ViewAsLeader());
  HandOver(to, [weak = weak_from_this(), ask = std::move(ask)]() mutable {
    std::shared_ptr<ReplicaDriver> self = weak.lock();
    if (self == nullptr) return;
    const ServerId leader = self->core_->leader();
    if (self->core_->role() == raft::Role::kLeader || leader == ServerId()) {
      return self->AnswerAsk(std::move(ask),
                             absl::UnavailableError("leadership was not handed over: nobody took it "
                                                    "in time; try again"));
    }
    self->AnswerTransferred(std::move(ask), leader);
  });
}

// Somebody else leads now.
void ReplicaDriver::AnswerTransferred(MembershipAsk ask, ServerId leader) {
  absl::Status transferred = CheckTransferred(ask.change.server, leader);
  if (!transferred.ok()) return AnswerAsk(std::move(ask), std::move(transferred));
  AnswerAsk(std::move(ask), ViewAsLeader());
}

void ReplicaDriver::AnswerComplete() {
  if (changes_.empty() || core_->role() != raft::Role::kLeader || !ChangeComplete()) return;
  std::vector<MembershipAsk> complete = std::exchange(changes_, {});
  for (MembershipAsk& ask : complete) AnswerAsk(std::move(ask), ViewAsLeader());
}

void ReplicaDriver::AnswerLate(absl::Duration now) {
  std::vector<MembershipAsk> late;
  for (auto ask = changes_.begin(); ask != changes_.end();) {
    if (now < ask->deadline) {
      ++ask;
      continue;
    }
    late.push_back(std::move(*ask));
    ask = changes_.erase(ask);
  }
  for (auto ask = asked_.begin(); ask != asked_.end();) {
    if (now < ask->second.deadline) {
      ++ask;
      continue;
    }
    late.push_back(std::move(ask->second));
    ask = asked_.erase(ask);
  }
  for (MembershipAsk& ask : late) {
    EndAsk(std::move(ask), absl::DeadlineExceededError("no answer of the leader in time"));
  }
}

// --- Ends

// A transfer is over when somebody else leads.
void ReplicaDriver::BreakAsks(std::string_view why) {
  std::vector<MembershipAsk> broken = std::exchange(changes_, {});
  std::vector<MembershipAsk> transferred;
  for (auto ask = asked_.begin(); ask != asked_.end();) {
    const bool is_transfer = ask->second.change.kind == MembershipChange::Kind::kTransfer;
    const bool same = leadership_.leader == ServerId() ||
                      leadership_.leader == ask->second.asked_of;
    if (is_transfer && same) {
      ++ask;
      continue;
    }
    (is_transfer ? transferred : broken).push_back(std::move(ask->second));
    ask = asked_.erase(ask);
  }
  for (MembershipAsk& ask : transferred) AnswerTransferred(std::move(ask), leadership_.leader);
  for (MembershipAsk& ask : broken) {
    EndAsk(std::move(ask), absl::UnavailableError(base::AbslView(why)));
  }
}

// A question fails as it is; a change may have been made all the same.
void ReplicaDriver::EndAsk(MembershipAsk ask, const absl::Status& why) {
  if (ask.change.kind == MembershipChange::Kind::kNone) {
    return AnswerAsk(std::move(ask), absl::Status(why.code(), why.message()));
  }
  AnswerAsk(std::move(ask),
            base::UnknownOutcome(
                why.code(), fmt::format("{}, so the change may be made or not; look at `bell "
                                        "cluster members` and ask again, which is safe",
                                        base::StdView(why.message()))));
}

void ReplicaDriver::FailAsks(const absl::Status& rejected) {
  std::map<uint64_t, MembershipAsk> asked = std::exchange(asked_, {});
  std::vector<MembershipAsk> asks = std::exchange(changes_, {});
  for (auto& [id, ask] : asked) asks.push_back(std::move(ask));
  for (MembershipAsk& ask : asks) EndAsk(std::move(ask), rejected);
}

}  // namespace bellwether::coord
