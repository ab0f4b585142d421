#include "coord/timeouts.h"

namespace bellwether::coord {

void ScaleTimeouts(double scale, ServiceOptions& options) {
  options.attach_timeout *= scale;
  options.applied_wait_max *= scale;
  options.finalize_wait_max *= scale;
  options.end_session_wait_max *= scale;
  options.tick_max *= scale;
}

void ScaleTimeouts(double scale, ReplicaOptions& options) {
  options.tick *= scale;
  options.heartbeat *= scale;
  options.election_timeout *= scale;
  options.snapshot_fetch.answer_timeout *= scale;
  options.fetch_silent_max *= scale;
  options.save_catch_up_max *= scale;
  options.save_silent_max *= scale;
  options.save_held_back_max *= scale;
}

void ScaleTimeouts(double scale, PeerTransportOptions& options) {
  options.probe_after *= scale;
  options.hello_timeout *= scale;
  options.connect_timeout *= scale;
  options.keepalive_timeout *= scale;
}

void ScaleTimeouts(double scale, GrpcServerOptions& options) { options.take_piece_max *= scale; }

void ScaleTimeouts(double scale, zk::ServerOptions& options) {
  options.timeouts.handshake *= scale;
  options.timeouts.stall *= scale;
  options.timeouts.linger *= scale;
}

}  // namespace bellwether::coord
