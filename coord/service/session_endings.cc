#include "coord/service/session_endings.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {

absl::Status SessionEndings::NotSeen(const Waiter& waiter, absl::StatusCode code,
                                     std::string_view why) {
  if (waiter.proposed == 0) {
    return absl::UnavailableError(
        fmt::format("session {:#x} was not ended: {}; try again", waiter.session.value(), why));
  }
  return base::UnknownOutcome(
      code, fmt::format("session {:#x} is not known to be ended: {}; end it again, which is safe",
                        waiter.session.value(), why));
}

std::optional<uint64_t> SessionEndings::Await(tree::SessionId session, absl::Duration timeout,
                                              Done done) {
  absl::Status refused;
  {
    base::MutexLock lock(mutex_);
    if (stopped_) {
      refused = absl::UnavailableError("the server is stopping; ask another one");
    } else if (waiters_.size() >= kWaitersMax) {
      refused = absl::ResourceExhaustedError(
          "too many sessions are being ended at once; try again in a moment");
    } else {
      const uint64_t wait = ++last_wait_;
      waiters_.push_back({wait, session, 0, std::move(done)});
      executor_.RunAfter(timeout, [this, wait] { TimeOut(wait); });
      return wait;
    }
  }
  done(refused);
  return std::nullopt;
}

void SessionEndings::SetProposed(uint64_t wait) {
  base::MutexLock lock(mutex_);
  for (Waiter& waiter : waiters_) {
    if (waiter.wait == wait) ++waiter.proposed;
  }
}

std::optional<uint64_t> SessionEndings::ProposedFor(tree::SessionId session) const {
  base::MutexLock lock(mutex_);
  for (const Waiter& waiter : waiters_) {
    if (waiter.session == session && waiter.proposed > 0) return waiter.wait;
  }
  return std::nullopt;
}

std::list<SessionEndings::Waiter> SessionEndings::Take(
    const std::function<bool(const Waiter&)>& which) {
  std::list<Waiter> taken;
  base::MutexLock lock(mutex_);
  for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
    const auto next = std::next(waiter);
    if (which(*waiter)) taken.splice(taken.end(), waiters_, waiter);
    waiter = next;
  }
  return taken;
}

void SessionEndings::Finish(uint64_t wait, absl::Status status) {
  for (const Waiter& waiter : Take([wait](const Waiter& each) { return each.wait == wait; })) {
    waiter.done(std::move(status));
  }
}

void SessionEndings::Refuse(uint64_t wait, absl::Status status) {
  for (const Waiter& waiter : Take([wait](const Waiter& each) { return each.wait == wait; })) {
    waiter.done(waiter.proposed > 1
                    ? NotSeen(waiter, status.code(), base::StdView(status.message()))
                    : std::move(status));
  }
}

void SessionEndings::TimeOut(uint64_t wait) {
  for (const Waiter& waiter : Take([wait](const Waiter& each) { return each.wait == wait; })) {
    waiter.done(NotSeen(waiter, absl::StatusCode::kDeadlineExceeded,
                        "nothing was committed in time"));
  }
}

void SessionEndings::OnEnded(tree::SessionId session) {
  for (const Waiter& waiter :
       Take([session](const Waiter& each) { return each.session == session; })) {
    waiter.done(absl::OkStatus());
  }
}

void SessionEndings::OnReplaced(const std::function<bool(tree::SessionId)>& lives) {
  for (const Waiter& waiter :
       Take([&lives](const Waiter& each) { return !lives(each.session); })) {
    waiter.done(absl::OkStatus());
  }
}

void SessionEndings::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
  }
  for (const Waiter& waiter : Take([](const Waiter&) { return true; })) {
    waiter.done(NotSeen(waiter, absl::StatusCode::kUnavailable, "the server stops"));
  }
}

}  // namespace bellwether::coord
