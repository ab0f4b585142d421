#pragma once

#include <memory>

#include "base/executor.h"
#include "client/broker_channel.h"

namespace bellwether::client {

// BrokerConnector over gRPC: one channel per address, callbacks posted to `executor`, which must
// outlive the connector. Limits: messages of 8 MiB, reconnects after 50 ms to 1 s.
std::unique_ptr<BrokerConnector> NewGrpcBrokerConnector(base::Executor& executor);

}  // namespace bellwether::client
