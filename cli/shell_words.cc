#include "cli/shell_words.h"

#include "fmt/format.h"

namespace bellwether::cli {

absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
      in_word = true;
    } else if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;  // '' is a word
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, ""));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) {
    return absl::InvalidArgumentError(fmt::format("a quote ({}) is not closed; close it", quote));
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

absl::StatusOr<VerbArguments> ParseVerbArguments(const std::vector<std::string>& words,
                                                 std::string_view allowed) {
  VerbArguments arguments;
  size_t i = 1;
  for (; i < words.size() && words[i].size() > 1 && words[i][0] == '-'; ++i) {
    const std::string& word = words[i];
    for (size_t k = 1; k < word.size(); ++k) {
      const size_t found = word[k] == ':' ? std::string_view::npos : allowed.find(word[k]);
      if (found == std::string_view::npos) {
        return absl::InvalidArgumentError(
            fmt::format("{}: unknown flag '-{}'; see `help`", words[0], word[k]));
      }
      std::string& value = arguments.flags[word[k]];
      if (found + 1 >= allowed.size() || allowed[found + 1] != ':') continue;
      if (k + 1 < word.size()) {
        value = word.substr(k + 1);
      } else if (i + 1 < words.size()) {
        value = words[++i];
      } else {
        return absl::InvalidArgumentError(
            fmt::format("{}: flag '-{}' needs a value; see `help`", words[0], word[k]));
      }
      break;
    }
  }
  arguments.positional.assign(words.begin() + static_cast<ptrdiff_t>(i), words.end());
  return arguments;
}

}  // namespace bellwether::cli
