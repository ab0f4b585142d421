#include "coord/service/session_tracker.h"

#include <algorithm>

#include "base/mutant.h"

namespace bellwether::coord {

// The tick that ends next may count up to tick_max, and all of that may have passed already.
void SessionTracker::Restart(Timer& timer) {
  timer.deadline = now_ + tick_max_ + timer.timeout;
  timer.silent = false;
}

void SessionTracker::LookAgainAt(absl::Duration due, SessionId session, Timer& timer) {
  timer.due = due;
  due_.emplace(due, session);
}

void SessionTracker::Attached(SessionId session, SessionGeneration generation,
                              absl::Duration timeout) {
  auto [entry, added] = sessions_.try_emplace(session);
  Timer& timer = entry->second;
  timer.generation = generation;
  timer.timeout = timeout;
  timer.expiring = false;
  Restart(timer);
  if (added || timer.deadline < timer.due) LookAgainAt(timer.deadline, session, timer);
}

void SessionTracker::Ended(SessionId session) { sessions_.erase(session); }

void SessionTracker::Clear() {
  sessions_.clear();
  due_ = {};
}

void SessionTracker::RestartAll() {
  due_ = {};
  for (auto& [session, timer] : sessions_) {
    timer.expiring = false;
    Restart(timer);
    LookAgainAt(timer.deadline, session, timer);
  }
}

bool SessionTracker::Touch(SessionId session) {
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return true;
  Restart(found->second);
  return !found->second.expiring;
}

std::vector<SessionTracker::Expired> SessionTracker::Tick(absl::Duration since_last) {
  now_ += since_last <= tick_max_ || MUTANT(30) ? since_last : tick_max_;
  std::vector<Expired> expired;
  std::vector<SessionId> looked_at;
  while (!due_.empty() && due_.top().first <= now_) {
    const auto [due, session] = due_.top();
    due_.pop();
    auto found = sessions_.find(session);
    if (found == sessions_.end() || found->second.due != due) continue;
    Timer& timer = found->second;
    if (timer.deadline <= now_) {
      if (timer.silent && !timer.expiring) expired.push_back({session, timer.generation});
      timer.silent = true;
    }
    looked_at.push_back(session);
  }
  for (SessionId session : looked_at) {
    Timer& timer = sessions_[session];
    LookAgainAt(std::max(timer.deadline, now_), session, timer);
  }
  return expired;
}

void SessionTracker::SetExpiring(SessionId session, bool expiring) {
  auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second.expiring = expiring;
}

std::optional<absl::Duration> SessionTracker::SilenceOf(SessionId session) const {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return std::nullopt;
  const Timer& timer = found->second;
  return std::max(now_ + tick_max_ + timer.timeout - timer.deadline, absl::ZeroDuration());
}

}  // namespace bellwether::coord
