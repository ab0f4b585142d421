#pragma once

#include "absl/status/status.h"
#include "base/status.h"
#include "bellwether/common/v1/error.pb.h"

// Errors of the client library: absl::Status with a canonical code, base::OutcomeOf (rejected or
// unknown) and a reason, a stable word for programs.
namespace bellwether::client {

// "no_node", "node_exists", "bad_version", "not_empty", "no_children_for_ephemerals",
// "bad_arguments", "compare_failed", "session_expired", "no_auth", "invalid_acl", "quota_exceeded", "tree_full",
// "auth_failed", ... or empty when the code says all.
using base::ReasonOf;

using base::ErrorWithReason;

// The same error, its outcome unknown.
absl::Status AsUnknown(const absl::Status& status);

// A code that is no canonical error becomes UNKNOWN.
absl::Status FromWire(const common::v1::Error& error);

// Which part of a transaction failed, counted from 0; -1 where none did.
struct TransactionFailure {
  int compare = -1;    // the condition that did not hold
  int operation = -1;  // the operation that could not be carried out
};
TransactionFailure TransactionFailureOf(const absl::Status& status);
absl::Status WithTransactionFailure(absl::Status status, TransactionFailure failure);

}  // namespace bellwether::client
