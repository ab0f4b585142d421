#include "coord/rpc/session_stream.h"

#include <utility>

#include "base/status.h"

namespace bellwether::coord {

absl::StatusOr<std::unique_ptr<SessionStream>> SessionStream::Open(
    CoordService& service, Principal principal, std::shared_ptr<StreamSink> sink) {
  ASSIGN_OR_RETURN(auto connection,
                   service.OpenConnection(std::move(principal), std::move(sink)));
  return std::unique_ptr<SessionStream>(new SessionStream(std::move(connection)));
}

bool SessionStream::Receive(v1::SessionRequest&& frame) {
  const size_t bytes = frame.ByteSizeLong();
  return connection_->Submit(ToClientFrame(std::move(frame)), bytes);
}

TakeResult SessionStream::Take(size_t bytes_max, std::vector<v1::SessionResponse>& frames) {
  std::vector<ServerFrame> taken;
  const TakeResult result = connection_->Take(bytes_max, taken);
  for (ServerFrame& frame : taken) ToProto(std::move(frame), frames.emplace_back());
  return result;
}

}  // namespace bellwether::coord
