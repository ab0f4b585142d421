#include "cli/output.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/status.h"
#include "base/utf8.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  if (base::OutcomeOf(status) == base::Outcome::kUnknown) return kExitUnknown;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return kExitConflict;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return kExitUnavailable;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kExitNotAuthorised;
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    default:
      return kExitFailed;
  }
}

std::string CodeName(absl::StatusCode code) {
  std::string name = absl::StatusCodeToString(code);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return name;
}

int PrintError(const absl::Status& status, bool json) {
  return PrintError(status, ExitCodeOf(status), json);
}

int PrintError(const absl::Status& status, int exit, bool json) {
  const std::string message(base::StdView(status.message()));
  std::fflush(stdout);
  if (!json) {
    fmt::print(stderr, "bell: error: {}\n", message);
    return exit;
  }
  const size_t semicolon = message.rfind("; ");
  const bool has_hint = semicolon != std::string::npos;
  nlohmann::ordered_json error = {
      {"code", CodeName(status.code())}, {"exit", exit}, {"message", message.substr(0, semicolon)}};
  error["hint"] = has_hint ? nlohmann::ordered_json(message.substr(semicolon + 2)) : nullptr;
  error["outcome"] = base::OutcomeOf(status) == base::Outcome::kUnknown ? "unknown" : "rejected";
  const nlohmann::ordered_json document = {{"error", error}};
  fmt::print(stderr, "{}\n",
             document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return exit;
}

void PrintJson(const nlohmann::ordered_json& json) {
  fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void AddBytes(nlohmann::ordered_json& json, const std::string& name,
              std::optional<std::string_view> bytes) {
  const bool is_text = bytes.has_value() && base::IsUtf8(*bytes);
  json[name] = is_text ? nlohmann::ordered_json(*bytes) : nullptr;
  json[name + "_base64"] =
      bytes.has_value() && !is_text ? nlohmann::ordered_json(Base64(*bytes)) : nullptr;
}

namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::array<int8_t, 256> values;
  values.fill(-1);
  for (int8_t i = 0; i < 64; ++i) values[static_cast<uint8_t>(kDigits[i])] = i;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 4) {
    const std::string_view four = text.substr(i, 4);
    const bool is_last = i + 4 == text.size();
    const size_t padding = !is_last || four[3] != '=' ? 0 : four[2] == '=' ? 2 : 1;
    uint32_t group = 0;
    for (size_t k = 0; k < 4; ++k) {
      const int8_t value = k < 4 - padding ? values[static_cast<uint8_t>(four[k])] : int8_t{0};
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<uint32_t>(value);
    }
    for (size_t k = 0; k < 3 - padding; ++k) {
      bytes += static_cast<char>(group >> (16 - 8 * k) & 0xff);
    }
  }
  return bytes;
}

std::string Base64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += k <= n ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}", row[i], widths[i] + 2);
    }
    fmt::print("{}\n", line);
  }
}

absl::Status WriteStdout(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) {
    return absl::InternalError("cannot write to stdout; check where it leads");
  }
  return absl::OkStatus();
}

absl::Status FlushStdout() {
  if (std::fflush(stdout) != 0) {
    return absl::InternalError("cannot write to stdout; check where it leads");
  }
  return absl::OkStatus();
}

}  // namespace bellwether::cli
