#include "coord/rpc/watch_stream.h"

#include <utility>

#include "base/status.h"
#include "coord/service/identities.h"

namespace bellwether::coord {

absl::StatusOr<std::unique_ptr<WatchStream>> WatchStream::Open(CoordService& service,
                                                               Principal principal,
                                                               const v1::WatchRequest& request,
                                                               std::shared_ptr<StreamSink> sink) {
  ASSIGN_OR_RETURN(WatchRequest converted, ToWatchRequest(request));
  ASSIGN_OR_RETURN(tree::Identities identities,
                   Authenticated(service, {AddressIdentity(principal.address)},
                                 request.credentials()));
  converted.identities = std::make_shared<const tree::Identities>(std::move(identities));
  ASSIGN_OR_RETURN(auto watch, service.OpenWatch(std::move(principal), std::move(converted),
                                                 std::move(sink)));
  return std::unique_ptr<WatchStream>(new WatchStream(std::move(watch)));
}

TakeResult WatchStream::Take(size_t bytes_max, std::vector<v1::WatchResponse>& frames) {
  std::vector<WatchFrame> taken;
  TakeResult result = watch_->Take(bytes_max, taken);
  for (const WatchFrame& frame : taken) ToProto(frame, frames.emplace_back());
  return result;
}

}  // namespace bellwether::coord
