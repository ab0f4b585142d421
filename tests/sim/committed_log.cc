#include "tests/sim/committed_log.h"

namespace bellwether::sim {

void CommittedLog::OnApply(ServerId server, const coord::CommittedBatch& batch,
                           absl::Duration now) {
  applied_[server] = batch.index;
  if (batch.index != LogIndex(entries_.size()) + 1) return;  // known, or told of as a violation
  entries_.push_back({batch.term, batch.index, batch.time_ms,
                      {batch.commands.begin(), batch.commands.end()}, now});
}

LogIndex CommittedLog::applied(ServerId server) const {
  const auto found = applied_.find(server);
  return found == applied_.end() ? LogIndex() : found->second;
}

}  // namespace bellwether::sim
