#include "tests/sim/check_one_shot_watches.h"

#include <algorithm>

namespace bellwether::sim {
namespace {

using client::WatchEventType;
using coord::tree::Change;

bool Fires(const OneShotRecord& watch, const Change& change) {
  if (change.path != watch.path) return false;
  if (change.type == Change::Type::kDeleted) return true;
  return watch.children == (change.type == Change::Type::kChildren);
}

// The first change in (after, last] that the watch is about; null when there is none.
const Change* FirstChange(const OneShotRecord& watch, Zxid after, Zxid last, const Model& model) {
  for (const Model::Applied& applied : model.CommandsIn(after, last)) {
    for (const Change& change : applied.changes) {
      if (Fires(watch, change)) return &change;
    }
  }
  return nullptr;
}

}  // namespace

void CheckOneShotWatches(const History& history, const Model& model, Violations& violations) {
  for (const OneShotRecord& watch : history.one_shots) {
    const Change* const missed = FirstChange(watch, watch.set_at_last, watch.revealed, model);
    if (missed != nullptr) {
      violations.Add("one-shot watch",
                     "client {} was shown zxid {} before the event of {} at zxid {} (set at {})",
                     watch.client, watch.revealed, watch.path, missed->zxid, watch.set_at_last);
      continue;
    }
    if (!watch.event.has_value() || watch.event->type == WatchEventType::kConnectionLost) continue;
    // The state it was set at is not always known exactly.
    const Zxid fired = ToTree(watch.event->zxid);
    const Change* first = watch.paged
                              ? FirstChange(watch, fired - 1, fired, model)
                              : FirstChange(watch, watch.set_at_first, watch.set_at_last, model);
    if (first == nullptr || first->zxid != fired) {
      first = FirstChange(watch, std::min(watch.set_at_last, fired - 1), fired, model);
    }
    if (first != nullptr && first->zxid == fired && TypeOf(first->type) == watch.event->type) {
      continue;
    }
    violations.Add("one-shot watch", "client {} got an event of {} at zxid {}, set at {} to {}",
                   watch.client, watch.path, fired, watch.set_at_first, watch.set_at_last);
  }
}

}  // namespace bellwether::sim
