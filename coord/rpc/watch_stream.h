#pragma once

#include <memory>

#include "coord/rpc/convert.h"

namespace bellwether::coord {

// Coord.Watch without its transport: one request in, frames out. Thread-safe as Watch is.
class WatchStream {
 public:
  // Errors: INVALID_ARGUMENT for a malformed request, UNAUTHENTICATED for credentials that prove
  // nothing, else as CoordService::OpenWatch.
  static absl::StatusOr<std::unique_ptr<WatchStream>> Open(CoordService& service,
                                                           Principal principal,
                                                           const v1::WatchRequest& request,
                                                           std::shared_ptr<StreamSink> sink);

  // The client is gone.
  void Close() { watch_->Close(std::nullopt); }

  // Appends frames worth about `bytes_max`, at least one if there is one.
  TakeResult Take(size_t bytes_max, std::vector<v1::WatchResponse>& frames);

 private:
  explicit WatchStream(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}

  const std::shared_ptr<Watch> watch_;  // shared with the service
};

}  // namespace bellwether::coord
