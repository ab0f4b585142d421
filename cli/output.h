#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"

// What commands print: data on stdout, messages and errors on stderr.
namespace bellwether::cli {

// Exit codes of cli/README.md.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitConflict = 4;
inline constexpr int kExitUnavailable = 5;
inline constexpr int kExitUnknown = 6;
inline constexpr int kExitNotAuthorised = 7;
inline constexpr int kExitUnhealthy = 8;
inline constexpr int kExitInterrupted = 130;

int ExitCodeOf(const absl::Status& status);

// "not_found" and the like.
std::string CodeName(absl::StatusCode code);

// Prints the error as the last line of stderr, as text or JSON; returns its exit code. A usage
// error's code is 2 whatever the status.
int PrintError(const absl::Status& status, bool json);
// For a command whose exit code says more than its last error: the code is `exit`.
int PrintError(const absl::Status& status, int exit, bool json);

// One document, or one object of a stream: a line on stdout.
void PrintJson(const nlohmann::ordered_json& json);

// Bytes as two fields: `name` when they are valid UTF-8, else `name`_base64; the other is null.
// Both are null when there are no bytes.
void AddBytes(nlohmann::ordered_json& json, const std::string& name,
              std::optional<std::string_view> bytes);

std::string Base64(std::string_view bytes);
// nullopt when it is none, with its padding.
std::optional<std::string> FromBase64(std::string_view text);

// Rows in aligned columns, the first row as heading.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// stdout, all of it; FAILED when it can't be written (a closed pipe, a full disk).
absl::Status WriteStdout(std::string_view bytes);
absl::Status FlushStdout();

}  // namespace bellwether::cli
