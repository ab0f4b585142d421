#include "tests/sim/check_sessions.h"

namespace bellwether::sim {

void CheckSessions(const History& history, const Model& model, double clock_rate_max,
                   Violations& violations) {
  for (const auto& [session, life] : model.sessions()) {
    const auto known = history.sessions.find(session);
    if (known == history.sessions.end()) continue;
    const SessionRecord& record = known->second;
    if (record.told_ended && life.end == Zxid()) {
      violations.Add("session life", "client {} was told that session {:#x} is over; it is not",
                     record.client, session.value());
    }
    if (!life.expired) continue;
    // A leader counts the timeout by its own clock.
    const absl::Duration promised =
        record.deadline_max - record.timeout * (1 - 1 / clock_rate_max);
    if (life.ended_at >= promised) continue;
    violations.Add("session life",
                   "session {:#x} of client {} expired {} before the time it was promised",
                   session.value(), record.client,
                   absl::FormatDuration(promised - life.ended_at));
  }
}

void CheckAbandonedSessionsEnded(const History& history, const Model& model,
                                 Violations& violations) {
  for (const auto& [session, life] : model.sessions()) {
    if (life.end != Zxid()) continue;
    const auto known = history.sessions.find(session);
    if (known != history.sessions.end() && !known->second.abandoned) continue;
    violations.Add("session life", "session {:#x} lives on although its client is gone",
                   session.value());
  }
}

}  // namespace bellwether::sim
