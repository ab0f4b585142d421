#pragma once

#include "coord/peer/peer_transport.h"
#include "coord/replica/replica.h"
#include "coord/rpc/grpc_server.h"
#include "coord/service/options.h"
#include "coord/zk/server.h"

namespace bellwether::coord {

// Multiply every timeout of a server's parts by `scale`, base::TimeScale: where a machine or a sanitizer
// is slow, slowness is not to be taken for silence. How often something is done, and when it is tried
// again, stays as it is; but ticks and heartbeats, of which an election timeout is a number, are
// multiplied with it.
void ScaleTimeouts(double scale, ServiceOptions& options);
void ScaleTimeouts(double scale, ReplicaOptions& options);
void ScaleTimeouts(double scale, PeerTransportOptions& options);
void ScaleTimeouts(double scale, GrpcServerOptions& options);
void ScaleTimeouts(double scale, zk::ServerOptions& options);

}  // namespace bellwether::coord
