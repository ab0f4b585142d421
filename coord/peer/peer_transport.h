#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/net/event_loop.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

struct PeerTransportOptions {
  ServerId id;
  std::vector<PeerAddress> servers;  // to begin with, itself included; then SetServers says
  std::string listen;                // "host:port"; port 0: any free one
  absl::Duration redial_first = absl::Milliseconds(50);  // doubles up to redial_last
  absl::Duration redial_last = absl::Milliseconds(250);
  absl::Duration probe_after = absl::Seconds(3);  // see PeerTransport
  absl::Duration hello_timeout = absl::Seconds(5);  // until the other side has said Hello
  absl::Duration connect_timeout = absl::Seconds(1);  // of one attempt
  // When nothing was sent for one interval something is; when nothing came for two and the timeout,
  // the connection is lost.
  absl::Duration keepalive_interval = absl::Seconds(5);
  absl::Duration keepalive_timeout = absl::Seconds(5);
};

// The Transport over TCP (framing.h): one listener, and two streams with each peer, dialled by the server
// with the higher id: one for snapshots, on a connection of its own, one for all else. A server that one
// with a higher id does not dial for `probe_after` dials it by itself, only to learn whether it is refused
// there. Peers of older releases speak gRPC, in either direction, at the same addresses. Must not know what
// messages mean.
// Owned by the server; outlives the replica's use of it.
// Threads: everything on `executor`, the replica's. Stop from any other thread, before the executor's.
// Limits: ExchangeLimits per peer (exchange.h); 256 accepted connections.
class PeerTransport : public Transport {
 public:
  // Binds the listener; nobody is served before Start. Errors: those of
  // base::Listener; they name the flag.
  static absl::StatusOr<std::unique_ptr<PeerTransport>> Listen(const PeerTransportOptions& options,
                                                               base::EventLoop& executor,
                                                               base::Clock& clock,
                                                               base::Metrics& metrics);
  ~PeerTransport() override;

  // The real one, when options.listen said 0.
  uint16_t port() const;

  void Start(Hello hello, Handler& handler) override;
  void SetServers(std::vector<PeerAddress> servers) override;
  void UpdateHello(Hello hello) override;
  void Send(ServerId to, PeerMessage message) override;

  // Ends all streams; nothing is given to the handler any more. Idempotent.
  void Stop();

 private:
  class Impl;
  explicit PeerTransport(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace bellwether::coord
