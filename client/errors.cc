#include "client/errors.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bellwether::client {
namespace {

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
