#include "tests/sim/check_leader_completeness.h"

namespace bellwether::sim {

void CheckLeaderCompleteness(const CommittedLog& committed, ServerId server, Term term,
                             Term newest_term, coord::LogStore& log, Violations& violations) {
  if (term < newest_term) return;
  for (const CommittedLog::Entry& entry : committed.entries()) {
    if (entry.term >= term) break;
    if (entry.index < log.FirstIndex()) continue;  // compacted: its snapshot was compared
    if (entry.index <= log.LastIndex()) {
      const absl::StatusOr<Term> own = log.TermAt(entry.index);
      if (own.ok() && *own == entry.term) continue;
    }
    violations.Add("leader completeness",
                   "server {} leads term {} without the committed entry {} of term {}", server,
                   term, entry.index, entry.term);
    return;
  }
}

}  // namespace bellwether::sim
