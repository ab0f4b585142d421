#include "tests/sim/committed_log.h"

#include <algorithm>
#include <span>

namespace bellwether::sim {

void CommittedLog::OnApply(ServerId server, const coord::CommittedBatch& batch,
                           absl::Duration now) {
  LogIndex& applied = applied_[server];
  if (batch.index != applied + 1) {
    violations_.Add("apply order", "server {} applied {} after {}", server, batch.index, applied);
  }
  applied = batch.index;
  const size_t position = batch.index.value() - 1;
  if (position < entries_.size()) {
    const Entry& known = entries_[position];
    if (known.term != batch.term || known.time_ms != batch.time_ms ||
        known.commands != batch.commands) {
      violations_.Add("state machine safety",
                      "server {} applied another entry {} of term {} than the one of term {}",
                      server, batch.index, batch.term, known.term);
    }
    return;
  }
  if (position > entries_.size()) return;  // told above
  entries_.push_back({batch.term, batch.index, batch.time_ms, batch.commands, now});
  newest_zxid_ = newest_zxid_ + static_cast<int64_t>(batch.commands.size());
}

void CommittedLog::OnRestored(ServerId server, LogIndex index) {
  LogIndex& applied = applied_[server];
  if (index <= applied) {
    violations_.Add("apply order", "server {} went back to a snapshot of {} after {}", server, index,
                    applied);
  }
  if (index.value() > entries_.size()) {
    violations_.Add("apply order", "server {} has a snapshot of {}, beyond what was ever applied",
                    server, index);
  }
  applied = index;
}

void CommittedLog::OnState(ServerId server, LogIndex index, uint64_t digest) {
  const auto [known, added] = digests_.emplace(index, digest);
  if (added || known->second == digest) return;
  violations_.Add("state digest", "server {} has {:#x} at index {}, another had {:#x}", server,
                  digest, index, known->second);
}

void CommittedLog::OnLeader(ServerId server, Term term, Term newest_term, coord::LogStore& log) {
  if (term < newest_term) return;
  for (const Entry& entry : entries_) {
    if (entry.term >= term) break;
    if (entry.index < log.FirstIndex()) continue;  // compacted: its snapshot was compared
    if (entry.index <= log.LastIndex()) {
      const absl::StatusOr<Term> own = log.TermAt(entry.index);
      if (own.ok() && *own == entry.term) continue;
    }
    violations_.Add("leader completeness",
                    "server {} leads term {} without the committed entry {} of term {}", server,
                    term, entry.index, entry.term);
    return;
  }
}

LogIndex CommittedLog::applied(ServerId server) const {
  const auto found = applied_.find(server);
  return found == applied_.end() ? LogIndex() : found->second;
}

namespace {

// Both know where they begin: what was before is compacted.
void CompareLogs(ServerId a_id, std::span<const coord::raft::EntryPtr> a, ServerId b_id,
                 std::span<const coord::raft::EntryPtr> b, Violations& violations) {
  if (a.empty() || b.empty()) return;
  const LogIndex first = std::max(a.front()->index, b.front()->index);
  if (a.back()->index < first || b.back()->index < first) return;
  a = a.subspan(first.value() - a.front()->index.value());
  b = b.subspan(first.value() - b.front()->index.value());
  size_t agreed = std::min(a.size(), b.size());
  while (agreed > 0 && a[agreed - 1]->term != b[agreed - 1]->term) --agreed;
  for (size_t i = 0; i < agreed; ++i) {
    if (a[i] == b[i]) continue;
    if (a[i]->term == b[i]->term && a[i]->type == b[i]->type && a[i]->payload == b[i]->payload) {
      continue;
    }
    violations.Add("log matching", "servers {} and {} agree on entry {}, and not on {} before it",
                   a_id, b_id, a[agreed - 1]->index, a[i]->index);
    return;
  }
}

}  // namespace

void CheckLogMatching(const std::map<ServerId, const coord::SimDisk*>& disks,
                      Violations& violations) {
  for (auto a = disks.begin(); a != disks.end(); ++a) {
    for (auto b = std::next(a); b != disks.end(); ++b) {
      CompareLogs(a->first, a->second->durable_entries(), b->first, b->second->durable_entries(),
                  violations);
    }
  }
}

}  // namespace bellwether::sim
