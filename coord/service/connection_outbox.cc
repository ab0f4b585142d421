// The part of Connection that keeps answers and events in their order until they are taken.
#include <utility>

#include "base/mutant.h"
#include "coord/service/connection.h"

namespace bellwether::coord {
namespace {

// Of unknown outcome: writes may be on their way.
Failure TakesEventsTooSlowly() {
  return {absl::StatusCode::kResourceExhausted,
          "the client does not take the events of its watches; read faster, or watch less", "",
          base::Outcome::kUnknown};
}

}  // namespace

TakeResult Connection::Take(size_t bytes_max, std::vector<ServerFrame>& frames) {
  bool wake = false;
  TakeResult result;
  {
    base::MutexLock lock(mutex_);
    const bool was_full = outbox_bytes_ > options_.outbox_bytes_max;
    for (size_t bytes = 0; !outbox_.empty() && (bytes == 0 || bytes < bytes_max);) {
      const size_t frame_bytes = FrameBytes(outbox_.front());
      bytes += frame_bytes;
      outbox_bytes_ -= frame_bytes;
      if (std::holds_alternative<WatchEvent>(outbox_.front())) event_bytes_ -= frame_bytes;
      frames.push_back(std::move(outbox_.front()));
      outbox_.pop_front();
    }
    result.finished = (finished_ || client_gone_) && outbox_.empty();
    // Reads wait for room in the outbox.
    if (was_full && outbox_bytes_ <= options_.outbox_bytes_max) wake = NeedsWake();
  }
  if (wake) PostWake();
  return result;
}

void Connection::Answer(Response response) {
  base::MutexLock lock(mutex_);
  if (!finished_) PushResponse(std::move(response));
}

void Connection::ExpectAnswer() {
  base::MutexLock lock(mutex_);
  ReleaseEvents();
  holds_events_ = HoldsEvents::kBehindAnswer;
}

void Connection::ExpectCatchUp() {
  base::MutexLock lock(mutex_);
  holds_events_ = HoldsEvents::kBeforeAnswer;
}

bool Connection::QueueEvent(WatchEvent event) {
  base::MutexLock lock(mutex_);
  if (finished_ || client_gone_) return false;
  ServerFrame frame(std::move(event));
  event_bytes_ += FrameBytes(frame);
  too_slow_ = event_bytes_ > options_.event_bytes_max;
  if (too_slow_) {
    ClearOutbox();
    Push(Detached{TakesEventsTooSlowly()});
    FinishLocked();
  } else {
    Push(std::move(frame));
  }
  return NeedsWake();
}

bool Connection::QueueGrantEvent(GrantEvent event) {
  base::MutexLock lock(mutex_);
  if (finished_) return false;
  Push(std::move(event));
  return NeedsWake();
}

size_t Connection::outbox_bytes() const {
  base::MutexLock lock(mutex_);
  return outbox_bytes_;
}

bool Connection::MustHoldBack(const ServerFrame& frame) const {
  if (holds_events_ == HoldsEvents::kNot) return false;
  if (const auto* event = std::get_if<WatchEvent>(&frame)) {
    return holds_events_ == HoldsEvents::kBehindAnswer || event->zxid != kCaughtUpZxid;
  }
  return std::holds_alternative<GrantEvent>(frame);
}

void Connection::Push(ServerFrame frame) {
  if (client_gone_) return;
  outbox_bytes_ += FrameBytes(frame);
  (MustHoldBack(frame) ? held_back_ : outbox_).push_back(std::move(frame));
}

void Connection::PushResponse(Response response) {
  unanswered_bytes_ -= unanswered_.front();
  unanswered_.pop_front();
  if (client_gone_) return;
  Push(std::move(response));
  const size_t last = outbox_.size() - 1;
  if (last > 0 && std::holds_alternative<WatchEvent>(outbox_[last - 1]) && MUTANT(54)) {
    std::swap(outbox_[last - 1], outbox_[last]);
  }
  ReleaseEvents();
}

void Connection::ReleaseEvents() {
  holds_events_ = HoldsEvents::kNot;
  for (ServerFrame& frame : held_back_) outbox_.push_back(std::move(frame));
  held_back_.clear();
}

void Connection::ClearOutbox() {
  outbox_.clear();
  held_back_.clear();
  outbox_bytes_ = event_bytes_ = 0;
}

}  // namespace bellwether::coord
