#include "coord/raft/raft_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {

namespace {

// Where the log begins: an entry not in it whose term is known. The first entry itself when nothing
// else tells the term before it.
absl::StatusOr<std::pair<LogIndex, Term>> FindBase(LogReader& reader, const SnapshotMeta& start) {
  const LogIndex first = reader.FirstIndex();
  if (first == LogIndex(0) || first > start.index + 1) {
    return absl::DataLossError(
        fmt::format("the log begins at entry {}, but what was before is known only up to entry {}",
                    first, start.index));
  }
  if (reader.LastIndex() < start.index) {
    return absl::DataLossError(fmt::format("the log ends at entry {}, before the snapshot of entry {}",
                                           reader.LastIndex(), start.index));
  }
  if (first == start.index + 1) return std::pair(start.index, start.term);
  ASSIGN_OR_RETURN(const Term term, reader.TermAt(start.index));
  if (term != start.term) {
    return absl::DataLossError(fmt::format("entry {} has term {}, but the snapshot there term {}",
                                           start.index, term, start.term));
  }
  if (first == LogIndex(1)) return std::pair(LogIndex(0), Term(0));
  ASSIGN_OR_RETURN(const Term first_term, reader.TermAt(first));
  return std::pair(first, first_term);
}

}  // namespace

absl::StatusOr<RaftLog> RaftLog::Load(LogReader& reader, SnapshotMeta start,
                                      size_t tail_bytes_max) {
  ASSIGN_OR_RETURN(const auto base, FindBase(reader, start));
  ASSIGN_OR_RETURN(TermRuns runs, TermRuns::Load(reader, base.first, base.second));
  MembershipLog memberships(start.index, start.membership);
  for (const EntryPtr& entry : reader.MembershipEntries()) {
    if (entry->index <= start.index) continue;
    ASSIGN_OR_RETURN(Membership membership, DecodeMembership(entry->payload));
    memberships.Append(entry->index, std::move(membership));
  }
  return RaftLog(reader, std::move(start), std::move(runs), std::move(memberships),
                 tail_bytes_max);
}

RaftLog::RaftLog(LogReader& reader, SnapshotMeta start, TermRuns runs, MembershipLog memberships,
                 size_t tail_bytes_max)
    : reader_(&reader),
      tail_bytes_max_(tail_bytes_max),
      snapshot_(std::move(start)),
      runs_(std::move(runs)),
      memberships_(std::move(memberships)),
      commit_(snapshot_.index),
      handed_out_(snapshot_.index),
      written_(runs_.last_index()),
      durable_(runs_.last_index()) {}

void RaftLog::Append(EntryPtr entry) {
  if (entry->type == EntryType::kMembership) {
    absl::StatusOr<Membership> membership = DecodeMembership(entry->payload);
    CHECK(membership.ok(), "{}", membership.status().ToString());
    memberships_.Append(entry->index, *std::move(membership));
  }
  runs_.Append(entry->index, entry->term);
  tail_bytes_ += EntryBytes(*entry);
  tail_.push_back(std::move(entry));
}

absl::Status RaftLog::Merge(const std::vector<EntryPtr>& entries) {
  auto fresh = std::find_if(entries.begin(), entries.end(), [this](const EntryPtr& entry) {
    return entry->index >= base_index() && TermAt(entry->index) != entry->term;
  });
  if (fresh == entries.end()) return absl::OkStatus();
  const LogIndex from = (*fresh)->index;
  if (from <= commit_) {
    return absl::DataLossError(fmt::format(
        "entry {} of term {} is committed here, and a leader sent another one of term {}", from,
        *TermAt(from), (*fresh)->term));
  }
  for (auto entry = fresh; entry != entries.end(); ++entry) {
    if ((*entry)->type == EntryType::kMembership) {
      RETURN_IF_ERROR(DecodeMembership((*entry)->payload).status());
    }
  }
  if (from <= last_index()) Truncate(from);
  std::for_each(fresh, entries.end(), [this](const EntryPtr& entry) { Append(entry); });
  return absl::OkStatus();
}

void RaftLog::Truncate(LogIndex from) {
  CHECK(from > commit_);
  if (from <= written_) truncate_from_ = from;
  while (!tail_.empty() && tail_.back()->index >= from) {
    tail_bytes_ -= EntryBytes(*tail_.back());
    tail_.pop_back();
  }
  runs_.Truncate(from);
  memberships_.Truncate(from);
  written_ = std::min(written_, from - 1);
  if (durable_ >= from && !MUTANT(8)) durable_ = from - 1;
  for (Writing& writing : writing_) writing.last = std::min(writing.last, from - 1);
}

void RaftLog::CommitTo(LogIndex index) {
  CHECK(index <= last_index(), "commit={} last={}", index, last_index());
  commit_ = std::max(commit_, index);
}

void RaftLog::OnSnapshotTaken(const SnapshotMeta& snapshot, LogIndex compact_to) {
  CHECK(compact_to <= snapshot.index && snapshot.index <= handed_out_,
        "compact_to={} snapshot={} handed_out={}", compact_to, snapshot.index, handed_out_);
  if (snapshot.index < snapshot_.index) return;
  CHECK(snapshot.membership == memberships_.At(snapshot.index), "snapshot={}", snapshot.index);
  snapshot_ = snapshot;
  memberships_.CompactTo(snapshot.index);
  if (compact_to <= base_index()) return;
  runs_.CompactTo(compact_to);
  while (!tail_.empty() && tail_.front()->index <= compact_to) {
    tail_bytes_ -= EntryBytes(*tail_.front());
    tail_.pop_front();
  }
}

void RaftLog::Install(const SnapshotMeta& snapshot) {
  CHECK(snapshot.index > commit_ && TermAt(snapshot.index) != snapshot.term);
  snapshot_ = snapshot;
  install_ = true;
  runs_ = TermRuns(snapshot.index, snapshot.term);
  memberships_ = MembershipLog(snapshot.index, snapshot.membership);
  tail_.clear();
  tail_bytes_ = 0;
  unapplied_.Clear();
  truncate_from_ = LogIndex(0);
  commit_ = handed_out_ = written_ = durable_ = snapshot.index;
  for (Writing& writing : writing_) writing.last = std::min(writing.last, snapshot.index);
}

absl::StatusOr<std::vector<EntryPtr>> RaftLog::Read(LogIndex begin, LogIndex last,
                                                    size_t bytes_max) const {
  CHECK(begin > base_index() && begin <= last && last <= last_index());
  if (begin < tail_first()) {
    const LogIndex end = std::min(last + 1, tail_first());
    ASSIGN_OR_RETURN(std::vector<EntryPtr> entries, reader_->Read(begin, end, bytes_max));
    const bool contiguous = !entries.empty() && entries.front()->index == begin &&
                            entries.back()->index == begin + (entries.size() - 1) &&
                            entries.back()->index < end;
    if (!contiguous) {
      return absl::DataLossError(fmt::format("the log on disk lacks entries from {} on", begin));
    }
    return entries;
  }
  std::vector<EntryPtr> entries;
  size_t bytes = 0;
  for (auto entry = tail_.begin() + static_cast<ptrdiff_t>(begin - tail_first());
       entry != tail_.end() && (*entry)->index <= last; ++entry) {
    bytes += EntryBytes(**entry);
    if (bytes > bytes_max && !entries.empty()) break;
    entries.push_back(*entry);
  }
  return entries;
}

RaftLog::Write RaftLog::TakeUnwritten(ReadyId ready) {
  Write write;
  if (!HasUnwritten()) return write;
  if (std::exchange(install_, false)) write.install = snapshot_;
  write.truncate_from = std::exchange(truncate_from_, LogIndex(0));
  write.entries.assign(tail_.begin() + static_cast<ptrdiff_t>(written_ + 1 - tail_first()),
                       tail_.end());
  written_ = last_index();
  writing_.push_back(Writing{ready, written_});
  return write;
}

void RaftLog::OnPersisted(ReadyId ready) {
  while (!writing_.empty() && writing_.front().ready <= ready) {
    durable_ = std::max(durable_, writing_.front().last);
    writing_.pop_front();
  }
  ShrinkTail();
}

absl::StatusOr<std::vector<EntryPtr>> RaftLog::TakeCommitted(size_t unapplied_bytes_max) {
  const LogIndex last = commit_ <= durable_ || MUTANT(4) ? commit_ : durable_;
  if (handed_out_ >= last || unapplied_.bytes() >= unapplied_bytes_max) {
    return std::vector<EntryPtr>();
  }
  ASSIGN_OR_RETURN(std::vector<EntryPtr> entries,
                   Read(handed_out_ + 1, last, unapplied_bytes_max - unapplied_.bytes()));
  size_t bytes = 0;
  for (const EntryPtr& entry : entries) bytes += EntryBytes(*entry);
  handed_out_ = entries.back()->index;
  unapplied_.Add(handed_out_, bytes);
  return entries;
}

void RaftLog::OnApplied(LogIndex index) {
  CHECK(index <= handed_out_);
  unapplied_.ReleaseThrough(index);
}

void RaftLog::ShrinkTail() {
  while (tail_bytes_ > tail_bytes_max_ && tail_.front()->index <= durable_) {
    tail_bytes_ -= EntryBytes(*tail_.front());
    tail_.pop_front();
  }
}

void RaftLog::CheckInvariants() const {
  CHECK(durable_ <= written_ && written_ <= last_index());
  CHECK(tail_first() <= durable_ + 1);
  CHECK(base_index() <= snapshot_.index && snapshot_.index <= handed_out_);
  CHECK(tail_first() > base_index());
  if (base_index() == snapshot_.index) CHECK(TermAt(base_index()) == snapshot_.term);
  CHECK(memberships_.newest_index() <= last_index());
  CHECK(handed_out_ <= commit_ && commit_ <= last_index() && handed_out_ <= durable_);
  CHECK(truncate_from_ == LogIndex(0) || truncate_from_ == written_ + 1);
  if (!tail_.empty()) {
    CHECK(tail_.front()->index == tail_first() && tail_.back()->index == last_index());
    CHECK(TermAt(tail_.front()->index) == tail_.front()->term);
    CHECK(last_term() == tail_.back()->term);
  }
  LogIndex last;
  for (const Writing& writing : writing_) {
    CHECK(writing.last <= written_ && writing.last >= last);
    last = writing.last;
  }
}

}  // namespace bellwether::coord::raft
