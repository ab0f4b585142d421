#include "cli/shell_words.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace bellwether::cli {
namespace {

// A line read to its end.
struct Scan {
  std::vector<std::string> words;  // but for the one it ends in
  std::string word;                // that one, so far
  bool in_word = false;
  char quote = 0;  // that is open
};

Scan ScanWords(std::string_view line) {
  Scan scan;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && scan.quote != '\'' && i + 1 < line.size()) {
      scan.word += line[++i];
      scan.in_word = true;
    } else if (scan.quote != 0) {
      if (c == scan.quote) {
        scan.quote = 0;
      } else {
        scan.word += c;
      }
    } else if (c == '\'' || c == '"') {
      scan.quote = c;
      scan.in_word = true;  // '' is a word
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      if (scan.in_word) scan.words.push_back(std::exchange(scan.word, ""));
      scan.in_word = false;
    } else {
      scan.word += c;
      scan.in_word = true;
    }
  }
  return scan;
}

// The longest beginning that all words share.
std::string CommonBeginning(const std::vector<std::string>& words) {
  std::string common = words.front();
  for (const std::string& word : words) {
    const auto differ = std::mismatch(common.begin(), common.end(), word.begin(), word.end());
    common.erase(differ.first, common.end());
  }
  return common;
}

// `text` so that it is read back from within a word in which `quote` is open.
std::string Quoted(std::string_view text, char quote) {
  std::string quoted;
  for (const char c : text) {
    if (quote == '\'' && c == '\'') {
      quoted += R"('\'')";  // nothing is special in there: it has to be left
      continue;
    }
    const std::string_view special = quote == '"' ? R"("\)" : quote == 0 ? " \t\r\n'\"\\" : "";
    if (special.find(c) != std::string_view::npos) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line) {
  Scan scan = ScanWords(line);
  if (scan.quote != 0) {
    return absl::InvalidArgumentError(
        fmt::format("a quote ({}) is not closed; close it", scan.quote));
  }
  if (scan.in_word) scan.words.push_back(std::move(scan.word));
  return std::move(scan.words);
}

LastWord FindLastWord(std::string_view line) {
  Scan scan = ScanWords(line);
  return {scan.words.empty(), std::move(scan.word), scan.quote};
}

Completion CompleteWord(const LastWord& word, std::vector<std::string> choices) {
  Completion completion;
  if (choices.empty()) return completion;
  completion.more = Quoted(CommonBeginning(choices).substr(word.text.size()), word.quote);
  if (choices.size() == 1 && completion.more.empty()) {
    if (word.quote != 0) completion.more += word.quote;
    completion.more += ' ';
  }
  completion.choices = std::move(choices);
  return completion;
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
