#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/coord.h"
#include "cli/shell_watch.h"
#include "cli/shell_words.h"

namespace bellwether::cli {

// What `bell shell` does with a line: zkCli's verbs on one session at a time. Prints results on
// stdout; what watches see, too, from the client's thread. One thread otherwise. Ends the session.
// Limits: kWatchesMax paths watched by `addWatch`.
class ShellSession {
 public:
  // Opens a session at "H:P[,H:P]", or, without any, at the servers that the command line names.
  using Connector =
      std::function<absl::StatusOr<std::unique_ptr<client::Coord>>(const std::string& servers)>;

  explicit ShellSession(Connector connector) : connector_(std::move(connector)) {}
  ~ShellSession();
  ShellSession(const ShellSession&) = delete;
  ShellSession& operator=(const ShellSession&) = delete;

  // Opens a session in place of that before, if any. Errors: those of the connector; there is none
  // then.
  absl::Status Open(const std::string& servers);

  // Runs one line; an empty one, or one that begins with '#', does nothing. What it changed was
  // reported by the watches of `addWatch` before this returns, unless that takes long.
  absl::Status Run(const std::string& line);

  // After `quit`.
  bool done() const { return done_; }

  // How the last word of the line could go on: as a verb, or a path.
  Completion Complete(std::string_view line);

 private:
  static constexpr size_t kWatchesMax = 100;

  struct Verb;
  using Handler = absl::Status (ShellSession::*)(const VerbArguments&);

  static const std::vector<Verb>& Verbs();

  // With -w: a watch that prints what it sees, once.
  client::ReadOptions ReadOptionsOf(const VerbArguments& arguments);
  // Waits until the watches of `addWatch` have printed all that this client knows to have happened.
  void LetWatchesCatchUp();
  absl::Status CloseSession();

  // The flag -v; without it any.
  static absl::StatusOr<int32_t> VersionOf(const VerbArguments& arguments);

  absl::Status AddAuth(const VerbArguments& arguments);
  absl::Status AddWatch(const VerbArguments& arguments);
  absl::Status Close(const VerbArguments& arguments);
  absl::Status Connect(const VerbArguments& arguments);
  absl::Status DelQuota(const VerbArguments& arguments);
  absl::Status GetAcl(const VerbArguments& arguments);
  absl::Status GetAllChildrenNumber(const VerbArguments& arguments);
  absl::Status GetEphemerals(const VerbArguments& arguments);
  absl::Status ListQuota(const VerbArguments& arguments);
  absl::Status PrintWatches(const VerbArguments& arguments);
  absl::Status Redo(const VerbArguments& arguments);
  absl::Status RemoveWatches(const VerbArguments& arguments);
  absl::Status SetAcl(const VerbArguments& arguments);
  absl::Status SetQuota(const VerbArguments& arguments);
  absl::Status WhoAmI(const VerbArguments& arguments);
  absl::Status Version(const VerbArguments& arguments);
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

  void Remember(const std::string& line);

  const Connector connector_;
  std::deque<std::string> history_;  // the last lines
  size_t history_bytes_ = 0;         // of those
  size_t lines_ = 0;                 // ever remembered
  bool done_ = false;
  std::atomic<bool> print_watches_ = true;
  std::unique_ptr<client::Coord> coord_;  // null: no session
  std::map<std::string, std::unique_ptr<ShellWatch>> watches_;  // of `addWatch`, by path
};

}  // namespace bellwether::cli
