#include "base/options/option_table.h"

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "base/version.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// The values of a TOML node as the texts a flag would take.
absl::StatusOr<std::vector<std::string>> TextsOf(const toml::node& node, bool list, bool flag) {
  if (list) {
    const toml::array* const array = node.as_array();
    if (array == nullptr) return absl::InvalidArgumentError("must be an array of strings");
    std::vector<std::string> texts;
    for (const toml::node& element : *array) {
      if (!element.is_string()) return absl::InvalidArgumentError("must hold only strings");
      texts.push_back(element.as_string()->get());
    }
    return texts;
  }
  if (flag) {
    if (!node.is_boolean()) return absl::InvalidArgumentError("must be true or false");
    return std::vector<std::string>{node.as_boolean()->get() ? "true" : "false"};
  }
  if (node.is_string()) return std::vector<std::string>{node.as_string()->get()};
  if (node.is_integer()) return std::vector<std::string>{std::to_string(node.as_integer()->get())};
  return absl::InvalidArgumentError("must be a string or a whole number");
}

}  // namespace

OptionTable::OptionTable(std::string program, std::string description)
    : program_(std::move(program)), description_(std::move(description)) {}

void OptionTable::AddText(std::string name, std::string value_name, std::string help,
                          std::string default_text, Setter set) {
  Option option{.kind = Kind::kText, .set = std::move(set)};
  option.name = std::move(name);
  option.value_name = std::move(value_name);
  option.help = std::move(help);
  if (!default_text.empty()) option.values.push_back(std::move(default_text));
  options_.push_back(std::move(option));
}

void OptionTable::AddList(std::string name, std::string value_name, std::string help, Setter add) {
  Option option{.kind = Kind::kList, .set = std::move(add)};
  option.name = std::move(name);
  option.value_name = std::move(value_name);
  option.help = std::move(help);
  options_.push_back(std::move(option));
}

void OptionTable::AddSwitch(std::string name, std::string help, bool& value) {
  Option option{.kind = Kind::kSwitch};
  option.name = std::move(name);
  option.help = std::move(help);
  option.set = [&value](const std::string& text) {
    value = text == "true";
    return absl::OkStatus();
  };
  option.values.push_back(value ? "true" : "false");
  options_.push_back(std::move(option));
}

OptionTable::Setter OptionTable::Into(std::string& value) {
  return [&value](const std::string& text) {
    value = text;
    return absl::OkStatus();
  };
}

OptionTable::Setter OptionTable::OneOf(std::string& value, std::vector<std::string> words) {
  return [&value, words = std::move(words)](const std::string& text) -> absl::Status {
    if (std::find(words.begin(), words.end(), text) == words.end()) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is not one of {}", text, fmt::join(words, ", ")));
    }
    value = text;
    return absl::OkStatus();
  };
}

absl::StatusOr<OptionTable::Parsed> OptionTable::Parse(int argc, const char* const* argv) {
  Parsed parsed;
  ASSIGN_OR_RETURN(const bool go_on, ReadFlags(argc, argv, parsed.output));
  if (!go_on) {
    parsed.action = Action::kExit;
    return parsed;
  }
  if (!config_path_.empty()) RETURN_IF_ERROR(ReadFile(config_path_));
  RETURN_IF_ERROR(ApplyValues());
  if (print_config_) {
    parsed.action = Action::kPrintConfig;
    parsed.output = PrintConfig();
  } else if (check_config_) {
    parsed.action = Action::kCheckConfig;
    parsed.output = "configuration is valid\n";
  }
  return parsed;
}

absl::StatusOr<bool> OptionTable::ReadFlags(int argc, const char* const* argv,
                                            std::string& output) {
  CLI::App app(description_, program_);
  app.set_version_flag("--version", VersionString(program_));
  app.add_option("--config", config_path_, "read options from this TOML file")->type_name("FILE");
  app.add_flag("--check-config", check_config_, "check flags and file, then exit");
  app.add_flag("--print-config", print_config_, "print the configuration in force, then exit");
  std::deque<std::vector<std::string>> values(options_.size());
  std::deque<bool> switches(options_.size(), false);
  for (size_t i = 0; i < options_.size(); ++i) {
    const Option& option = options_[i];
    if (option.kind == Kind::kSwitch) {
      app.add_flag("--" + option.name, switches[i], option.help);
      continue;
    }
    CLI::Option* const flag = app.add_option("--" + option.name, values[i], option.help)
                                  ->type_name(option.value_name)
                                  ->allow_extra_args(false);
    if (!option.values.empty()) flag->default_str(option.values.front());
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    output = dynamic_cast<const CLI::CallForHelp*>(&done) != nullptr
                 ? app.help()
                 : VersionString(program_) + "\n";
    return false;
  } catch (const CLI::ExtrasError&) {
    std::vector<std::string> known;
    for (const Option& option : options_) known.push_back("--" + option.name);
    const std::vector<std::string> extras = app.remaining();
    const std::string word = extras.empty() ? "" : extras.front();
    const std::string nearest = NearestWord(word.substr(0, word.find('=')), known);
    return absl::InvalidArgumentError(
        nearest.empty() ? fmt::format("unknown argument '{}'; see {} --help", word, program_)
                        : fmt::format("unknown argument '{}'; did you mean {}?", word, nearest));
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(fmt::format("{}; see {} --help", error.what(), program_));
  }
  for (size_t i = 0; i < options_.size(); ++i) {
    Option& option = options_[i];
    if (option.kind == Kind::kSwitch && switches[i]) values[i] = {"true"};
    if (values[i].empty()) continue;
    if (option.kind == Kind::kText && values[i].size() > 1) {
      return absl::InvalidArgumentError(fmt::format("--{} is given twice", option.name));
    }
    option.values = values[i];
    option.place = "--" + option.name;
  }
  return true;
}

OptionTable::Option* OptionTable::Find(std::string_view name) {
  for (Option& option : options_) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

absl::Status OptionTable::ReadFile(const std::string& path) {
  const auto text = base::ReadFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("--config: {}", base::StdView(text.status().message())));
  }
  toml::table table;
  try {
    table = toml::parse(*text, path);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(fmt::format("{}:{}: {}", path, error.source().begin.line,
                                                  error.description()));
  }
  for (const auto& [key, node] : table) {
    const std::string place = fmt::format("{}:{}: {}", path, node.source().begin.line, key.str());
    Option* const option = Find(key.str());
    if (option == nullptr) {
      std::vector<std::string> known;
      for (const Option& candidate : options_) known.push_back(candidate.name);
      const std::string nearest = NearestWord(key.str(), known);
      return absl::InvalidArgumentError(
          place + ": unknown key" + (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
    }
    auto texts = TextsOf(node, option->kind == Kind::kList, option->kind == Kind::kSwitch);
    if (!texts.ok()) return Annotate(texts.status(), place);
    if (!option->place.empty()) continue;  // the flag wins
    option->values = *std::move(texts);
    option->place = place;
  }
  return absl::OkStatus();
}

absl::Status OptionTable::ApplyValues() {
  for (const Option& option : options_) {
    for (const std::string& value : option.values) {
      const absl::Status status = option.set(value);
      if (!status.ok()) {
        return Annotate(status, option.place.empty() ? "--" + option.name : option.place);
      }
    }
  }
  return absl::OkStatus();
}

std::string OptionTable::PrintConfig() const {
  std::string out;
  for (const Option& option : options_) {
    out += fmt::format("# {}\n", option.help);
    if (option.kind == Kind::kList) {
      std::vector<std::string> quoted;
      for (const std::string& value : option.values) quoted.push_back(Quoted(value));
      out += fmt::format("{} = [{}]\n", option.name, fmt::join(quoted, ", "));
    } else if (option.values.empty()) {
      out += fmt::format("# {} = \n", option.name);
    } else {
      out += fmt::format("{} = {}\n", option.name,
                         option.kind == Kind::kSwitch ? option.values.front()
                                                      : Quoted(option.values.front()));
    }
  }
  return out;
}

std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates) {
  std::string nearest;
  size_t best = word.size() / 2 + 1;  // farther than this is no typing mistake
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t substituted = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, substituted}));
      }
    }
    if (row.back() < best) {
      best = row.back();
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace bellwether::base
