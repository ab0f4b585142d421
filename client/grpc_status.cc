#include "client/grpc_status.h"

#include "fmt/format.h"

namespace bellwether::client {

absl::Status FromGrpc(const grpc::Status& status, const std::string& peer) {
  if (status.ok()) {
    return absl::UnavailableError(fmt::format("{} ended the connection", peer));
  }
  const int code = status.error_code();
  return absl::Status(code > 0 && code <= 16 ? static_cast<absl::StatusCode>(code)
                                             : absl::StatusCode::kUnknown,
                      fmt::format("{}: {}", peer, status.error_message()));
}

}  // namespace bellwether::client
