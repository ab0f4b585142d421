#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// How `bell shell` reads a line. Pure.
namespace bellwether::cli {

// Lines that the shell remembers, and their bytes.
inline constexpr size_t kHistoryLinesMax = 1000;
inline constexpr size_t kHistoryBytesMax = size_t{16} << 20;

// Words separated by blanks. Inside '...' all is literal; inside "..." and outside of quotes a
// backslash takes the next character literally. INVALID_ARGUMENT for a quote that isn't closed.
absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line);

// The word that a line ends in, to be completed.
struct LastWord {
  bool first = true;  // of the line
  std::string text;   // so far, as SplitWords would read it
  char quote = 0;     // that is open, ' or "; 0: none
};
LastWord FindLastWord(std::string_view line);

// How a word can go on.
struct Completion {
  std::string more;                  // goes on like this in any case, quoted as needed
  std::vector<std::string> choices;  // the whole words it can become, as SplitWords would read them
};

// `choices` begin with the word's text. The only one, when it is all there, is followed by the end of
// its quote and a blank.
Completion CompleteWord(const LastWord& word, std::vector<std::string> choices);

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
