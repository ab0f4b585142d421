#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/parse.h"
#include "broker/metadata/cluster.h"
#include "broker/metadata/ids.h"
#include "broker/service/broker_service.h"

namespace bellwether::broker {

// The gRPC frontend: services Broker and Admin on one listener. Thread-safe. What it is given
// outlives it; executors must still run in Stop().
class RpcServer {
 public:
  struct Parts {
    BrokerId self;
    BrokerService* service = nullptr;
    Cluster* cluster = nullptr;
    std::vector<base::Executor*> readers;  // streams are spread over them; they may block on disk
    base::Clock* clock = nullptr;
    base::Metrics* metrics = nullptr;
    std::function<uint64_t()> disk_free_bytes;  // for the status; called on a reader
  };

  // Listens. Errors: UNAVAILABLE that names the address, when it is in use or can't be had.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const base::HostPort& listen,
                                                          Parts parts);
  virtual ~RpcServer() = default;

  // Where it listens, with the real port.
  virtual base::HostPort address() const = 0;

  // Takes no new calls, answers what is under way, cancels what remains after `grace`. Idempotent.
  virtual void Stop(absl::Duration grace) = 0;
};

}  // namespace bellwether::broker
