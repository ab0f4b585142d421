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
#include "base/executor.h"
#include "base/metrics.h"
#include "base/net/event_loop.h"
#include "base/net/tcp.h"
#include "base/parse.h"
#include "coord/zk/byte_protocol.h"
#include "coord/zk/client_socket.h"
#include "coord/zk/four_letter_words.h"

namespace bellwether::coord::zk {

struct ServerOptions {
  base::HostPort listen;
  WordList words;
  size_t connections_max = 10'000;
  size_t connections_per_address_max = 60;  // 0: no limit
  SocketTimeouts timeouts;
};

// The sockets of ZooKeeper's clients: accepts them, spreads them over the loops, answers four-letter
// words, keeps the limits. Knows neither the protocol's bytes nor the service.
// Owned by the server; stopped, which is what destroying it does, before its loops are.
// Threads: Open, Stop and the destructor on the owner's; all else on the loops, each client on one.
// Limits: ServerOptions; above the numbers of connections new ones are closed at once
// (bell_zk_connections_refused_total), and those that take too long (bell_zk_connections_late_total).
class Server {
 public:
  struct Dependencies {
    std::vector<base::EventLoop*> loops;  // at least one
    base::Clock& clock;
    base::Metrics& metrics;
    // A protocol for a client, on whose loop it is called. `traffic` counts for all clients of the
    // loop.
    std::function<std::shared_ptr<ByteProtocol>(base::Executor& loop, ClientAddress address,
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
  class Common;
  class ClientLoop;

  explicit Server(std::shared_ptr<Common> common) : common_(std::move(common)) {}

  // Posts to each loop; returns once all have run it.
  void RunOnLoops(const std::function<void(ClientLoop&)>& action);

  const std::shared_ptr<Common> common_;  // shared with the clients
  std::vector<std::shared_ptr<ClientLoop>> loops_;  // shared with what of them is posted
  std::unique_ptr<base::Listener> listener_;
  bool stopped_ = false;
};

}  // namespace bellwether::coord::zk
