#include "cli/shell_session.h"

#include <algorithm>

#include "base/options/option_table.h"
#include "base/parse.h"
#include "base/status.h"
#include "cli/output.h"
#include "cli/znode_output.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

constexpr absl::Duration kCompletionMax = absl::Seconds(2);

// With -w: a watch that prints what it sees, once.
client::ReadOptions ReadOptionsOf(const VerbArguments& arguments) {
  client::ReadOptions options;
  if (!arguments.Has('w')) return options;
  options.watch = [](const client::WatchEvent& event) {
    fmt::print("watch: {} {} zxid={}\n", NameOf(event.type), event.path, event.zxid);
    std::fflush(stdout);
  };
  return options;
}

absl::StatusOr<int32_t> VersionOf(const VerbArguments& arguments) {
  if (!arguments.Has('v')) return client::kAnyVersion;
  ASSIGN_OR_RETURN(const int64_t version,
                   base::ParseInteger(arguments.flags.at('v'), -1, INT32_MAX));
  return static_cast<int32_t>(version);
}

}  // namespace

struct ShellSession::Verb {
  std::string name;
  std::string flags;  // as ParseVerbArguments takes them
  size_t arguments_min = 0;
  size_t arguments_max = 0;
  std::string usage;
  Handler handler = nullptr;
};

const std::vector<ShellSession::Verb>& ShellSession::Verbs() {
  static const auto* const verbs = new std::vector<Verb>{
      {"create", "es", 1, 2, "create [-e] [-s] PATH [DATA]", &ShellSession::Create},
      {"delete", "v:", 1, 1, "delete [-v VERSION] PATH", &ShellSession::Delete},
      {"deleteall", "", 1, 1, "deleteall PATH", &ShellSession::DeleteAll},
      {"get", "sw", 1, 1, "get [-s] [-w] PATH", &ShellSession::Get},
      {"help", "", 0, 0, "help", &ShellSession::Help},
      {"history", "", 0, 0, "history", &ShellSession::History},
      {"ls", "sRw", 1, 1, "ls [-s] [-R] [-w] PATH", &ShellSession::Ls},
      {"quit", "", 0, 0, "quit", &ShellSession::Quit},
      {"set", "v:s", 2, 2, "set [-s] [-v VERSION] PATH DATA", &ShellSession::Set},
      {"stat", "w", 1, 1, "stat [-w] PATH", &ShellSession::Stat},
      {"sync", "", 0, 1, "sync [PATH]", &ShellSession::Sync},
  };
  return *verbs;
}

absl::Status ShellSession::Run(const std::string& line) {
  ASSIGN_OR_RETURN(const std::vector<std::string> words, SplitWords(line));
  if (words.empty() || words[0].starts_with("#")) return absl::OkStatus();
  history_.push_back(line);
  const auto verb = std::find_if(Verbs().begin(), Verbs().end(),
                                 [&](const Verb& v) { return v.name == words[0]; });
  if (verb == Verbs().end()) {
    std::vector<std::string> names;
    for (const Verb& known : Verbs()) names.push_back(known.name);
    const std::string nearest = base::NearestWord(words[0], names);
    return absl::InvalidArgumentError(fmt::format(
        "unknown verb '{}'; {}", words[0],
        nearest.empty() ? "see `help`" : fmt::format("did you mean '{}'?", nearest)));
  }
  ASSIGN_OR_RETURN(const VerbArguments arguments, ParseVerbArguments(words, verb->flags));
  const size_t count = arguments.positional.size();
  if (count < verb->arguments_min || count > verb->arguments_max) {
    return absl::InvalidArgumentError(
        fmt::format("{}: wrong number of arguments; usage: {}", verb->name, verb->usage));
  }
  return (this->*verb->handler)(arguments);
}

absl::Status ShellSession::Ls(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(client::ListResult listed, coord_.List(arguments.positional[0],
                                                          arguments.Has('R'),
                                                          ReadOptionsOf(arguments)));
  std::sort(listed.names.begin(), listed.names.end());
  for (const std::string& name : listed.names) fmt::print("{}\n", name);
  if (arguments.Has('s')) PrintTable(RowsOf(listed.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::Get(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const client::GetResult got,
                   coord_.Get(arguments.positional[0], ReadOptionsOf(arguments)));
  RETURN_IF_ERROR(WriteStdout(got.data.value_or("") + "\n"));
  if (arguments.Has('s')) PrintTable(RowsOf(got.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::Set(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const int32_t version, VersionOf(arguments));
  ASSIGN_OR_RETURN(const client::SetResult set,
                   coord_.Set(arguments.positional[0], arguments.positional[1], version));
  if (arguments.Has('s')) PrintTable(RowsOf(set.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::Create(const VerbArguments& arguments) {
  using client::CreateMode;
  const CreateMode mode =
      arguments.Has('e')
          ? (arguments.Has('s') ? CreateMode::kEphemeralSequential : CreateMode::kEphemeral)
          : (arguments.Has('s') ? CreateMode::kPersistentSequential : CreateMode::kPersistent);
  client::Data data;
  if (arguments.positional.size() > 1) data = arguments.positional[1];
  ASSIGN_OR_RETURN(const client::CreateResult created,
                   coord_.Create(arguments.positional[0], std::move(data), mode));
  fmt::print("{}\n", created.path);
  return absl::OkStatus();
}

absl::Status ShellSession::Stat(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const client::StatResult got,
                   coord_.GetStat(arguments.positional[0], ReadOptionsOf(arguments)));
  PrintTable(RowsOf(got.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::Delete(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const int32_t version, VersionOf(arguments));
  return coord_.Delete(arguments.positional[0], version).status();
}

absl::Status ShellSession::DeleteAll(const VerbArguments& arguments) {
  return coord_.Delete(arguments.positional[0], client::kAnyVersion, /*recursive=*/true).status();
}

absl::Status ShellSession::Sync(const VerbArguments&) { return coord_.Sync().status(); }

absl::Status ShellSession::History(const VerbArguments&) {
  for (size_t i = 0; i < history_.size(); ++i) fmt::print("{} {}\n", i + 1, history_[i]);
  return absl::OkStatus();
}

absl::Status ShellSession::Help(const VerbArguments&) {
  for (const Verb& verb : Verbs()) fmt::print("{}\n", verb.usage);
  return absl::OkStatus();
}

absl::Status ShellSession::Quit(const VerbArguments&) {
  done_ = true;
  return absl::OkStatus();
}

Completion ShellSession::Complete(std::string_view line) {
  const LastWord word = FindLastWord(line);
  std::vector<std::string> choices;
  if (word.first) {
    for (const Verb& verb : Verbs()) {
      if (verb.name.starts_with(word.text)) choices.push_back(verb.name);
    }
    return CompleteWord(word, std::move(choices));
  }
  const size_t slash = word.text.rfind('/');
  if (slash == std::string::npos) return {};
  const std::string folder = word.text.substr(0, slash + 1);
  const std::string start = word.text.substr(slash + 1);
  client::ReadOptions options;
  options.timeout = kCompletionMax;
  options.stale_ok = true;
  const auto listed =
      coord_.List(slash == 0 ? "/" : folder.substr(0, slash), false, std::move(options));
  if (!listed.ok()) return {};
  for (const std::string& name : listed->names) {
    if (name.starts_with(start)) choices.push_back(folder + name);
  }
  std::sort(choices.begin(), choices.end());
  return CompleteWord(word, std::move(choices));
}

}  // namespace bellwether::cli
