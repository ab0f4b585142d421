#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bellwether::base {

// Values as people write them in flags and files. Errors are INVALID_ARGUMENT and say what was
// given and what would be right.

// "500ms", "10s", "5m", "2h", "1h30m". Not negative.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

// "4096", "64KiB", "1MiB", "2GiB" (also KB, MB, GB as powers of 1000). Bytes.
absl::StatusOr<uint64_t> ParseSize(std::string_view text);

// A decimal integer within [first, last].
absl::StatusOr<int64_t> ParseInteger(std::string_view text, int64_t first, int64_t last);

struct HostPort {
  std::string host;
  uint16_t port = 0;

  std::string ToString() const;
  // 127.0.0.0/8, ::1 or "localhost".
  bool IsLoopback() const;
  // 0.0.0.0 or ::, all addresses of the machine: to listen on, not to connect to.
  bool IsAny() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// "127.0.0.1:2191", "host:80", "[::1]:80". Port 0 (any free port) is allowed for listening. A host has
// 255 characters at most.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// "a:1,b:2": one or more.
absl::StatusOr<std::vector<HostPort>> ParseHostPorts(std::string_view text);

}  // namespace bellwether::base
