// Who this server is to the others: the forming of the ensemble, and whether peers belong to it.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "coord/replica/hello_check.h"
#include "coord/replica/replica_driver.h"

namespace bellwether::coord {
namespace {

// Election timeouts that a server that disagrees with its peers has to find a quorum that agrees.
constexpr int kDisagreementElections = 10;

// A folder into which a state was restored names the servers that it was restored for: with another
// list its server could form an ensemble without the others.
absl::Status CheckRestoredFor(const std::vector<PeerAddress>& servers,
                              const std::optional<SnapshotInfo>& snapshot) {
  if (!snapshot.has_value()) {
    return absl::DataLossError(
        "the snapshot that was restored into this folder is gone; empty the folder and restore "
        "again");
  }
  std::vector<PeerAddress> restored_for;
  for (const raft::Member& member : snapshot->meta.membership.members) {
    restored_for.push_back({member.id, member.address});
  }
  if (restored_for == servers) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "this folder was restored for other servers than --peer lists now; give the --peer flags of "
      "the restore, or empty the folder and restore again with these");
}

const PeerAddress* Find(const std::vector<PeerAddress>& servers, ServerId server) {
  auto found = std::find_if(servers.begin(), servers.end(),
                            [&](const PeerAddress& one) { return one.id == server; });
  return found == servers.end() ? nullptr : &*found;
}

}  // namespace

const ReplicaDriver::Peer* ReplicaDriver::FindPeer(ServerId server) const {
  auto found = peers_.find(server);
  return found == peers_.end() ? nullptr : &found->second;
}

ReplicaDriver::Peer* ReplicaDriver::FindPeer(ServerId server) {
  auto found = peers_.find(server);
  return found == peers_.end() ? nullptr : &found->second;
}

Hello ReplicaDriver::MakeHello() const {
  Hello hello;
  hello.ensemble_id = ensemble_id_;
  hello.server_id = options_.id;
  hello.folder_id = options_.folder_id;
  hello.process_id = process_id_;
  hello.servers = options_.servers;
  hello.grpc = options_.grpc;
  hello.zk = options_.zk;
  hello.folder = folder_;
  hello.heard_empty = told_heard_empty_;
  if (folder_ == FolderState::kRestored) hello.restore_id = formation_.restore_id();
  hello.feature_levels = options_.feature_levels;
  if (core_ != nullptr) {
    for (ServerId server : core_->membership().Servers()) {
      hello.members.push_back({server, core_->membership().Find(server)->address});
    }
    hello.members_index = core_->membership_index();
  }
  return hello;
}

void ReplicaDriver::SayHello() {
  hello_said_ = deps_.clock.Monotonic();
  deps_.transport.UpdateHello(MakeHello());
}

void ReplicaDriver::SetEnsembleId(base::Uuid ensemble_id) {
  if (ensemble_id_ == ensemble_id) return;
  LOG_INFO("ensemble known id={} ensemble_id={}", options_.id, ensemble_id.ToString());
  ensemble_id_ = ensemble_id;
  if (running_) SayHello();
}

// --- Forming

void ReplicaDriver::BeginOrForm() {
  if (std::optional<raft::HardState> hard_state = deps_.log.InitialHardState()) {
    const bool voter = hard_state->standing == raft::Standing::kVoter;
    folder_ = voter ? FolderState::kMember : FolderState::kAwaiting;
    return PrepareLog(*hard_state);
  }
  if (!ensemble_id_.IsNil()) {
    if (peers_.empty()) {
      return Fail(absl::DataLossError(fmt::format(
          "the data folder belongs to ensemble {} but its log is gone; restore the log, or empty "
          "the folder to begin a new ensemble",
          ensemble_id_.ToString())));
    }
    return JoinAs(MUTANT(31) ? raft::Standing::kVoter : raft::Standing::kAwaitingReadmission);
  }
  if (absl::Status status = formation_.Restore(deps_.log.InitialFormation()); !status.ok()) {
    return Fail(std::move(status));
  }
  told_heard_empty_ = formation_.heard_empty();
  if (!formation_.restore_id().IsNil()) {
    folder_ = FolderState::kRestored;
    if (absl::Status status = CheckRestoredFor(options_.servers, deps_.snapshots.Newest());
        !status.ok()) {
      return Fail(std::move(status));
    }
  }
  if (formation_.verdict() == Formation::Verdict::kVoter) {
    JoinAs(raft::Standing::kVoter);
  } else {
    LOG_INFO("forming id={} state=\"{}\"", options_.id, formation_.WaitingFor());
  }
}

// From now on the folder has a part in an ensemble; durable before the core may promise anything.
void ReplicaDriver::JoinAs(raft::Standing standing) {
  if (std::exchange(joining_, true)) return;
  const raft::HardState hard_state{Term(), ServerId(), standing};
  PersistRequest request;
  request.hard_state = hard_state;
  if (standing == raft::Standing::kVoter) request.formation = formation_.EncodeFormed();
  deps_.log.Persist(std::move(request),
                    [weak = weak_from_this(), hard_state](absl::Status status) {
    std::shared_ptr<ReplicaDriver> self = weak.lock();
    if (self == nullptr || !self->running_) return;
    if (!status.ok()) return self->Fail(std::move(status));
    const bool voter = hard_state.standing == raft::Standing::kVoter;
    self->folder_ = voter ? FolderState::kMember : FolderState::kAwaiting;
    LOG_INFO("{} id={}", voter ? "formed as a voter" : "awaits readmission to the ensemble",
             self->options_.id);
    self->PrepareLog(hard_state);
    if (self->running_) self->SayHello();
  });
}

// The log may be from before the newest snapshot, when a crash came between the receipt of that and
// its installation: then it is to begin behind the snapshot (R18).
void ReplicaDriver::PrepareLog(const raft::HardState& hard_state) {
  joining_ = true;
  const std::optional<SnapshotInfo> newest = deps_.snapshots.Newest();
  if (!newest.has_value()) return StartCore(hard_state, {});
  const raft::SnapshotMeta& meta = newest->meta;
  ShowSnapshot(*newest);
  bool continues = deps_.log.FirstIndex() == meta.index + 1;
  if (deps_.log.FirstIndex() <= meta.index && meta.index <= deps_.log.LastIndex()) {
    const absl::StatusOr<Term> term = deps_.log.TermAt(meta.index);
    if (!term.ok()) return Fail(term.status());
    continues = *term == meta.term;
  }
  if (continues || deps_.log.FirstIndex() > meta.index + 1) return StartCore(hard_state, meta);
  LOG_INFO("log begins anew behind the snapshot id={} snapshot={} log_last={}", options_.id,
           meta.index, deps_.log.LastIndex());
  PersistRequest request;
  request.reset_to = meta.index;
  deps_.log.Persist(std::move(request), [weak = weak_from_this(), hard_state,
                                         meta](absl::Status status) {
    std::shared_ptr<ReplicaDriver> self = weak.lock();
    if (self == nullptr || !self->running_) return;
    if (!status.ok()) return self->Fail(std::move(status));
    self->StartCore(hard_state, meta);
  });
}

// Who formed the ensemble, until its log says who is in it: what the folder remembers, since flags may
// have changed since.
std::vector<raft::Member> ReplicaDriver::FirstMembers() const {
  std::vector<raft::Member> members;
  for (const PeerAddress& server : options_.servers) members.push_back({server.id, server.address});
  if (const auto others = Formation::FormedWith(deps_.log.InitialFormation())) {
    std::erase_if(members, [&](const raft::Member& member) {
      return member.id != options_.id &&
             std::find(others->begin(), others->end(), member.id) == others->end();
    });
    for (ServerId other : *others) {
      const bool known = std::any_of(members.begin(), members.end(), [&](const raft::Member& member) {
        return member.id == other;
      });
      if (!known) members.push_back({other, ""});  // learned from the others, when they are met
    }
  }
  std::sort(members.begin(), members.end(),
            [](const raft::Member& a, const raft::Member& b) { return a.id < b.id; });
  return members;
}

void ReplicaDriver::StartCore(const raft::HardState& hard_state, raft::SnapshotMeta snapshot) {
  raft::Options options;
  options.snapshot = std::move(snapshot);
  options.self = options_.id;
  options.membership.members = FirstMembers();
  options.folder_id = options_.folder_id;
  options.election_timeout_ticks =
      static_cast<uint32_t>(options_.election_timeout / options_.tick);
  options.heartbeat_ticks = static_cast<uint32_t>(options_.heartbeat / options_.tick);
  options.uncommitted_bytes_max = options_.uncommitted_bytes_max;
  options.append_bytes_max = options_.entry_bytes_max;
  auto core = raft::RaftCore::Create(options, hard_state, deps_.log, random_);
  if (!core.ok()) return Fail(core.status());
  core_ = *std::move(core);
  MeasureDiskRoom();  // what it says from now on says this, too
  if (options.snapshot.index != LogIndex()) {
    RestoreState(options.snapshot.index, options.snapshot.term);
  }
  RequestPump();
}

void ReplicaDriver::RememberFormation() {
  PersistRequest request;
  request.formation = formation_.Encode();
  deps_.log.Persist(std::move(request), [weak = weak_from_this(),
                                         heard = formation_.heard_empty()](absl::Status status) {
    std::shared_ptr<ReplicaDriver> self = weak.lock();
    if (self == nullptr || !self->running_) return;
    if (!status.ok()) return self->Fail(std::move(status));
    if (self->told_heard_empty_ != heard) {
      self->told_heard_empty_ = heard;
      self->SayHello();
    }
    if (self->core_ == nullptr && self->formation_.verdict() == Formation::Verdict::kVoter) {
      self->JoinAs(raft::Standing::kVoter);
    }
  });
}

// --- Peers

void ReplicaDriver::OnConnected(const Hello& hello) {
  if (!running_) return;
  LOG_INFO("peer connected id={} peer={}", options_.id, hello.server_id);
  OnHello(hello);
}

void ReplicaDriver::OnHello(const Hello& hello) {
  Peer* peer = FindPeer(hello.server_id);
  if (peer == nullptr) return;
  const bool was_reachable = Reachable(hello.server_id);
  peer->hello = hello;
  peer->grpc = hello.grpc;
  peer->zk = hello.zk;
  peer->feature_levels = hello.feature_levels;
  absl::Status same = CheckSameEnsemble(MakeHello(), hello);
  if (!same.ok()) {
    peer->refused_last = deps_.clock.Monotonic();
    if (peer->refused.ok()) {
      peer->refused_first = peer->refused_last;
      LOG_WARN("peer refused id={} peer={} reason=\"{}\"", options_.id, hello.server_id, same);
    }
    peer->refused = std::move(same);
    return;
  }
  peer->refused = absl::OkStatus();
  if (refused_by_ == hello.server_id) refused_by_ = ServerId();
  servers_due_ = true;  // it may name some that this one does not know
  RequestPump();
  if (!was_reachable && hello.server_id == leadership_.leader) OpenForwardStream();
  if (core_ != nullptr || joining_) return;
  const bool more = formation_.OnHello(hello);
  if (formation_.verdict() == Formation::Verdict::kAwaitReadmission) {
    JoinAs(raft::Standing::kAwaitingReadmission);
  } else if (more) {
    RememberFormation();
  }
}

void ReplicaDriver::OnDisconnected(ServerId server) {
  Peer* peer = FindPeer(server);
  if (!running_ || peer == nullptr) return;
  LOG_INFO("peer disconnected id={} peer={}", options_.id, server);
  peer->hello.reset();
  peer->disk_room = raft::DiskRoom::kAll;
  snapshot_progress_.End(server);
  forward_receiver_.Forget(server);
  if (core_ != nullptr) core_->OnDisconnected(server);
  if (server == forward_sender_.leader()) {
    BreakForwardStream("the connection to the leader broke");
  }
  if (server == leadership_.leader) BreakAsks("the connection to the leader broke");
}

// A server that disagrees with its peers gives them time to show that it is they who are wrong.
void ReplicaDriver::CheckRefusals(absl::Duration now) {
  const absl::Duration grace = kDisagreementElections * options_.election_timeout;
  size_t agree = 0;
  size_t disagree = 0;
  const Peer* overdue = nullptr;
  for (auto& [id, peer] : peers_) {
    if (peer.refused.ok()) {
      agree += peer.hello.has_value() ? 1 : 0;
      continue;
    }
    if (peer.hello.has_value()) peer.refused_last = now;
    if (now - peer.refused_last > grace) {
      peer.refused = absl::OkStatus();  // it has not been back
      continue;
    }
    ++disagree;
    if (now - peer.refused_first > grace) overdue = &peer;
  }
  if (overdue != nullptr && disagree > agree && !InContact(now)) Fail(overdue->refused);
}

// A member that its flags put elsewhere than where the others look for it hears them only because it
// called them: it stops rather than leave them without it some day. The others may know better than
// it only by a log that is as new as its own.
void ReplicaDriver::CheckAddress(absl::Duration now) {
  if (!running_ || core_ == nullptr) return;
  const PeerAddress* own = Find(options_.servers, options_.id);
  if (own == nullptr) return;
  size_t agree = 0;
  const Peer* denier = nullptr;
  size_t disagree = 0;
  for (const auto& [id, peer] : peers_) {
    if (!peer.hello.has_value() || !peer.refused.ok()) continue;
    const PeerAddress* known = Find(peer.hello->members, options_.id);
    const bool denies = known != nullptr && !known->address.empty() &&
                        AreApart(known->address, own->address) &&
                        peer.hello->members_index >= core_->membership_index();
    if (denies) denier = &peer;
    (denies ? disagree : agree) += 1;
  }
  if (disagree <= agree) return address_denied_.reset();
  if (!address_denied_.has_value()) address_denied_ = now;
  if (now - *address_denied_ <= kDisagreementElections * options_.election_timeout) return;
  Fail(absl::FailedPreconditionError(fmt::format(
      "ensemble list disagrees with server {} at {}: there this server is {}={}, by its own --peer "
      "flag {}={}; give it the address that the others know, or remove it from the ensemble and add "
      "it with the new one",
      denier->address.id, denier->address.address, options_.id,
      Find(denier->hello->members, options_.id)->address, own->id, own->address)));
}

}  // namespace bellwether::coord
