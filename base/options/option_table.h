#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bellwether::base {

// A program's options: each is a flag `--name` and a TOML key `name` with the same meaning.
// Precedence: flag, file, default. Filled before Parse; not thread-safe.
//
//   OptionTable table("bell-coord", "One server of the coordination service.");
//   table.AddText("data-dir", "DIR", "where this server keeps its data", "", Into(data_dir));
//   ASSIGN_OR_RETURN(const OptionTable::Parsed parsed, table.Parse(argc, argv));
class OptionTable {
 public:
  // Takes a value as written; its error becomes "--NAME: ERROR" or "FILE:LINE: NAME: ERROR".
  using Setter = std::function<absl::Status(const std::string&)>;

  OptionTable(std::string program, std::string description);

  // A text option; `default_text` is what it has when nobody sets it, for --help and
  // --print-config.
  void AddText(std::string name, std::string value_name, std::string help,
               std::string default_text, Setter set);
  // May be given several times; in TOML an array. Each value is set in order.
  void AddList(std::string name, std::string value_name, std::string help, Setter add);
  // A switch: present or not; in TOML true or false. Set with "true" or "false".
  void AddSwitch(std::string name, std::string help, bool& value);

  enum class Action { kRun, kCheckConfig, kPrintConfig, kExit };
  struct Parsed {
    Action action = Action::kRun;
    std::string output;  // to print on stdout: help, version, or the configuration as TOML
  };

  // Reads the command line, then --config's file. --help and --version give kExit.
  // Errors: INVALID_ARGUMENT, for exit code 2: unknown flag or key (with the nearest one), wrong
  // type, duplicate, bad value; a file's errors name file and line.
  absl::StatusOr<Parsed> Parse(int argc, const char* const* argv);

  // A setter that keeps the text as it is.
  static Setter Into(std::string& value);
  // A setter that keeps one of a few words and refuses all others.
  static Setter OneOf(std::string& value, std::vector<std::string> words);

 private:
  enum class Kind { kText, kList, kSwitch };
  struct Option {
    Kind kind = Kind::kText;
    std::string name;
    std::string value_name;
    std::string help;
    Setter set;
    std::vector<std::string> values;  // in force; at first the default, if any
    std::string place;                // where they come from, as in "--id" or "coord.toml:3: id"
  };

  Option* Find(std::string_view name);
  absl::StatusOr<bool> ReadFlags(int argc, const char* const* argv, std::string& output);
  absl::Status ReadFile(const std::string& path);
  absl::Status ApplyValues();
  std::string PrintConfig() const;

  const std::string program_;
  const std::string description_;
  std::string config_path_;
  bool check_config_ = false;
  bool print_config_ = false;
  std::vector<Option> options_;
};

// The candidate with the smallest edit distance to `word`; "" when none is near.
std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace bellwether::base
