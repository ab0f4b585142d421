#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/parse.h"
#include "coord/service/coord_service.h"

namespace bellwether::coord {

struct GrpcServerOptions {
  base::HostPort listen;  // port 0: any free one
  uint32_t server_id = 0;
  int streams_per_connection_max = 4'096;  // Session, Watch and Status calls of one connection
  // For a client to take a piece of a snapshot; one that needs longer is as good as gone.
  absl::Duration take_piece_max = absl::Seconds(30);
};

// Serves coord.proto's Coord to clients: gRPC reactors around SessionStream and WatchStream, and
// nothing else. Owned by the server; the service outlives it.
// Threads: gRPC's own.
// Limits: a client's frame of 4 MiB and some, a server's of 64 MiB; what a client
// does not read waits in its stream's outbox; 32 pieces of snapshots not yet taken by their clients.
class GrpcServer {
 public:
  // Errors: UNAVAILABLE when it can't listen there (gRPC does not say why).
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Open(const GrpcServerOptions& options,
                                                          CoordService& service);
  // Cancels what Shutdown did not end.
  ~GrpcServer();

  // With the real port.
  const base::HostPort& address() const;

  // Takes no more calls and waits for those that run, at most `grace`; then cancels them.
  void Shutdown(absl::Duration grace);

 private:
  class Impl;

  explicit GrpcServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;  // keeps gRPC's headers out of this one
};

}  // namespace bellwether::coord
