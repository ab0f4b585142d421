#include "coord/rpc/session_stream.h"

#include <utility>

#include "base/status.h"

namespace bellwether::coord {

absl::StatusOr<std::unique_ptr<SessionStream>> SessionStream::Open(
    CoordService& service, Principal principal, std::shared_ptr<StreamSink> sink) {
  ASSIGN_OR_RETURN(auto connection,
                   service.OpenConnection(std::move(principal), std::move(sink)));
  return std::unique_ptr<SessionStream>(new SessionStream(service, std::move(connection)));
}

absl::Status SessionStream::Authenticate(const Credentials& credentials) {
  if (credentials.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(tree::Identities proved,
                   Authenticated(service_, *connection_->identities(), credentials));
  connection_->SetIdentities(std::make_shared<const tree::Identities>(std::move(proved)));
  return absl::OkStatus();
}

bool SessionStream::Receive(v1::SessionRequest&& frame) {
  const size_t bytes = frame.ByteSizeLong();
  absl::Status authenticated = Authenticate(frame.attach().credentials());
  if (!authenticated.ok()) {
    if (connection_->Detach(FailureOf(authenticated))) connection_->PostWake();
    return false;
  }
  if (frame.request().has_authenticate()) {
    Credentials one;
    *one.Add() = frame.request().authenticate().credential();
    authenticated = Authenticate(one);
  }
  ClientFrame converted = ToClientFrame(std::move(frame));
  if (!authenticated.ok()) {
    std::get<Request>(converted).malformed = FailureOf(authenticated);
  }
  return connection_->Submit(std::move(converted), bytes);
}

TakeResult SessionStream::Take(size_t bytes_max, std::vector<v1::SessionResponse>& frames) {
  std::vector<ServerFrame> taken;
  const TakeResult result = connection_->Take(bytes_max, taken);
  for (ServerFrame& frame : taken) ToProto(std::move(frame), frames.emplace_back());
  return result;
}

}  // namespace bellwether::coord
