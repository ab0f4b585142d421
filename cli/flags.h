#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

// Flags with the values of base/parse.h; a bad value is a usage error that says what would be right.
namespace bellwether::cli {

// "500ms", "10s", "5m".
CLI::Option* AddDuration(CLI::App& app, const std::string& name, const std::string& help,
                         std::optional<absl::Duration>& value);

// "64KiB", "1MiB", or bytes.
CLI::Option* AddSize(CLI::App& app, const std::string& name, const std::string& help,
                     uint64_t& value);

// A whole number from `first` to `last`.
CLI::Option* AddInteger(CLI::App& app, const std::string& name, const std::string& help,
                        int64_t first, int64_t last, std::optional<int64_t>& value);

}  // namespace bellwether::cli
