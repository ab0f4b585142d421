#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/shell_words.h"

namespace bellwether::cli {

// A line at a time from a terminal: editing, history kept in a file, completion by TAB. Over
// libedit. One thread.
class LineEditor {
 public:
  // How the last word of a line could go on.
  using Completer = std::function<Completion(std::string_view line)>;

  LineEditor(std::string prompt, std::string history_file, Completer completer);
  ~LineEditor();  // writes the history file
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Without its newline; empty after Ctrl-C; nullopt at the end of the input.
  std::optional<std::string> Read();

 private:
  struct State;

  const std::unique_ptr<State> state_;
};

}  // namespace bellwether::cli
