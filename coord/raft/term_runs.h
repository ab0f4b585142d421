#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "coord/raft/log_reader.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// The term of every entry of the log in memory, as runs of equal terms: terms never fall along a
// log, so that there is one run per term that left an entry. Spares matching and backtracking the
// disk. Begins with its base: the entry, not in the log any more, before the first one.
class TermRuns {
 public:
  // An empty log behind (base_index, base_term); (0, 0) is before every log.
  TermRuns(LogIndex base_index, Term base_term);

  // The runs of what is on disk behind the base, found by bisection. Errors: DATA_LOSS when terms
  // fall; the reader's.
  static absl::StatusOr<TermRuns> Load(LogReader& reader, LogIndex base_index, Term base_term);

  LogIndex base_index() const { return runs_.front().first; }
  LogIndex last_index() const { return last_; }
  Term last_term() const { return runs_.back().term; }

  // nullopt below the base and beyond the end.
  std::optional<Term> TermAt(LogIndex index) const;

  // The largest index from the base to `index` whose term is at most `term`; the base when there is
  // none. What lies at or below the base is not known here: such an `index` is the answer itself.
  LogIndex LastAtMost(LogIndex index, Term term) const;

  // Requires: index follows the last, term >= last_term() and above 0.
  void Append(LogIndex index, Term term);
  // Removes `from` and everything behind it. Requires: from is above the base.
  void Truncate(LogIndex from);
  // `index` becomes the base. Requires: from the base to the last.
  void CompactTo(LogIndex index);

 private:
  struct Run {
    LogIndex first;
    Term term;
  };
  std::vector<Run> runs_;  // ascending in both; the first one begins at the base
  LogIndex last_;
};

}  // namespace bellwether::coord::raft
