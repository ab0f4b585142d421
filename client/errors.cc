#include "client/errors.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bellwether::client {
namespace {

constexpr char kReasonPayload[] = "bellwether/reason";
constexpr char kComparePayload[] = "bellwether/failed-compare";
constexpr char kOperationPayload[] = "bellwether/failed-operation";

int PositionIn(const absl::Status& status, absl::string_view payload) {
  int position = -1;
  const auto text = status.GetPayload(payload);
  if (!text.has_value() || !absl::SimpleAtoi(std::string(*text), &position)) return -1;
  return position;
}

void CopyPayloads(const absl::Status& from, absl::Status& to) {
  from.ForEachPayload([&to](absl::string_view url, const absl::Cord& payload) {
    to.SetPayload(url, payload);
  });
}

}  // namespace

std::string ReasonOf(const absl::Status& status) {
  const auto reason = status.GetPayload(kReasonPayload);
  return reason.has_value() ? std::string(*reason) : "";
}

absl::Status ErrorWithReason(absl::StatusCode code, std::string_view reason,
                             std::string_view message) {
  absl::Status status(code, base::AbslView(message));
  if (!reason.empty()) status.SetPayload(kReasonPayload, absl::Cord(base::AbslView(reason)));
  return status;
}

absl::Status AsUnknown(const absl::Status& status) {
  absl::Status unknown = base::UnknownOutcome(status.code(), base::StdView(status.message()));
  CopyPayloads(status, unknown);
  return unknown;
}

absl::Status FromWire(const common::v1::Error& error) {
  const bool canonical = error.code() >= 1 && error.code() <= 16;
  const auto code =
      canonical ? static_cast<absl::StatusCode>(error.code()) : absl::StatusCode::kUnknown;
  const absl::Status status = ErrorWithReason(code, error.reason(), error.message());
  return error.outcome() == common::v1::OUTCOME_UNKNOWN ? AsUnknown(status) : status;
}

TransactionFailure TransactionFailureOf(const absl::Status& status) {
  return {PositionIn(status, kComparePayload), PositionIn(status, kOperationPayload)};
}

absl::Status WithTransactionFailure(absl::Status status, TransactionFailure failure) {
  if (failure.compare >= 0) {
    status.SetPayload(kComparePayload, absl::Cord(absl::StrCat(failure.compare)));
  }
  if (failure.operation >= 0) {
    status.SetPayload(kOperationPayload, absl::Cord(absl::StrCat(failure.operation)));
  }
  return status;
}

}  // namespace bellwether::client
