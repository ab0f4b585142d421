#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "coord/raft/log_reader.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// The term of every entry of the log in memory, as runs of equal terms: terms never fall along a
// log, so that there is one run per term that left an entry. Spares matching and backtracking the
// disk.
class TermRuns {
 public:
  // The runs of what is on disk, found by bisection. Errors: DATA_LOSS when terms fall; the
  // reader's.
  static absl::StatusOr<TermRuns> Load(LogReader& reader);

  LogIndex last_index() const { return last_; }
  Term last_term() const { return runs_.empty() ? Term() : runs_.back().term; }

  // 0 for index 0; nullopt beyond the end.
  std::optional<Term> TermAt(LogIndex index) const;

  // The largest index at or below `index` whose term is at most `term`; 0 when there is none.
  LogIndex LastAtMost(LogIndex index, Term term) const;

  // Requires: index follows the last, term >= last_term().
  void Append(LogIndex index, Term term);
  // Removes `from` and everything behind it.
  void Truncate(LogIndex from);

 private:
  struct Run {
    LogIndex first;
    Term term;
  };
  std::vector<Run> runs_;  // ascending in both
  LogIndex last_;
};

}  // namespace bellwether::coord::raft
