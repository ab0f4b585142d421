#include "base/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace bellwether::base {
namespace {

constexpr char kOutcomePayload[] = "bellwether/outcome";
constexpr char kReasonPayload[] = "bellwether/reason";

}  // namespace

absl::Status UnknownOutcome(absl::StatusCode code, std::string_view message) {
  absl::Status status(code, AbslView(message));
  status.SetPayload(kOutcomePayload, absl::Cord("unknown"));
  return status;
}

Outcome OutcomeOf(const absl::Status& status) {
  return status.GetPayload(kOutcomePayload).has_value() ? Outcome::kUnknown : Outcome::kRejected;
}

absl::Status ErrorWithReason(absl::StatusCode code, std::string_view reason,
                             std::string_view message) {
  absl::Status status(code, AbslView(message));
  if (!reason.empty()) status.SetPayload(kReasonPayload, absl::Cord(AbslView(reason)));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const auto reason = status.GetPayload(kReasonPayload);
  return reason.has_value() ? std::string(*reason) : "";
}

absl::Status Annotate(const absl::Status& status, std::string_view prefix) {
  absl::Status result(status.code(), absl::StrCat(AbslView(prefix), ": ", status.message()));
  status.ForEachPayload([&result](absl::string_view url, const absl::Cord& payload) {
    result.SetPayload(url, payload);
  });
  return result;
}

}  // namespace bellwether::base
