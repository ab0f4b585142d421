#include "client/grpc_status.h"

#include "client/errors.h"
#include "fmt/format.h"

namespace bellwether::client {

absl::Status FromGrpc(const grpc::Status& status, const std::string& peer) {
  if (status.ok()) {
    return absl::UnavailableError(fmt::format("{} ended the connection", peer));
  }
  const int code = status.error_code();
  absl::Status error(code > 0 && code <= 16 ? static_cast<absl::StatusCode>(code)
                                            : absl::StatusCode::kUnknown,
                     fmt::format("{}: {}", peer, status.error_message()));
  common::v1::Error details;
  const bool unknown = details.ParseFromString(status.error_details()) &&
                       details.outcome() == common::v1::OUTCOME_UNKNOWN;
  return unknown ? AsUnknown(error) : error;
}

}  // namespace bellwether::client
