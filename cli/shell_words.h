#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// How `bell shell` reads a line. Pure.
namespace bellwether::cli {

// Words separated by blanks. Inside '...' all is literal; inside "..." and outside of quotes a
// backslash takes the next character literally. INVALID_ARGUMENT for a quote that isn't closed.
absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line);

// A verb's flags and arguments.
struct VerbArguments {
  std::map<char, std::string> flags;  // letter -> value; empty for a flag without one
  std::vector<std::string> positional;

  bool Has(char flag) const { return flags.contains(flag); }
};

// Reads flags, then arguments, from the words after the verb. `allowed` lists the letters, each
// followed by ':' when it takes a value. Words after the first that is no flag are arguments.
// INVALID_ARGUMENT for an unknown flag or a missing value.
absl::StatusOr<VerbArguments> ParseVerbArguments(const std::vector<std::string>& words,
                                                 std::string_view allowed);

}  // namespace bellwether::cli
