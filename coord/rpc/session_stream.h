#pragma once

#include <memory>

#include "coord/rpc/convert.h"

namespace bellwether::coord {

// Coord.Session without its transport: frames in, frames out. gRPC carries them in production, a
// function call in the simulator. What authenticates takes effect when it is received (Z51), not in
// its turn. Thread-safe as Connection is, but for Receive: one call at a time.
class SessionStream {
 public:
  // The sink is told when there is something to take. Errors as CoordService::OpenConnection.
  static absl::StatusOr<std::unique_ptr<SessionStream>> Open(CoordService& service,
                                                             Principal principal,
                                                             std::shared_ptr<StreamSink> sink);

  // A frame came. False: read no further until the sink's OnResume.
  bool Receive(v1::SessionRequest&& frame);

  // Nothing more comes, and nothing more can be sent.
  void Close() { connection_->Close(); }

  // Appends frames worth about `bytes_max`, at least one if there is one.
  TakeResult Take(size_t bytes_max, std::vector<v1::SessionResponse>& frames);

 private:
  SessionStream(CoordService& service, std::shared_ptr<Connection> connection)
      : service_(service), connection_(std::move(connection)) {}

  // The connection's later requests are made as who has these credentials, too.
  absl::Status Authenticate(const Credentials& credentials);

  CoordService& service_;
  const std::shared_ptr<Connection> connection_;  // shared with the service
};

}  // namespace bellwether::coord
