#include "tests/sim/check_state_machine.h"

#include <algorithm>

namespace bellwether::sim {

void StateMachineChecker::OnApply(ServerId server, const coord::CommittedBatch& batch) {
  const LogIndex applied = log_.applied(server);
  if (batch.index != applied + 1) {
    violations_.Add("apply order", "server {} applied {} after {}", server, batch.index, applied);
  }
  const size_t position = batch.index.value() - 1;
  if (position >= log_.entries().size()) return;  // the first to apply it
  const CommittedLog::Entry& known = log_.entries()[position];
  if (known.term == batch.term && known.time_ms == batch.time_ms &&
      std::equal(known.commands.begin(), known.commands.end(), batch.commands.begin(),
                 batch.commands.end())) {
    return;
  }
  violations_.Add("state machine safety",
                  "server {} applied another entry {} of term {} than the one of term {}", server,
                  batch.index, batch.term, known.term);
}

void StateMachineChecker::OnRestored(ServerId server, LogIndex index) {
  const LogIndex applied = log_.applied(server);
  if (index <= applied) {
    violations_.Add("apply order", "server {} went back to a snapshot of {} after {}", server, index,
                    applied);
  }
  if (index.value() > log_.entries().size()) {
    violations_.Add("apply order", "server {} has a snapshot of {}, beyond what was ever applied",
                    server, index);
  }
}

}  // namespace bellwether::sim
