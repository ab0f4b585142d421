#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace bellwether::client {

// A call's end as a status that names the peer. Never OK: a stream that a server ends without an
// error gives UNAVAILABLE.
absl::Status FromGrpc(const grpc::Status& status, const std::string& peer);

}  // namespace bellwether::client
