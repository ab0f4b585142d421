#pragma once

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "coord/replica/replica.h"

namespace bellwether::coord {

// What the service asks of consensus: the calls of Replica, which see, as a seam that tests can
// stand behind. Thread-safe; callbacks run on the replica's executor.
class ReplicatedLog {
 public:
  virtual ~ReplicatedLog() = default;

  virtual void Propose(std::vector<ProposedCommand> commands,
                       absl::AnyInvocable<void(absl::Status)> done) = 0;
  virtual void RequestRead(std::string note,
                           absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) = 0;
  virtual void AskMembership(MembershipChange change,
                             absl::AnyInvocable<void(absl::StatusOr<MembershipView>)> done) = 0;
  virtual void SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done) = 0;
  virtual void ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                            absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) = 0;
  virtual void StopSnapshots() = 0;
  virtual void SendNote(std::string note) = 0;
  virtual void Broadcast(std::string note) = 0;
  virtual void SetEnsembleId(base::Uuid ensemble_id) = 0;
  virtual void OnApplied(LogIndex index) = 0;
  virtual ReplicaStatus status() const = 0;
  virtual absl::Duration contact_until() const = 0;
};

// The real one.
class ReplicaLog : public ReplicatedLog {
 public:
  explicit ReplicaLog(Replica& replica) : replica_(replica) {}

  void Propose(std::vector<ProposedCommand> commands,
               absl::AnyInvocable<void(absl::Status)> done) override {
    replica_.Propose(std::move(commands), std::move(done));
  }
  void RequestRead(std::string note,
                   absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) override {
    replica_.RequestRead(std::move(note), std::move(done));
  }
  void AskMembership(MembershipChange change,
                     absl::AnyInvocable<void(absl::StatusOr<MembershipView>)> done) override {
    replica_.AskMembership(std::move(change), std::move(done));
  }
  void SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done) override {
    replica_.SaveSnapshot(std::move(done));
  }
  void ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                    absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) override {
    replica_.ReadSnapshot(index, term, offset, std::move(done));
  }
  void StopSnapshots() override { replica_.StopSnapshots(); }
  void SendNote(std::string note) override { replica_.SendNote(std::move(note)); }
  void Broadcast(std::string note) override { replica_.Broadcast(std::move(note)); }
  void SetEnsembleId(base::Uuid ensemble_id) override { replica_.SetEnsembleId(ensemble_id); }
  void OnApplied(LogIndex index) override { replica_.OnApplied(index); }
  ReplicaStatus status() const override { return replica_.status(); }
  absl::Duration contact_until() const override { return replica_.contact_until(); }

 private:
  Replica& replica_;
};

}  // namespace bellwether::coord
