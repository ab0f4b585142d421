#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/status.h"
#include "coord/replica/entry_payload.h"
#include "coord/service/replicated_log.h"

namespace bellwether::coord {

// A log of one server that never elects: commits in order, at once, unless told otherwise.
// Thread-safe.
// Fault model: while held, what is proposed is appended but not committed; RejectNext and
// LoseNext refuse one Propose call, respectively leave its fate unknown (it is not appended);
// reads fail while there is no leader.
class FakeLog : public ReplicatedLog {
 public:
  FakeLog(base::Executor& replica_executor, base::Executor& apply_executor)
      : replica_executor_(replica_executor), apply_executor_(apply_executor) {}

  void Drive(StateMachine& state_machine) { state_machine_ = &state_machine; }

  void Propose(std::vector<ProposedCommand> commands,
               absl::AnyInvocable<void(absl::Status)> done) override {
    base::MutexLock lock(mutex_);
    absl::Status status = TakeFault();
    if (status.ok()) {
      std::vector<std::string> payloads;
      size_t bytes = 0;
      for (ProposedCommand& command : commands) {
        bytes += command.bytes.size();
        commands_.push_back(command.bytes);
        payloads.push_back(std::move(command.bytes));
        principals_.push_back(std::move(command.principal));
      }
      bytes_proposed_max_ = std::max(bytes_proposed_max_, bytes);
      Append(std::move(payloads));
      if (!held_) CommitAll();
    }
    replica_executor_.Post(
        [done = std::move(done), status = std::move(status)]() mutable { done(status); });
  }

  void RequestRead(std::string note,
                   absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) override {
    if (!note.empty()) NoteArrives(std::move(note));
    base::MutexLock lock(mutex_);
    ++read_requests_;
    absl::StatusOr<LogIndex> index = committed_index_;
    if (!has_leader_) index = absl::UnavailableError("no leader");
    replica_executor_.Post([done = std::move(done), index]() mutable { done(index); });
  }

  // As SetMembership says; without that it does not play changes: a view of no members.
  void AskMembership(MembershipChange change,
                     absl::AnyInvocable<void(absl::StatusOr<MembershipView>)> done) override {
    replica_executor_.Post([this, change = std::move(change), done = std::move(done)]() mutable {
      done(membership_ ? membership_(change) : MembershipView());
    });
  }
  // How a leader answers, on the replica's executor. Before anybody asks.
  using Membership = std::function<absl::StatusOr<MembershipView>(const MembershipChange&)>;
  void SetMembership(Membership membership) { membership_ = std::move(membership); }

  // It has no snapshots.
  void SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done) override {
    done(absl::UnavailableError("no snapshots here"));
  }
  void ReadSnapshot(LogIndex, Term, uint64_t,
                    absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) override {
    done(absl::NotFoundError("no snapshots here"));
  }
  void StopSnapshots() override {}

  void SendNote(std::string note) override { NoteArrives(std::move(note)); }

  void Broadcast(std::string note) override {
    base::MutexLock lock(mutex_);
    broadcasts_.push_back(std::move(note));
  }

  void SetEnsembleId(base::Uuid ensemble_id) override {
    base::MutexLock lock(mutex_);
    ensemble_id_ = ensemble_id;
  }

  void OnApplied(LogIndex) override {}

  ReplicaStatus status() const override {
    base::MutexLock lock(mutex_);
    ReplicaStatus status;
    status.in_contact = has_leader_;
    status.not_in_contact_reason = has_leader_ ? "" : "no leader";
    status.servers = servers_;
    status.changing = changing_;
    status.is_member = is_member_;
    status.last_index = last_index_;
    status.leadership.role = role_;
    return status;
  }
  absl::Duration contact_until() const override {
    base::MutexLock lock(mutex_);
    return has_leader_ ? absl::InfiniteDuration() : contact_until_;
  }

  // Nothing is committed until Release.
  void Hold() {
    base::MutexLock lock(mutex_);
    held_ = true;
  }
  void Release() {
    base::MutexLock lock(mutex_);
    held_ = false;
    CommitAll();
  }
  // What is appended and not committed is gone, as after a change of leader.
  void DropUncommitted() {
    base::MutexLock lock(mutex_);
    appended_.clear();
  }
  void RejectNext() {
    base::MutexLock lock(mutex_);
    faults_.push_back(absl::ResourceExhaustedError("the log is full"));
  }
  // Told to be and not yet met by a Propose call.
  size_t faults_left() const {
    base::MutexLock lock(mutex_);
    return faults_.size();
  }
  void LoseNext() {
    base::MutexLock lock(mutex_);
    faults_.push_back(base::UnknownOutcome(absl::StatusCode::kUnavailable, "the stream broke"));
  }
  // Without one contact counts until then.
  void SetLeader(bool has_leader, absl::Duration contact_until = -absl::InfiniteDuration()) {
    base::MutexLock lock(mutex_);
    has_leader_ = has_leader;
    contact_until_ = contact_until;
  }
  void SetServers(std::vector<ReplicaStatus::Peer> servers) {
    base::MutexLock lock(mutex_);
    servers_ = std::move(servers);
  }
  void SetChanging(bool changing) {
    base::MutexLock lock(mutex_);
    changing_ = changing;
  }
  void SetRole(Role role) {
    base::MutexLock lock(mutex_);
    role_ = role;
  }
  void SetMember(bool is_member) {
    base::MutexLock lock(mutex_);
    is_member_ = is_member;
  }
  // A command of another server.
  void CommitForeign(std::string command) {
    base::MutexLock lock(mutex_);
    Append({std::move(command)});
    CommitAll();
  }

  base::Uuid ensemble_id() const {
    base::MutexLock lock(mutex_);
    return ensemble_id_;
  }
  // Every command accepted so far, in order.
  std::vector<std::string> commands() const {
    base::MutexLock lock(mutex_);
    return commands_;
  }
  // Of each of those.
  std::vector<std::string> principals() const {
    base::MutexLock lock(mutex_);
    return principals_;
  }
  // In order.
  std::vector<std::string> broadcasts() const {
    base::MutexLock lock(mutex_);
    return broadcasts_;
  }
  int read_requests() const {
    base::MutexLock lock(mutex_);
    return read_requests_;
  }
  // Of the commands of one call.
  size_t bytes_proposed_max() const {
    base::MutexLock lock(mutex_);
    return bytes_proposed_max_;
  }

 private:
  static constexpr int64_t kTimeMs = 1'700'000'000'000;

  absl::Status TakeFault() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!has_leader_) return absl::UnavailableError("no leader");
    if (faults_.empty()) return absl::OkStatus();
    absl::Status fault = std::move(faults_.front());
    faults_.pop_front();
    return fault;
  }

  void NoteArrives(std::string note) {
    replica_executor_.Post([this, note = std::move(note)]() mutable {
      state_machine_->OnNote(ServerId(1), std::move(note));
    });
  }

  void Append(std::vector<std::string> commands) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto entry = std::make_shared<raft::Entry>();
    entry->term = Term(1);
    entry->index = ++last_index_;
    entry->type = raft::EntryType::kCommands;
    entry->payload = EncodeEntryPayload(kTimeMs, commands);
    appended_.push_back(*DecodeCommitted(std::move(entry)));
  }

  void CommitAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (appended_.empty()) return;
    committed_index_ = appended_.back().index;
    apply_executor_.Post([this, batches = std::exchange(appended_, {})]() mutable {
      state_machine_->Apply(std::move(batches));
    });
  }

  base::Executor& replica_executor_;
  base::Executor& apply_executor_;
  StateMachine* state_machine_ = nullptr;

  mutable base::Mutex mutex_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  Role role_ ABSL_GUARDED_BY(mutex_) = Role::kFollower;
  bool has_leader_ ABSL_GUARDED_BY(mutex_) = true;
  absl::Duration contact_until_ ABSL_GUARDED_BY(mutex_);
  std::deque<absl::Status> faults_ ABSL_GUARDED_BY(mutex_);
  LogIndex last_index_ ABSL_GUARDED_BY(mutex_);
  LogIndex committed_index_ ABSL_GUARDED_BY(mutex_);
  std::vector<CommittedBatch> appended_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> commands_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> principals_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> broadcasts_ ABSL_GUARDED_BY(mutex_);
  base::Uuid ensemble_id_ ABSL_GUARDED_BY(mutex_);
  std::vector<ReplicaStatus::Peer> servers_ ABSL_GUARDED_BY(mutex_);
  bool changing_ ABSL_GUARDED_BY(mutex_) = true;
  bool is_member_ ABSL_GUARDED_BY(mutex_) = true;
  Membership membership_;
  int read_requests_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_proposed_max_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::coord
