// Giving up leadership: on request, with nothing under way that the change would leave unknown, or at
// once, when the own disk hangs.

#include <utility>

#include "base/log.h"
#include "coord/replica/replica_driver.h"

namespace bellwether::coord {

// First everybody holds what they would propose, then what is under way is committed and applied,
// then the core hands over: so no command's fate depends on who leads.
void ReplicaDriver::HandOver(ServerId to, absl::AnyInvocable<void()> done) {
  const absl::Duration now = deps_.clock.Monotonic();
  const bool leads = running_ && core_ != nullptr && leadership_.role == Role::kLeader;
  if (!leads || peers_.empty() || handing_over_.has_value()) return done();
  handing_over_ = HandingOver();
  HandingOver& handing_over = *handing_over_;
  handing_over.to = to;
  handing_over.done = std::move(done);
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

// Until the next leader is known.
bool ReplicaDriver::HoldsProposals(absl::Duration now) const {
  return now < held_until_ && (leadership_.term == held_in_ || leadership_.leader == ServerId());
}

void ReplicaDriver::OnHoldForwards(ServerId from, HoldForwards hold) {
  if (hold.term != leadership_.term) return;
  if (handing_over_.has_value()) {
    handing_over_->awaited.erase(from);
  } else if (from == leadership_.leader) {
    held_in_ = hold.term;
    held_until_ = deps_.clock.Monotonic() + options_.election_timeout;
    deps_.transport.Send(from, hold);
  }
}

void ReplicaDriver::CheckHandOver(absl::Duration now) {
  if (!handing_over_.has_value()) return;
  if (leadership_.role != Role::kLeader) {
    if (leadership_.leader != ServerId() || now >= handing_over_->deadline) EndHandOver();
    return;
  }
  if (now >= handing_over_->deadline) {
    LOG_INFO("leadership could not be handed over id={}", options_.id);
    return EndHandOver();
  }
  // A server that does not answer is not waited for to the end.
  const bool held = handing_over_->awaited.empty() ||
                    handing_over_->deadline - now < options_.election_timeout / 2;
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
  absl::AnyInvocable<void()> done = std::move(handing_over_->done);
  handing_over_.reset();
  held_until_ = -absl::InfiniteDuration();
  done();
  RequestPump();
}

// A leader that can't write holds everybody up, though the others could go on without it.
void ReplicaDriver::CheckDisk() {
  if (leadership_.role != Role::kLeader) return;
  const absl::Duration outstanding = deps_.log.OldestPendingFor();
  if (outstanding <= options_.election_timeout || core_->transfer_target() != ServerId()) return;
  if (!core_->TransferLeadership(ServerId()).ok()) return;
  instruments_.handovers.Add();
  LOG_WARN("a write of the log takes too long, leadership is handed over id={} to={} seconds={:.1f}",
           options_.id, core_->transfer_target(), absl::ToDoubleSeconds(outstanding));
}

}  // namespace bellwether::coord
