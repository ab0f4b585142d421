#include "coord/replica/replica.h"

#include <utility>

#include "coord/replica/replica_driver.h"

namespace bellwether::coord {

Replica::Replica(ReplicaOptions options, base::Uuid ensemble_id, Dependencies deps)
    : driver_(std::make_shared<ReplicaDriver>(std::move(options), ensemble_id, std::move(deps))) {}

Replica::~Replica() = default;

void Replica::Start() {
  driver_->PostSelf([](ReplicaDriver& driver) { driver.Start(); });
}

void Replica::HandOver(absl::AnyInvocable<void()> done) {
  driver_->PostSelf([done = std::move(done)](ReplicaDriver& driver) mutable {
    driver.HandOver(ServerId(), std::move(done));
  });
}

void Replica::StopSnapshots() {
  driver_->PostSelf([](ReplicaDriver& driver) { driver.StopSnapshots(); });
}

void Replica::Stop() {
  driver_->PostSelf([](ReplicaDriver& driver) { driver.Stop(); });
}

void Replica::Propose(std::vector<ProposedCommand> commands,
                      absl::AnyInvocable<void(absl::Status)> done) {
  driver_->Propose(std::move(commands), std::move(done));
}

void Replica::RequestRead(std::string note,
                          absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) {
  driver_->RequestRead(std::move(note), std::move(done));
}

void Replica::AskMembership(MembershipChange change,
                            absl::AnyInvocable<void(absl::StatusOr<MembershipView>)> done) {
  driver_->PostSelf([change = std::move(change),
                     done = std::move(done)](ReplicaDriver& driver) mutable {
    driver.AskMembership(std::move(change), std::move(done));
  });
}

void Replica::SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done) {
  driver_->SaveSnapshot(std::move(done));
}

void Replica::ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                           absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  driver_->ReadSnapshot(index, term, offset, std::move(done));
}

void Replica::SendNote(std::string note) { driver_->SendNote(std::move(note)); }

void Replica::Broadcast(std::string note) {
  driver_->PostSelf([note = std::move(note)](ReplicaDriver& driver) { driver.Broadcast(note); });
}

void Replica::SetEnsembleId(base::Uuid ensemble_id) {
  driver_->PostSelf([ensemble_id](ReplicaDriver& driver) { driver.SetEnsembleId(ensemble_id); });
}

void Replica::OnApplied(LogIndex index) { driver_->OnApplied(index); }

ReplicaStatus Replica::status() const { return driver_->status(); }

absl::Duration Replica::contact_until() const { return driver_->contact_until(); }

}  // namespace bellwether::coord
