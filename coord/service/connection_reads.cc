// The part of Connection that evaluates reads.
#include <utility>
#include <vector>

#include "coord/service/connection.h"

namespace bellwether::coord {
namespace {

// Reads evaluated under one hold of the tree.
constexpr size_t kReadsPerHold = 64;
// Of a long read, before others of the executor go on.
constexpr size_t kVisitsPerTurn = 10'000;

}  // namespace

// The read index is asked for on receipt, while earlier writes are still on their way. One answer
// serves all reads received by then.
void Connection::RequestReadIndexes() {
  if (!std::exchange(index_wanted_, false)) return;
  backend_.RequestReadIndex(
      executor_, [self = shared_from_this(), last = last_number_](absl::StatusOr<LogIndex> index) {
        self->OnReadIndex(last, index);
      });
}

void Connection::OnReadIndex(uint64_t last_number, const absl::StatusOr<LogIndex>& index) {
  for (Waiting& waiting : waiting_) {
    if (waiting.number > last_number) break;
    if (waiting.read_index.has_value()) continue;
    waiting.read_index = index.ok() ? *index : LogIndex(0);
    if (!index.ok()) waiting.refused = FailureOf(index.status());
  }
  Run();
}

bool Connection::ReadyToEvaluate(Waiting& read) {
  if (!read.read_index.has_value()) return false;
  if (outbox_bytes() > options_.outbox_bytes_max) return false;
  if (backend_.AppliedOrWait(*read.read_index, read.request.min_zxid, shared_from_this())) {
    return true;
  }
  AwaitApplied(read);
  return false;
}

void Connection::AwaitApplied(const Waiting& read) {
  if (std::exchange(apply_timer_number_, read.number) == read.number) return;
  executor_.Cancel(apply_timer_);
  apply_timer_ = executor_.RunAfter(
      options_.applied_wait_max, [self = shared_from_this(), number = read.number] {
        if (self->waiting_.empty() || self->waiting_.front().number != number) return;
        self->waiting_.front().refused =
            Unavailable("this server has not caught up in time; try another server");
        self->PostWake();
      });
}

// Evaluates the front and the reads behind it that are as ready, under one hold.
void Connection::EvaluateRun() {
  std::vector<const Request*> reads;
  for (const Waiting& next : waiting_) {
    if (reads.size() == kReadsPerHold || next.request.is_write() || next.refused.has_value()) break;
    if (std::holds_alternative<Reconfigure>(next.request.operation)) break;
    if (!next.read_index.has_value()) break;
    if (!backend_.Applied(*next.read_index, next.request.min_zxid)) break;
    reads.push_back(&next.request);
  }
  const absl::Duration began = slow_requests_.Now();
  ReadProgress progress = backend_.EvaluateReads(shared_from_this(), reads);
  if (progress.answered > 0) TellSlowReads(progress.answered, began, slow_requests_.Now());
  waiting_.pop_front(progress.answered);
  long_read_ = std::move(progress.begun);
}

// A piece of it. True when it is answered.
bool Connection::ContinueLongRead() {
  std::optional<Response> response = long_read_->Continue(kVisitsPerTurn);
  if (!response.has_value()) return false;
  long_read_.reset();
  TellIfSlow(SubjectOf(waiting_.front().request.operation), waiting_.front().received);
  waiting_.pop_front();
  Answer(*std::move(response));
  return true;
}

// Behind what else the executor has to run.
void Connection::TakeAnotherTurn() {
  if (std::exchange(turn_posted_, true)) return;
  executor_.Post([self = shared_from_this()] {
    self->turn_posted_ = false;
    if (self->phase_ == Phase::kOpen) self->Run();
  });
}

void Connection::TellSlowReads(size_t evaluated, absl::Duration began, absl::Duration ended) {
  const absl::Duration longest = ended - waiting_.front().received;
  slow_requests_.ObserveRead(longest);
  if (!slow_requests_.IsSlow(longest)) return;
  for (size_t i = 0; i < evaluated; ++i) {
    const Waiting& read = waiting_[i];
    SlowRequest slow;
    slow.took = ended - read.received;
    if (!slow_requests_.IsSlow(slow.took)) return;  // nor are those that came later
    slow.subject = SubjectOf(read.request.operation);
    slow.queued = began - read.received;
    slow.evaluated = ended - began;
    slow_requests_.Tell(session(), principal_.address, slow);
  }
}

}  // namespace bellwether::coord
