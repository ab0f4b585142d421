#include "tests/sim/check_log_matching.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace bellwether::sim {
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
