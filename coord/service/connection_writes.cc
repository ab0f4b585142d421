// The part of Connection that proposes writes and learns what became of them.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "coord/service/connection.h"
#include "coord/service/writes.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// Slow writes kept until they are told.
constexpr size_t kSlowWritesMax = 16;

// Of a write that was applied before: that it is refused now does not mean that nothing happened.
Failure ResultUnknown(Failure failure) {
  failure.outcome = base::Outcome::kUnknown;
  failure.message += "; it was applied before, send it again for its result";
  return failure;
}

Failure UnsettledWrites(const absl::Status& status) {
  return {absl::StatusCode::kUnavailable,
          fmt::format("the fate of writes is not known: {}; attach again to learn what took effect",
                      status),
          "", base::Outcome::kUnknown};
}

}  // namespace

bool Connection::Settle(uint64_t token, Response response, const tree::Command& command,
                        absl::Duration now) {
  base::MutexLock lock(mutex_);
  auto settled = std::find_if(in_flight_.begin(), in_flight_.end(),
                              [token](const InFlight& write) { return write.token == token; });
  if (finished_ || settled == in_flight_.end()) return false;
  NoteAnswered(*settled, &command.operation, now);
  SettleLocked(*settled, std::move(response));
  return PushSettled();
}

// `operation`: null when it is not known any more. Only queues, as the tree may be held.
void Connection::NoteAnswered(const InFlight& write, const tree::Operation* operation,
                              absl::Duration now) {
  const absl::Duration took = now - write.received;
  slow_requests_.ObserveWrite(took);
  if (!slow_requests_.IsSlow(took)) return;
  if (slow_writes_.size() >= kSlowWritesMax) {
    ++slow_writes_unkept_;
    return;
  }
  SlowRequest slow;
  slow.subject = operation == nullptr ? RequestSubject{"write", ""} : SubjectOf(*operation);
  slow.took = took;
  slow.queued = write.proposed - write.received;
  slow.replicated = now - write.proposed;
  slow_writes_.push_back(std::move(slow));
}

void Connection::SettleLocked(InFlight& write, Response response) {
  response.request_id = write.request_id;
  auto* transaction = std::get_if<TransactionResult>(&response.result);
  if (transaction != nullptr && transaction->failed_compare >= 0 &&
      !write.compare_positions.empty()) {
    const auto position = static_cast<size_t>(transaction->failed_compare);
    transaction->failed_compare = static_cast<int32_t>(write.compare_positions.at(position));
  }
  write.response = std::move(response);
}

bool Connection::PushSettled() {
  if (in_flight_.empty() || !in_flight_.front().response.has_value()) return false;
  while (!in_flight_.empty() && in_flight_.front().response.has_value()) {
    PushResponse(std::move(*in_flight_.front().response));
    in_flight_.pop_front();
  }
  return NeedsWake();
}

bool Connection::WasApplied(const Request& write) const {
  return write.sequence > CommandSequence() && write.sequence <= applied_sequence_ &&
         backend_.feature_level() >= tree::kFeatureLevelRetries;
}

std::optional<Failure> Connection::AdmitWrite(const Request& request) const {
  if (options_.feature_level_of(request.operation) > backend_.feature_level()) {
    return Failure{absl::StatusCode::kFailedPrecondition,
                   "the ensemble's feature level is too low for this operation: finish the upgrade "
                   "of all servers and run `bell cluster upgrade --finalize`",
                   "feature_level", base::Outcome::kRejected};
  }
  if (WasApplied(request)) {
    std::optional<Failure> refused = CheckWrite(request, options_.request_bytes_max);
    if (refused.has_value()) refused = ResultUnknown(*std::move(refused));
    return refused;
  }
  if (request.sequence == next_sequence_) {
    std::optional<Failure> refused = CheckWrite(request, options_.request_bytes_max);
    return refused.has_value() ? std::move(refused) : backend_.RefusesGrowth(request.operation);
  }
  Failure failure = FailureOf(tree::ResultCode::kSequenceGap, "");
  failure.message = fmt::format("sequence {} is not the session's next one, {}", request.sequence,
                                next_sequence_);
  return failure;
}

void Connection::ProposeRun(std::vector<ProposedWrite> run) {
  if (run.empty()) return;
  const uint64_t first = run.front().token;
  const uint64_t last = run.back().token;
  // The first that uses up a number: what was applied before used up its own.
  CommandSequence first_sequence = next_sequence_;
  const absl::Duration now = slow_requests_.Now();
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    for (const ProposedWrite& write : run) {
      const bool was_applied = WasApplied(write.request);
      if (!was_applied) first_sequence = std::min(first_sequence, write.request.sequence);
      in_flight_.push_back({write.token, write.request.id, write.request.compare_positions,
                            std::nullopt, was_applied, write.received, now});
    }
  }
  backend_.ProposeWrites(executor_, session(), principal_, std::move(run),
                         [self = shared_from_this(), first, last, first_sequence](
                             absl::Status status) {
                           if (!status.ok()) self->OnProposed(first, last, first_sequence, status);
                         });
}

// Refused for good: answered as such, and the sequence numbers are free again; what was proposed
// behind them is refused by the state machine as a gap. Unknown: only a new generation can tell.
void Connection::OnProposed(uint64_t first_token, uint64_t last_token,
                            CommandSequence first_sequence, const absl::Status& status) {
  if (base::OutcomeOf(status) == base::Outcome::kUnknown) return DetachNow(UnsettledWrites(status));
  next_sequence_ = std::min(next_sequence_, first_sequence);
  write_lost_ = true;
  const absl::Duration now = slow_requests_.Now();
  {
    base::MutexLock lock(mutex_);
    for (InFlight& write : in_flight_) {
      if (write.token < first_token || write.token > last_token) continue;
      Response response;
      response.failure = FailureOf(status);
      if (write.was_applied) response.failure = ResultUnknown(*std::move(response.failure));
      NoteAnswered(write, nullptr, now);
      SettleLocked(write, std::move(response));
    }
    if (!PushSettled()) return;
  }
  PostWake();
}

}  // namespace bellwether::coord
