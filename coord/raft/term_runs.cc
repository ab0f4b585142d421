#include "coord/raft/term_runs.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {

absl::StatusOr<TermRuns> TermRuns::Load(LogReader& reader) {
  TermRuns result;
  const LogIndex last = reader.LastIndex();
  LogIndex begin(1);
  while (begin <= last) {
    ASSIGN_OR_RETURN(const Term term, reader.TermAt(begin));
    if (term <= result.last_term()) {
      return absl::DataLossError(
          fmt::format("the log's terms fall: entry {} has term {} behind term {}; the data folder "
                      "is damaged, start this server with an empty one",
                      begin, term, result.last_term()));
    }
    result.runs_.push_back(Run{begin, term});
    // First index beyond the run: its term differs, and terms only rise.
    LogIndex low = begin + 1;
    LogIndex high = last + 1;
    while (low < high) {
      const LogIndex middle = low + (high - low) / 2;
      ASSIGN_OR_RETURN(const Term middle_term, reader.TermAt(middle));
      if (middle_term == term) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    begin = low;
  }
  result.last_ = last;
  return result;
}

std::optional<Term> TermRuns::TermAt(LogIndex index) const {
  if (index > last_) return std::nullopt;
  if (index == LogIndex(0)) return Term();
  auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                [](LogIndex i, const Run& run) { return i < run.first; });
  return (after - 1)->term;
}

LogIndex TermRuns::LastAtMost(LogIndex index, Term term) const {
  auto after = std::upper_bound(runs_.begin(), runs_.end(), term,
                                [](Term t, const Run& run) { return t < run.term; });
  const LogIndex end_of_term = after == runs_.end() ? last_ : after->first - 1;
  return std::min(index, end_of_term);
}

void TermRuns::Append(LogIndex index, Term term) {
  CHECK(index == last_ + 1 && term >= last_term() && term > Term(0));
  if (term != last_term()) runs_.push_back(Run{index, term});
  last_ = index;
}

void TermRuns::Truncate(LogIndex from) {
  CHECK(from > LogIndex(0) && from <= last_);
  while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
  last_ = from - 1;
}

}  // namespace bellwether::coord::raft
