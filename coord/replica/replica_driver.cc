#include "coord/replica/replica_driver.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"

namespace bellwether::coord {
namespace {

// The core's time never runs faster than this after the process was held up, so that messages that
// came meanwhile are heard before it decides that nobody is there.
constexpr int64_t kTicksAtOnceMax = 5;
// What was said may be lost, and a server that forms has nothing else that is said again.
constexpr absl::Duration kFormingHelloInterval = absl::Milliseconds(500);
constexpr absl::Duration kStatusInterval = absl::Seconds(1);
constexpr size_t kApplyRangeBytesMax = 1 << 20;

std::vector<ServerId> IdsOf(const std::vector<PeerAddress>& servers) {
  std::vector<ServerId> ids;
  for (const PeerAddress& server : servers) ids.push_back(server.id);
  return ids;
}

Role RoleOf(raft::Role role, bool votes) {
  switch (role) {
    case raft::Role::kFollower:
      return votes ? Role::kFollower : Role::kLearner;
    case raft::Role::kPreCandidate:
    case raft::Role::kCandidate:
      return Role::kCandidate;
    case raft::Role::kLeader:
      return Role::kLeader;
  }
  return Role::kFollower;
}

const char* NameOf(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
    case Role::kLearner:
      return "learner";
  }
  return "unknown";
}

}  // namespace

ReplicaDriver::ReplicaDriver(ReplicaOptions options, base::Uuid ensemble_id,
                             Replica::Dependencies deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      process_id_(base::Random(deps_.seed).Next()),
      instruments_(deps_.metrics),
      proposal_inbox_(options_.uncommitted_bytes_max),
      read_inbox_(options_.forward_bytes_max),
      note_inbox_(options_.forward_bytes_max),
      random_(deps_.seed),
      ensemble_id_(ensemble_id),
      formation_(options_.id, IdsOf(options_.servers)),
      applier_(deps_.state_machine, deps_.apply_executor, kApplyRangeBytesMax,
               [this](absl::Status status) {
                 PostSelf([status](ReplicaDriver& driver) { driver.Fail(status); });
               }),
      fetcher_(options_.snapshot_fetch),
      last_chunk_id_(process_id_),
      snapshot_work_(std::make_shared<SnapshotWork>()),
      snapshot_progress_(deps_.metrics),
      append_timer_(deps_.metrics) {
  servers_ = options_.servers;
  for (const PeerAddress& server : servers_) {
    if (server.id != options_.id) peers_[server.id].address = server;
  }
}

void ReplicaDriver::PostSelf(absl::AnyInvocable<void(ReplicaDriver&)> task) {
  deps_.executor.Post([weak = weak_from_this(), task = std::move(task)]() mutable {
    if (std::shared_ptr<ReplicaDriver> self = weak.lock()) task(*self);
  });
}

void ReplicaDriver::Start() {
  running_ = true;
  last_tick_ = deps_.clock.Monotonic();
  BeginOrForm();
  if (!running_) return;
  deps_.transport.Start(MakeHello(), *this);
  PublishStatus();
  ScheduleTick();
  RequestPump();
}

void ReplicaDriver::Stop() {
  if (!running_) return;
  running_ = false;
  snapshot_work_->stopped = true;
  deps_.executor.Cancel(tick_timer_);
  FailAllRequests(absl::UnavailableError("this server is stopping"));
  EndHandOver();
}

void ReplicaDriver::Fail(absl::Status status) {
  if (std::exchange(failed_, true)) return;
  LOG_ERROR("replica stops id={} reason=\"{}\"", options_.id, status);
  running_ = false;
  snapshot_work_->stopped = true;
  deps_.executor.Cancel(tick_timer_);
  FailAllRequests(absl::UnavailableError("this server is stopping"));
  EndHandOver();
  deps_.on_fatal(std::move(status));
}

void ReplicaDriver::OnApplied(LogIndex index) {
  reported_applied_.store(index.value());
  RequestPump();
}

ReplicaStatus ReplicaDriver::status() const {
  base::MutexLock lock(status_mutex_);
  return status_;
}

// --- Rounds

void ReplicaDriver::RequestPump() {
  if (pump_requested_.exchange(true)) return;
  PostSelf([](ReplicaDriver& driver) { driver.Pump(); });
}

void ReplicaDriver::Pump() {
  pump_requested_.store(false);
  if (!running_) return;
  if (core_ != nullptr) {
    const LogIndex applied(std::min(reported_applied_.load(), committed_.value()));
    if (applied > applied_told_) {
      applied_told_ = applied;
      if (const auto took = apply_timer_.End(applied, deps_.clock.Monotonic())) {
        instruments_.apply_seconds.Observe(*took);
      }
      core_->OnApplied(applied);
      applier_.OnApplied(applied);
      if (SnapshotDue(deps_.clock.Monotonic())) TakeSnapshot();
      ServeSnapshotCallers();
    }
    // What is proposed next must go where the state machine believes that it goes.
    const bool leads = core_->role() == raft::Role::kLeader;
    if (core_->term() != leadership_.term || core_->leader() != leadership_.leader ||
        leads != (leadership_.role == Role::kLeader)) {
      HandleReady();
    }
  }
  if (!running_) return;
  if (HasLeader()) led_at_ = deps_.clock.Monotonic();
  DrainNotes();
  DrainProposals();
  DrainReads();
  if (core_ != nullptr) HandleReady();
  if (!running_) return;
  CheckMembership(deps_.clock.Monotonic());
  CheckHandOver(deps_.clock.Monotonic());
}

// The proof of order: nothing else executes a Ready. The numbers are those of raft::Ready.
void ReplicaDriver::HandleReady() {
  while (running_) {
    std::optional<raft::Ready> ready = core_->TakeReady();
    if (!ready.has_value()) break;
    // 0. Who leads is known before anything that follows from it.
    if (ready->hard_state.has_value()) OnHardState(*ready->hard_state);
    if (ready->soft_state.has_value()) OnSoftState(*ready->soft_state);
    // 1. What promises nothing leaves while the disk works.
    SendAll(ready->messages);
    // 2. and 3. What promises something leaves when it is durable, and all before it.
    PersistReady(*ready);
    // 4. and 5. What is committed is applied, in order, on the applier's own thread; a snapshot
    // takes the place of what was committed before it.
    if (ready->install.has_value()) InstallSnapshot(*ready->install);
    if (!ready->committed.empty()) ApplyCommitted(std::move(ready->committed));
    // 6. Readers learn up to where they must wait.
    for (const raft::ReadResult& read : ready->reads) FinishRead(read.id.value(), read.index);
    for (raft::ReadId id : ready->lost_reads) {
      FinishRead(id.value(), absl::UnavailableError("the leader changed; try again"));
    }
    // 7. What the log can't give any more is fetched.
    if (ready->wanted_snapshot.has_value()) OnWantedSnapshot(*std::move(ready->wanted_snapshot));
  }
  if (running_ && !core_->status().ok()) Fail(core_->status());
  if (running_ && options_.check_invariants) core_->CheckInvariants();
}

void ReplicaDriver::PersistReady(raft::Ready& ready) {
  if (MUTANT(29)) SendAll(ready.messages_after_persist);
  Unpersisted& pending = unpersisted_.emplace_back();
  pending.id = ready.id;
  pending.messages_after = std::move(ready.messages_after_persist);
  if (!ready.NeedsPersist()) {
    pending.durable = true;
    ReleasePersisted();
    return;
  }
  if (!ready.entries.empty()) pending.last = ready.entries.back()->index;
  PersistRequest request;
  if (ready.install.has_value()) request.reset_to = ready.install->index;
  request.truncate_from = ready.truncate_from;
  request.entries = std::move(ready.entries);
  request.hard_state = ready.hard_state;
  deps_.log.Persist(std::move(request),
                    [weak = weak_from_this(), id = ready.id](absl::Status status) {
                      std::shared_ptr<ReplicaDriver> self = weak.lock();
                      if (self == nullptr || !self->running_) return;
                      if (!status.ok()) return self->Fail(std::move(status));
                      self->OnReadyPersisted(id);
                    });
}

void ReplicaDriver::OnReadyPersisted(raft::ReadyId id) {
  for (Unpersisted& pending : unpersisted_) {
    if (pending.id == id) pending.durable = true;
  }
  ReleasePersisted();
  RequestPump();
}

void ReplicaDriver::ReleasePersisted() {
  raft::ReadyId last;
  while (!unpersisted_.empty() && unpersisted_.front().durable) {
    last = unpersisted_.front().id;
    SendAll(unpersisted_.front().messages_after);
    unpersisted_.pop_front();
  }
  if (last != raft::ReadyId()) core_->OnPersisted(last);
}

void ReplicaDriver::ApplyCommitted(std::vector<raft::EntryPtr> committed) {
  const absl::Duration now = deps_.clock.Monotonic();
  committed_ = committed.back()->index;
  bool lost = false;
  for (const raft::EntryPtr& entry : committed) {
    log_bytes_since_snapshot_ += raft::EntryBytes(*entry);
    lost |= SettleAppended(*entry);
  }
  if (lost) deps_.state_machine.OnProposalsInDoubt();
  if (const auto took = commit_timer_.End(committed_, now)) {
    instruments_.commit_seconds.Observe(*took);
  }
  apply_timer_.Begin(committed_, now);
  applier_.Add(std::move(committed));
}

void ReplicaDriver::SendAll(std::vector<raft::Message>& messages) {
  for (raft::Message& message : messages) {
    const ServerId to = message.to;
    if (!Reachable(to)) continue;
    const auto* append = std::get_if<raft::AppendRequest>(&message.body);
    if (append != nullptr && !append->entries.empty()) {
      append_timer_.OnSent(to, append->entries.back()->index, deps_.clock.Monotonic());
    }
    if (auto* answer = std::get_if<raft::AppendResponse>(&message.body)) {
      answer->disk_room = disk_room_;
    } else if (auto* vote = std::get_if<raft::VoteResponse>(&message.body)) {
      vote->disk_room = disk_room_;
    }
    deps_.transport.Send(to, std::move(message));
  }
}

void ReplicaDriver::OnHardState(const raft::HardState& hard_state) {
  if (folder_ == FolderState::kAwaiting && hard_state.standing == raft::Standing::kVoter) {
    LOG_INFO("readmitted to the ensemble id={} term={}", options_.id, hard_state.term);
    folder_ = FolderState::kMember;
    SayHello();
    UpdateRole();
  }
}

bool ReplicaDriver::Votes() const {
  return core_->standing() == raft::Standing::kVoter &&
         core_->membership().IsVoter(options_.id);
}

// A server gets its vote, or loses it, without a change of leader.
void ReplicaDriver::UpdateRole() {
  const Role role = RoleOf(raft::Role::kFollower, Votes());
  const bool follows = leadership_.role == Role::kFollower || leadership_.role == Role::kLearner;
  if (!follows || leadership_.role == role) return;
  leadership_.role = role;
  deps_.state_machine.OnLeadership(leadership_);
  PublishStatus();
}

void ReplicaDriver::CountElections(const raft::SoftState& soft_state) {
  const bool leads = soft_state.role == raft::Role::kLeader;
  if (!leads && soft_state.role != raft::Role::kCandidate) return;
  if (std::exchange(stood_in_, soft_state.term) != soft_state.term) {
    instruments_.elections_started.Add();
  }
  if (leads) instruments_.elections_won.Add();
}

// One per term, however often this server loses sight of it.
void ReplicaDriver::CountLeaders() {
  if (leadership_.leader == ServerId()) return;
  if (std::exchange(led_in_, leadership_.term) != leadership_.term) instruments_.leader_changes.Add();
}

void ReplicaDriver::OnSoftState(const raft::SoftState& soft_state) {
  CountElections(soft_state);
  Leadership now;
  now.term = soft_state.term;
  now.leader = soft_state.leader;
  now.role = RoleOf(soft_state.role, Votes());
  if (now == leadership_) return;
  const bool same_leader = now.term == leadership_.term && now.leader == leadership_.leader;
  LOG_INFO("raft state id={} role={} term={} leader={}", options_.id, NameOf(now.role), now.term,
           now.leader);
  leadership_ = now;
  leadership_since_ = deps_.clock.Monotonic();
  instruments_.term.Set(static_cast<int64_t>(now.term.value()));
  instruments_.is_leader.Set(now.role == Role::kLeader ? 1 : 0);
  CountLeaders();
  state_machine_tick_ = deps_.clock.Monotonic();
  contact_asked_ = -absl::InfiniteDuration();
  if (now.role != Role::kLeader) {  // which has just been told with the votes
    for (auto& [id, peer] : peers_) peer.disk_room = raft::DiskRoom::kAll;
  }
  snapshot_progress_.Clear();
  append_timer_.Clear();
  commit_timer_.Clear();
  deps_.state_machine.OnLeadership(now);
  forward_receiver_.Clear();
  if (!ForwardStreamStands()) OpenForwardStream();
  for (ReadTable::Round& round : reads_.TakeAll()) AskAgain(std::move(round));
  if (!same_leader) BreakAsks("the leader changed");
  PublishStatus();
}

// --- Time

void ReplicaDriver::ScheduleTick() {
  tick_timer_ = deps_.executor.RunAfter(options_.tick, [weak = weak_from_this()] {
    if (std::shared_ptr<ReplicaDriver> self = weak.lock()) self->Tick();
  });
}

void ReplicaDriver::Tick() {
  if (!running_) return;
  const absl::Duration now = deps_.clock.Monotonic();
  if (core_ != nullptr) {
    TickCore(now - last_tick_);
  } else if (now - hello_said_ >= kFormingHelloInterval) {
    SayHello();
  }
  last_tick_ = now;
  servers_due_ = true;  // who was removed is told so for a while only
  ExpireRequests(now);
  CheckRefusals(now);
  CheckAddress(now);
  if (running_ && core_ != nullptr) {
    TickSnapshots(now);
    MeasureDiskRoom();
    CheckDisk();
  }
  if (!running_) return;
  if (MayDecide(now)) {
    deps_.state_machine.OnTick(now - state_machine_tick_);
    state_machine_tick_ = now;
  }
  PublishStatus();
  ScheduleTick();
  Pump();
}

void ReplicaDriver::TickCore(absl::Duration since_last) {
  tick_remainder_ += since_last;
  const int64_t due = tick_remainder_ / options_.tick;
  tick_remainder_ -= due * options_.tick;
  for (int64_t i = 0; i < std::min(due, kTicksAtOnceMax); ++i) core_->Tick();

  const absl::Duration now = last_tick_ + since_last;
  if (leadership_.role == Role::kLeader && now - contact_asked_ >= options_.heartbeat) {
    contact_asked_ = now;
    ReadTable::Round round;
    round.started = now;
    StartReadAsLeader(std::move(round));
  }
}

void ReplicaDriver::NoteContact(absl::Duration when) { contact_ = std::max(contact_, when); }

bool ReplicaDriver::InContact(absl::Duration now) const {
  return core_ != nullptr && leadership_.leader != ServerId() && !Removed() &&
         now - contact_ <= 2 * options_.election_timeout;
}

std::string ReplicaDriver::NotInContactReason() const {
  if (std::string reason = NotAMemberReason(); !reason.empty()) return reason;
  if (core_ == nullptr) return formation_.WaitingFor();
  size_t connected = 0;
  for (const auto& [id, peer] : peers_) connected += peer.hello.has_value() ? 1 : 0;
  return fmt::format("no leader confirmed within {}; connected to {} of {} other servers",
                     absl::FormatDuration(2 * options_.election_timeout), connected, peers_.size());
}

void ReplicaDriver::PublishStatus() {
  const absl::Duration now = deps_.clock.Monotonic();
  ReplicaStatus status;
  status.leadership = leadership_;
  status.leadership_since = leadership_since_;
  status.read_rounds = reads_.size();
  status.ensemble_id = ensemble_id_;
  if (core_ != nullptr) {
    status.commit_index = core_->commit();
    status.last_index = core_->last_index();
    status.snapshot_index = core_->snapshot().index;
    status.changing = !ChangeComplete();
  }
  status.applied_index = applier_.applied();
  status.in_contact = InContact(now);
  if (core_ != nullptr) {
    const absl::Duration until = contact_ + 2 * options_.election_timeout;
    contact_until_ns_ = absl::ToInt64Nanoseconds(Removed() ? -absl::InfiniteDuration() : until);
  }
  if (!status.in_contact) {
    status.not_in_contact_reason = NotInContactReason();
    status.is_member = NotAMemberReason().empty();
  }
  for (const PeerAddress& server : servers_) {
    const Peer* peer = FindPeer(server.id);
    ReplicaStatus::Peer& said = status.servers.emplace_back();
    said.address = server;
    said.grpc = peer == nullptr ? options_.grpc : peer->grpc;
    said.zk = peer == nullptr ? options_.zk : peer->zk;
    said.connected = peer == nullptr || peer->hello.has_value();
    said.voter = core_ == nullptr || core_->membership().IsVoter(server.id);
    said.member = core_ == nullptr || core_->membership().Find(server.id) != nullptr;
    said.feature_levels = peer == nullptr ? options_.feature_levels : peer->feature_levels;
  }
  if (now - log_measured_ >= kStatusInterval) {
    log_measured_ = now;
    log_bytes_ = deps_.log.Bytes();
  }
  status.log_bytes = log_bytes_;
  instruments_.commit_index.Set(static_cast<int64_t>(status.commit_index.value()));
  instruments_.applied_index.Set(static_cast<int64_t>(status.applied_index.value()));
  instruments_.last_index.Set(static_cast<int64_t>(status.last_index.value()));
  instruments_.commit_lag.Set(
      static_cast<int64_t>(status.last_index.value() - status.commit_index.value()));
  instruments_.apply_lag.Set(static_cast<int64_t>(
      status.commit_index.value() - std::min(status.commit_index, status.applied_index).value()));
  base::MutexLock lock(status_mutex_);
  status_ = std::move(status);
}

}  // namespace bellwether::coord
