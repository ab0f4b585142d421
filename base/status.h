#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwether::base {

// What is known about the effect of a request that failed.
enum class Outcome {
  kRejected,  // Nothing happened and nothing will: safe to retry.
  kUnknown,   // It may have happened, or may yet.
};

// A status that says that the request may have taken effect. Every other error status is
// kRejected: code that can't rule out an effect must say so with this.
absl::Status UnknownOutcome(absl::StatusCode code, std::string_view message);

// Requires: !status.ok().
Outcome OutcomeOf(const absl::Status& status);

// A status with a reason, a stable word for programs such as "no_node"; empty: none. Rejected.
absl::Status ErrorWithReason(absl::StatusCode code, std::string_view reason,
                             std::string_view message);

// The reason, or "" when the code says all.
std::string ReasonOf(const absl::Status& status);

// The status with "prefix: " before its message; code, outcome and reason are kept.
absl::Status Annotate(const absl::Status& status, std::string_view prefix);

// Debian's abseil has a string_view class of its own.
inline absl::string_view AbslView(std::string_view view) { return {view.data(), view.size()}; }
inline std::string_view StdView(absl::string_view view) { return {view.data(), view.size()}; }

namespace internal {
inline absl::Status ToStatus(absl::Status status) { return status; }
template <typename T>
absl::Status ToStatus(absl::StatusOr<T>&& result) {
  return std::move(result).status();
}
}  // namespace internal

}  // namespace bellwether::base

#define RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                  \
    if (auto status_of_expression = (expression); !status_of_expression.ok()) {         \
      return ::bellwether::base::internal::ToStatus(std::move(status_of_expression));   \
    }                                                                                   \
  } while (false)

#define BELLWETHER_CONCAT_INNER(a, b) a##b
#define BELLWETHER_CONCAT(a, b) BELLWETHER_CONCAT_INNER(a, b)

// ASSIGN_OR_RETURN(auto value, ReturnsStatusOr());
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER(BELLWETHER_CONCAT(status_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_INNER(result, target, expression)  \
  auto result = (expression);                               \
  if (!result.ok()) return std::move(result).status();      \
  target = *std::move(result)
