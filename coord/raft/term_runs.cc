#include "coord/raft/term_runs.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {

TermRuns::TermRuns(LogIndex base_index, Term base_term)
    : runs_{Run{base_index, base_term}}, last_(base_index) {}

absl::StatusOr<TermRuns> TermRuns::Load(LogReader& reader, LogIndex base_index, Term base_term) {
  TermRuns result(base_index, base_term);
  const LogIndex last = reader.LastIndex();
  LogIndex begin = base_index + 1;
  while (begin <= last) {
    ASSIGN_OR_RETURN(const Term term, reader.TermAt(begin));
    const bool continues_base = begin == base_index + 1 && term == base_term;
    if (term <= result.last_term() && !continues_base) {
      return absl::DataLossError(
          fmt::format("the log's terms fall: entry {} has term {} behind term {}; the data folder "
                      "is damaged, start this server with an empty one",
                      begin, term, result.last_term()));
    }
    if (!continues_base) result.runs_.push_back(Run{begin, term});
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
  result.last_ = std::max(last, base_index);
  return result;
}

std::optional<Term> TermRuns::TermAt(LogIndex index) const {
  if (index < base_index() || index > last_) return std::nullopt;
  auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                [](LogIndex i, const Run& run) { return i < run.first; });
  return (after - 1)->term;
}

LogIndex TermRuns::LastAtMost(LogIndex index, Term term) const {
  if (index <= base_index()) return index;
  auto after = std::upper_bound(runs_.begin(), runs_.end(), term,
                                [](Term t, const Run& run) { return t < run.term; });
  if (after == runs_.begin()) return base_index();
  const LogIndex end_of_term = after == runs_.end() ? last_ : after->first - 1;
  return std::min(index, end_of_term);
}

void TermRuns::Append(LogIndex index, Term term) {
  CHECK(index == last_ + 1 && term >= last_term() && term > Term(0));
  if (term != last_term()) runs_.push_back(Run{index, term});
  last_ = index;
}

void TermRuns::Truncate(LogIndex from) {
  CHECK(from > base_index() && from <= last_);
  while (runs_.back().first >= from) runs_.pop_back();
  last_ = from - 1;
}

void TermRuns::CompactTo(LogIndex index) {
  CHECK(index >= base_index() && index <= last_);
  auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                [](LogIndex i, const Run& run) { return i < run.first; });
  runs_.erase(runs_.begin(), after - 1);
  runs_.front().first = index;
}

}  // namespace bellwether::coord::raft
