#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace bellwether::broker {

// Bounds of the service; see the table in broker/README.md for what happens at each.
struct ServiceLimits {
  size_t produce_bytes_max = size_t{64} << 20;         // not yet durable, all connections
  size_t produce_stream_bytes_max = size_t{16} << 20;  // not yet durable, per stream
  size_t produce_stream_requests_max = 1024;           // not yet answered, per stream
  size_t subscriptions_max = 10000;                    // per consume stream
  size_t credit_bytes_max = size_t{256} << 20;         // per consume stream; more is cut off
  size_t consume_chunk_bytes = size_t{256} << 10;      // read at a time, at least one batch
  size_t streams_max = 4096;                           // produce and consume, together
  size_t list_offsets_max = 10000;                     // queries of one request
  absl::Duration retention_interval = absl::Minutes(1);
};

}  // namespace bellwether::broker
