#include "coord/service/coord_service.h"

// What of a CoordService is read when somebody looks at the metrics.
namespace bellwether::coord {

void CoordService::RegisterMetrics(base::Metrics& metrics) {
  const auto of_tree = [this](size_t (tree::StateMachine::*count)() const) {
    return [this, count] {
      base::ReaderLock lock(state_.mutex);
      return static_cast<double>((state_.tree.*count)());
    };
  };
  metrics.AddGauge("bell_znodes", "Znodes, the root included.",
                   of_tree(&tree::StateMachine::znode_count));
  metrics.AddGauge("bell_znode_data_bytes", "Data of all znodes.",
                   of_tree(&tree::StateMachine::data_bytes));
  metrics.AddGauge("bell_sessions", "Live sessions of the ensemble.",
                   of_tree(&tree::StateMachine::session_count));
  metrics.AddGauge("bell_kept_results", "Results of writes kept for who sends them again.",
                   of_tree(&tree::StateMachine::kept_results));
  metrics.AddGauge("bell_kept_result_bytes", "Memory of those.",
                   of_tree(&tree::StateMachine::kept_result_bytes));
  const auto add = [&metrics](const char* name, const char* help, auto read) {
    metrics.AddGauge(name, help, [read] { return static_cast<double>(read()); });
  };
  add("bell_connections", "Session streams open at this server.",
      [this] { return connections_.count(); });
  add("bell_digests_compared", "Times that the state was compared with the leader's.",
      [this] { return digests_.compared(); });
  add("bell_watches", "Watches set at this server.",
      [this] { return znode_watches_.count() + watches_.count(); });
  add("bell_one_shot_watches", "One-shot watches among them.",
      [this] { return znode_watches_.count(); });
  add("bell_znode_watch_path_bytes", "Of the paths that connections watch.",
      [this] { return znode_watches_.path_bytes(); });
  add("bell_lock_waits", "Waits for locks at this server.", [this] { return lock_waits_.count(); });
  add("bell_lock_places", "Places in the lines of those locks.",
      [this] { return lock_waits_.places(); });
  add("bell_outbox_bytes", "Frames that clients of sessions have not taken yet.",
      [this] { return connections_.Sum(&Connection::outbox_bytes); });
  add("bell_unanswered_request_bytes", "Requests that have no answer yet.",
      [this] { return connections_.Sum(&Connection::unanswered_bytes); });
  add("bell_watch_queue_bytes", "Changes that watchers have not taken yet.",
      [this] { return watches_.queue_bytes(); });
  add("bell_watch_ring_changes", "Changes that a watch can resume from.",
      [this] { return hub_.ring_changes(); });
  add("bell_watch_ring_bytes", "Memory of those.", [this] { return hub_.ring_bytes(); });
}

}  // namespace bellwether::coord
