#include "base/parse.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::base {

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  absl::Duration duration;
  const bool has_unit = text == "0" || text.find_first_of("smh") != std::string_view::npos;
  if (!has_unit || !absl::ParseDuration(AbslView(text), &duration) ||
      duration < absl::ZeroDuration() || duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not a duration; write for example 500ms, 10s or 5m", text));
  }
  return duration;
}

absl::StatusOr<uint64_t> ParseSize(std::string_view text) {
  static constexpr struct {
    std::string_view suffix;
    uint64_t factor;
  } kUnits[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20},    {"GiB", 1 << 30}, {"TiB", 1ULL << 40},
                {"KB", 1000},     {"MB", 1000 * 1000}, {"GB", 1000000000}, {"B", 1},
                {"", 1}};
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  for (const auto& unit : kUnits) {
    if (digits == 0 || error != std::errc() || text.substr(digits) != unit.suffix) continue;
    if (number > UINT64_MAX / 2 / unit.factor) break;
    return number * unit.factor;
  }
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a size; write bytes or for example 64KiB or 1MiB", text));
}

absl::StatusOr<int64_t> ParseInteger(std::string_view text, int64_t first, int64_t last) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed_end, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || parsed_end != end || value < first || value > last) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not a whole number from {} to {}", text, first, last));
  }
  return value;
}

std::string HostPort::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

bool HostPort::IsLoopback() const {
  const bool is_ipv4 = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "::1" || (is_ipv4 && host.starts_with("127."));
}

bool HostPort::IsAny() const { return host == "0.0.0.0" || host == "::"; }

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  constexpr size_t kHostBytesMax = 255;  // a domain name has no more (RFC 1035)
  constexpr size_t kBytesMax = kHostBytesMax + std::string_view("[]:65535").size();
  if (text.size() > kBytesMax) {
    return absl::InvalidArgumentError(fmt::format("'{}...', {} characters, is not HOST:PORT",
                                                  text.substr(0, 40), text.size()));
  }
  const auto bad = [text] {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not HOST:PORT; write for example 127.0.0.1:2191", text));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad();
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  if (host.size() > kHostBytesMax || host.find_first_of(" \t/,") != std::string_view::npos) {
    return bad();
  }
  const auto port = ParseInteger(text.substr(colon + 1), 0, 65535);
  if (!port.ok()) return bad();
  return HostPort{.host = std::string(host), .port = static_cast<uint16_t>(*port)};
}

absl::StatusOr<std::vector<HostPort>> ParseHostPorts(std::string_view text) {
  std::vector<HostPort> addresses;
  for (const absl::string_view part : absl::StrSplit(AbslView(text), ',')) {
    ASSIGN_OR_RETURN(HostPort address, ParseHostPort(StdView(part)));
    addresses.push_back(std::move(address));
  }
  return addresses;
}

}  // namespace bellwether::base
