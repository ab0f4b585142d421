#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/net/event_loop.h"
#include "base/net/tcp.h"
#include "base/parse.h"
#include "coord/zk/byte_protocol.h"
#include "coord/zk/four_letter_words.h"

namespace bellwether::coord::zk {

struct ServerOptions {
  base::HostPort listen;
  WordList words;
  size_t connections_max = 10'000;
  size_t connections_per_address_max = 60;  // 0: no limit
  // From connecting to the last byte of the handshake, or of a word.
  absl::Duration handshake_timeout = absl::Seconds(10);
  // Of what is sent to a client that does not read it; and of a word that is asked.
  absl::Duration stall_timeout = absl::Minutes(2);
  // Of a client, to close its side after everything was sent.
  absl::Duration linger_timeout = absl::Seconds(2);
};

// The clients' sockets: accepts them, spreads them over the loops, moves bytes between each and its
// protocol, answers four-letter words, keeps the limits. Knows neither the protocol's bytes nor the
// service.
// Owned by the server; stopped, which is what destroying it does, before its loops are.
// Threads: Open, Stop and the destructor on the owner's; all else on the loops, each client on one.
// Limits: ServerOptions; above the numbers of connections new ones are closed at once
// (bell_zk_connections_refused_total); output is taken from a protocol when the socket has taken what
// came before, so that a client that does not read costs no more than its protocol's bounds.
class Server {
 public:
  struct Dependencies {
    std::vector<base::EventLoop*> loops;  // at least one
    base::Clock& clock;
    base::Metrics& metrics;
    // A protocol for a client, on whose loop it is called. `traffic` counts for all clients of the loop.
    std::function<std::shared_ptr<ByteProtocol>(base::EventLoop& loop, ClientAddress address,
                                                std::shared_ptr<TrafficFigures> traffic,
                                                std::function<void()> wake)>
        make_protocol;
    // For an answer to the word. Any loop.
    std::function<ServerReport(std::string_view word)> report;
  };

  // Errors: as base::Listener::Open.
  static absl::StatusOr<std::unique_ptr<Server>> Open(ServerOptions options, Dependencies deps);
  ~Server();

  const base::HostPort& address() const { return listener_->address(); }

  // Accepts no more, and waits, at most for `grace`, until the clients are gone: whoever has their
  // protocols ends them, what they still have to say is sent. Then closes what is left. Idempotent.
  // Not from a loop.
  void Stop(absl::Duration grace);

 private:
  class Shared;
  class Shard;
  class Client;

  explicit Server(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  const std::shared_ptr<Shared> shared_;  // with what still runs on the loops
  std::unique_ptr<base::Listener> listener_;
};

}  // namespace bellwether::coord::zk
