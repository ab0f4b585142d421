#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "client/coord.h"
#include "cli/shell_words.h"

namespace bellwether::cli {

// What `bell shell` does with a line: zkCli's verbs on one session. Prints results on stdout; fired
// watches, too, from the client's thread. One thread otherwise. Must not outlive the session.
class ShellSession {
 public:
  explicit ShellSession(client::Coord& coord) : coord_(coord) {}

  // Runs one line; an empty one, or one that begins with '#', does nothing.
  absl::Status Run(const std::string& line);

  // After `quit`.
  bool done() const { return done_; }

  // How the last word of the line could go on: as a verb, or a path.
  Completion Complete(std::string_view line);

 private:
  struct Verb;
  using Handler = absl::Status (ShellSession::*)(const VerbArguments&);

  static const std::vector<Verb>& Verbs();

  absl::Status Ls(const VerbArguments& arguments);
  absl::Status Get(const VerbArguments& arguments);
  absl::Status Set(const VerbArguments& arguments);
  absl::Status Create(const VerbArguments& arguments);
  absl::Status Stat(const VerbArguments& arguments);
  absl::Status Delete(const VerbArguments& arguments);
  absl::Status DeleteAll(const VerbArguments& arguments);
  absl::Status Sync(const VerbArguments& arguments);
  absl::Status History(const VerbArguments& arguments);
  absl::Status Help(const VerbArguments& arguments);
  absl::Status Quit(const VerbArguments& arguments);

  client::Coord& coord_;
  std::vector<std::string> history_;
  bool done_ = false;
};

}  // namespace bellwether::cli
