#include "tests/sim/check_sessions.h"

namespace bellwether::sim {

void CheckSessions(const History& history, const Model& model, Violations& violations) {
  for (const auto& [session, life] : model.sessions()) {
    const auto known = history.sessions.find(session);
    if (known == history.sessions.end()) continue;
    const SessionRecord& record = known->second;
    if (record.told_ended && life.end == Zxid()) {
      violations.Add("session life", "client {} was told that session {:#x} is over; it is not",
                     record.client, session.value());
    }
    if (!life.expired) continue;
    if (life.ended_at >= record.deadline_max) continue;
    violations.Add("session life",
                   "session {:#x} of client {} expired {} before the time it was promised",
                   session.value(), record.client,
                   absl::FormatDuration(record.deadline_max - life.ended_at));
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
