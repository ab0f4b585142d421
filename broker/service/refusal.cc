#include "broker/service/refusal.h"

#include "absl/strings/cord.h"
#include "base/status.h"

namespace bellwether::broker {
namespace {

constexpr char kReasonPayload[] = "bellwether/reason";

}  // namespace

absl::Status Refuse(absl::StatusCode code, std::string_view reason, std::string_view message) {
  absl::Status status(code, base::AbslView(message));
  status.SetPayload(kReasonPayload, absl::Cord(base::AbslView(reason)));
  return status;
}

std::string RefusalReason(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonPayload);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace bellwether::broker
