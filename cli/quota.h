#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/coord.h"

// Quotas as zkCli sets them: znodes below /zookeeper/quota, in ZooKeeper's text (Z54).
namespace bellwether::cli {

// What a znode and all below it may be together. Beyond a hard one a change is refused; the others
// are for those who look.
struct QuotaLimits {
  std::optional<int64_t> count;  // znodes
  std::optional<int64_t> bytes;  // of their data
  std::optional<int64_t> count_hard;
  std::optional<int64_t> bytes_hard;

  friend bool operator==(const QuotaLimits&, const QuotaLimits&) = default;
};

// Sets those limits that are given, and leaves the others. Errors: NOT_FOUND for a znode that is
// not there; FAILED_PRECONDITION when one above or below has a quota; INVALID_ARGUMENT for
// /zookeeper.
absl::Status SetQuota(client::Coord& coord, const std::string& path, const QuotaLimits& limits);

// Both as ZooKeeper's text. Errors: NOT_FOUND.
struct QuotaTexts {
  std::string limits;
  std::string usage;
};
absl::StatusOr<QuotaTexts> ReadQuota(client::Coord& coord, const std::string& path);

// Errors: NOT_FOUND.
absl::Status DeleteQuota(client::Coord& coord, const std::string& path);

}  // namespace bellwether::cli
