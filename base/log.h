#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/status.h"
#include "spdlog/spdlog.h"

namespace bellwether::base {

// Sends the process's log (spdlog's default logger: SPDLOG_INFO and friends) to stderr.
// level: trace|debug|info|warn|error; format: text|json (one object per line).
// Errors: INVALID_ARGUMENT that names the value and what is allowed.
absl::Status StartLogging(std::string_view level, std::string_view format);

}  // namespace bellwether::base

// A fixed message and key=value pairs, ids first:
//   LOG_INFO("became leader term={} id={}", term, id);
#define LOG_DEBUG(...) ::spdlog::debug(__VA_ARGS__)
#define LOG_INFO(...) ::spdlog::info(__VA_ARGS__)
#define LOG_WARN(...) ::spdlog::warn(__VA_ARGS__)
#define LOG_ERROR(...) ::spdlog::error(__VA_ARGS__)

template <>
struct fmt::formatter<absl::Status> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(const absl::Status& status, Context& context) const {
    return fmt::formatter<std::string_view>::format(
        bellwether::base::StdView(status.ok() ? "ok" : status.message()), context);
  }
};
