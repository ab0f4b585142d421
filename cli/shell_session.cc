#include "cli/shell_session.h"

#include <algorithm>

#include "base/clock.h"
#include "base/options/option_table.h"
#include "base/parse.h"
#include "base/status.h"
#include "base/version.h"
#include "cli/acl_text.h"
#include "cli/output.h"
#include "cli/znode_output.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

constexpr absl::Duration kCompletionMax = absl::Seconds(2);
constexpr absl::Duration kCatchUpMax = absl::Seconds(1);
constexpr int64_t kTtlMsMax = (int64_t{1} << 40) - 1;  // that the servers take
constexpr absl::Duration kNextPartMax = absl::Seconds(10);  // of a state that is read

// The mode that the flags -e, -s, -c and -t say.
absl::StatusOr<client::CreateMode> ModeOf(const VerbArguments& arguments) {
  using client::CreateMode;
  const bool sequential = arguments.Has('s');
  if (arguments.Has('e') + arguments.Has('c') + arguments.Has('t') > 1 ||
      (arguments.Has('c') && sequential)) {
    return absl::InvalidArgumentError(
        "create: only one of -e, -c and -t can be given, and no -s with -c; see `help`");
  }
  if (arguments.Has('c')) return CreateMode::kContainer;
  if (arguments.Has('e')) {
    return sequential ? CreateMode::kEphemeralSequential : CreateMode::kEphemeral;
  }
  if (arguments.Has('t')) {
    return sequential ? CreateMode::kPersistentSequentialWithTtl : CreateMode::kPersistentWithTtl;
  }
  return sequential ? CreateMode::kPersistentSequential : CreateMode::kPersistent;
}

}  // namespace

struct ShellSession::Verb {
  std::string name;
  std::string flags;  // as ParseVerbArguments takes them
  size_t arguments_min = 0;
  size_t arguments_max = 0;
  std::string usage;
  Handler handler = nullptr;
  bool needs_session = true;
};

const std::vector<ShellSession::Verb>& ShellSession::Verbs() {
  static const auto* const verbs = new std::vector<Verb>{
      {"addauth", "", 2, 2, "addauth SCHEME CREDENTIAL", &ShellSession::AddAuth},
      {"addWatch", "m:", 1, 1, "addWatch [-m PERSISTENT|PERSISTENT_RECURSIVE] PATH",
       &ShellSession::AddWatch},
      {"close", "", 0, 0, "close", &ShellSession::Close},
      {"connect", "", 0, 1, "connect [H:P[,H:P]]", &ShellSession::Connect, false},
      {"create", "esct:", 1, 3, "create [-e] [-s] [-c] [-t TTL_MS] PATH [DATA [ACL]]",
       &ShellSession::Create},
      {"delete", "v:", 1, 1, "delete [-v VERSION] PATH", &ShellSession::Delete},
      {"deleteall", "", 1, 1, "deleteall PATH", &ShellSession::DeleteAll},
      {"delquota", "nbNB", 1, 1, "delquota [-n] [-b] [-N] [-B] PATH", &ShellSession::DelQuota},
      {"get", "sw", 1, 1, "get [-s] [-w] PATH", &ShellSession::Get},
      {"getAcl", "s", 1, 1, "getAcl [-s] PATH", &ShellSession::GetAcl},
      {"getAllChildrenNumber", "", 1, 1, "getAllChildrenNumber PATH",
       &ShellSession::GetAllChildrenNumber},
      {"getEphemerals", "", 0, 1, "getEphemerals [PATH]", &ShellSession::GetEphemerals},
      {"help", "", 0, 0, "help", &ShellSession::Help, false},
      {"history", "", 0, 0, "history", &ShellSession::History, false},
      {"listquota", "", 1, 1, "listquota PATH", &ShellSession::ListQuota},
      {"ls", "sRw", 1, 1, "ls [-s] [-R] [-w] PATH", &ShellSession::Ls},
      {"printwatches", "", 0, 1, "printwatches [on|off]", &ShellSession::PrintWatches, false},
      {"quit", "", 0, 0, "quit", &ShellSession::Quit, false},
      {"redo", "", 1, 1, "redo NUMBER", &ShellSession::Redo, false},
      {"removewatches", "", 1, 1, "removewatches PATH", &ShellSession::RemoveWatches},
      {"set", "v:s", 2, 2, "set [-s] [-v VERSION] PATH DATA", &ShellSession::Set},
      {"setAcl", "sv:R", 2, 2, "setAcl [-s] [-v VERSION] [-R] PATH ACL", &ShellSession::SetAcl},
      {"setquota", "n:b:N:B:", 1, 1, "setquota [-n|-N ZNODES] [-b|-B BYTES] PATH",
       &ShellSession::SetQuota},
      {"stat", "w", 1, 1, "stat [-w] PATH", &ShellSession::Stat},
      {"sync", "", 0, 1, "sync [PATH]", &ShellSession::Sync},
      {"version", "", 0, 0, "version", &ShellSession::Version, false},
      {"whoami", "", 0, 0, "whoami", &ShellSession::WhoAmI},
  };
  return *verbs;
}

ShellSession::~ShellSession() {
  CloseSession().IgnoreError();  // without an answer it ends by its timeout
}

absl::Status ShellSession::Open(const std::string& servers) {
  CloseSession().IgnoreError();  // likewise
  ASSIGN_OR_RETURN(coord_, connector_(servers));
  return absl::OkStatus();
}

absl::Status ShellSession::CloseSession() {
  watches_.clear();
  if (coord_ == nullptr) return absl::OkStatus();
  const absl::Status status = coord_->CloseSession();
  coord_.reset();
  return status;
}

absl::Status ShellSession::Run(const std::string& line) {
  ASSIGN_OR_RETURN(const std::vector<std::string> words, SplitWords(line));
  if (words.empty() || words[0].starts_with("#")) return absl::OkStatus();
  // In place of `redo` is the line that it names; a password is not remembered.
  if (words[0] != "redo" && words[0] != "addauth") Remember(line);
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
  if (verb->needs_session && coord_ == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("{}: there is no session; open one with `connect`", verb->name));
  }
  absl::Status status = (this->*verb->handler)(arguments);
  LetWatchesCatchUp();
  return status;
}

client::ReadOptions ShellSession::ReadOptionsOf(const VerbArguments& arguments) {
  client::ReadOptions options;
  if (!arguments.Has('w')) return options;
  options.watch = [this](const client::WatchEvent& event) {
    if (print_watches_) PrintWatchEvent(NameOf(event.type), event.path, event.zxid);
  };
  return options;
}

void ShellSession::LetWatchesCatchUp() {
  if (watches_.empty()) return;
  client::Zxid zxid;
  coord_->Run([&zxid](client::CoordClient& client) { zxid = client.HighestZxid(); });
  const absl::Duration deadline = base::SystemClock().Monotonic() + kCatchUpMax;  // of all
  for (const auto& [path, watch] : watches_) {
    const absl::Duration left = deadline - base::SystemClock().Monotonic();
    watch->CatchUp(zxid, left).IgnoreError();  // it has said so itself
  }
}

absl::Status ShellSession::AddWatch(const VerbArguments& arguments) {
  const std::string mode = arguments.Has('m') ? arguments.flags.at('m') : "PERSISTENT_RECURSIVE";
  if (mode != "PERSISTENT" && mode != "PERSISTENT_RECURSIVE") {
    return absl::InvalidArgumentError(fmt::format(
        "addWatch: '{}' is no mode; give PERSISTENT or PERSISTENT_RECURSIVE", mode));
  }
  const std::string& path = arguments.positional[0];
  if (!watches_.contains(path) && watches_.size() >= kWatchesMax) {
    return absl::ResourceExhaustedError(fmt::format(
        "addWatch: {} paths are watched, the limit; use removewatches", kWatchesMax));
  }
  ASSIGN_OR_RETURN(const client::SyncResult now, coord_->Sync());
  auto watch = std::make_unique<ShellWatch>(*coord_, path, mode == "PERSISTENT_RECURSIVE",
                                            now.zxid, print_watches_);
  RETURN_IF_ERROR(watch->CatchUp(now.zxid, kCatchUpMax));
  watches_[path] = std::move(watch);
  return absl::OkStatus();
}

absl::Status ShellSession::RemoveWatches(const VerbArguments& arguments) {
  if (watches_.erase(arguments.positional[0]) > 0) return absl::OkStatus();
  return absl::NotFoundError(fmt::format(
      "removewatches: addWatch has set none at {}; see `history`", arguments.positional[0]));
}

absl::Status ShellSession::PrintWatches(const VerbArguments& arguments) {
  if (arguments.positional.empty()) {
    fmt::print("printwatches is {}\n", print_watches_ ? "on" : "off");
    return absl::OkStatus();
  }
  const std::string& wanted = arguments.positional[0];
  if (wanted != "on" && wanted != "off") {
    return absl::InvalidArgumentError("printwatches: give 'on' or 'off'");
  }
  print_watches_ = wanted == "on";
  return absl::OkStatus();
}

absl::Status ShellSession::Close(const VerbArguments&) { return CloseSession(); }

absl::Status ShellSession::Connect(const VerbArguments& arguments) {
  return Open(arguments.positional.empty() ? "" : arguments.positional[0]);
}

absl::Status ShellSession::GetAllChildrenNumber(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const client::ListResult listed,
                   coord_->List(arguments.positional[0], /*recursive=*/true));
  fmt::print("{}\n", listed.names.size() - 1);  // without the root of the list
  return absl::OkStatus();
}

// From the state of a watch: one stream, however many znodes there are.
absl::Status ShellSession::GetEphemerals(const VerbArguments& arguments) {
  client::WatchOptions options;
  options.recursive = true;
  const client::SessionId own = coord_->session().id;
  const auto watch =
      coord_->Watch(arguments.positional.empty() ? "/" : arguments.positional[0], options);
  std::vector<std::string> paths;
  for (bool complete = false; !complete;) {
    ASSIGN_OR_RETURN(const client::WatchBatch batch, watch->Next(kNextPartMax));
    for (const client::WatchChange& znode : batch.changes) {
      if (znode.stat.ephemeral_owner == own) paths.push_back(znode.path);
    }
    complete = batch.initial && batch.complete;
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) fmt::print("{}\n", path);
  return absl::OkStatus();
}

absl::Status ShellSession::Redo(const VerbArguments& arguments) {
  const size_t forgotten = lines_ - history_.size();
  const auto number = base::ParseInteger(arguments.positional[0], static_cast<int64_t>(forgotten) + 1,
                                         static_cast<int64_t>(lines_));
  if (!number.ok()) {
    return absl::InvalidArgumentError(fmt::format(
        "redo: '{}' is not the number of a line; see `history`", arguments.positional[0]));
  }
  return Run(std::string(history_[static_cast<size_t>(*number) - 1 - forgotten]));
}

absl::Status ShellSession::Version(const VerbArguments&) {
  fmt::print("{}\n", base::VersionString("bell"));
  return absl::OkStatus();
}

void ShellSession::Remember(const std::string& line) {
  ++lines_;
  history_bytes_ += line.size();
  history_.push_back(line);
  while (history_.size() > kHistoryLinesMax ||
         (history_bytes_ > kHistoryBytesMax && history_.size() > 1)) {
    history_bytes_ -= history_.front().size();
    history_.pop_front();
  }
}

absl::Status ShellSession::Ls(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(client::ListResult listed, coord_->List(arguments.positional[0],
                                                          arguments.Has('R'),
                                                          ReadOptionsOf(arguments)));
  std::sort(listed.names.begin(), listed.names.end());
  for (const std::string& name : listed.names) fmt::print("{}\n", name);
  if (arguments.Has('s')) PrintTable(RowsOf(listed.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::Get(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const client::GetResult got,
                   coord_->Get(arguments.positional[0], ReadOptionsOf(arguments)));
  RETURN_IF_ERROR(WriteStdout(got.data.value_or("") + "\n"));
  if (arguments.Has('s')) PrintTable(RowsOf(got.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::Set(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const int32_t version, VersionOf(arguments));
  ASSIGN_OR_RETURN(const client::SetResult set,
                   coord_->Set(arguments.positional[0], arguments.positional[1], version));
  if (arguments.Has('s')) PrintTable(RowsOf(set.stat));
  return absl::OkStatus();
}

absl::StatusOr<int32_t> ShellSession::VersionOf(const VerbArguments& arguments) {
  if (!arguments.Has('v')) return client::kAnyVersion;
  ASSIGN_OR_RETURN(const int64_t version,
                   base::ParseInteger(arguments.flags.at('v'), -1, INT32_MAX));
  return static_cast<int32_t>(version);
}

absl::Status ShellSession::Create(const VerbArguments& arguments) {
  client::CreateOperation operation;
  operation.path = arguments.positional[0];
  if (arguments.positional.size() > 1) operation.data = arguments.positional[1];
  if (arguments.positional.size() > 2) {
    ASSIGN_OR_RETURN(operation.acl, ParseAcl(arguments.positional[2]));
  }
  ASSIGN_OR_RETURN(operation.mode, ModeOf(arguments));
  if (arguments.Has('t')) {
    ASSIGN_OR_RETURN(const int64_t ttl_ms,
                     base::ParseInteger(arguments.flags.at('t'), 1, kTtlMsMax));
    operation.ttl = absl::Milliseconds(ttl_ms);
  }
  ASSIGN_OR_RETURN(const client::CreateResult created, coord_->Create(std::move(operation)));
  fmt::print("{}\n", created.path);
  return absl::OkStatus();
}

absl::Status ShellSession::Stat(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const client::StatResult got,
                   coord_->GetStat(arguments.positional[0], ReadOptionsOf(arguments)));
  PrintTable(RowsOf(got.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::Delete(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const int32_t version, VersionOf(arguments));
  return coord_->Delete(arguments.positional[0], version).status();
}

absl::Status ShellSession::DeleteAll(const VerbArguments& arguments) {
  return coord_->Delete(arguments.positional[0], client::kAnyVersion, /*recursive=*/true).status();
}

absl::Status ShellSession::Sync(const VerbArguments&) { return coord_->Sync().status(); }

absl::Status ShellSession::History(const VerbArguments&) {
  size_t number = lines_ - history_.size();
  for (const std::string& line : history_) fmt::print("{} {}\n", ++number, line);
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
  if (coord_ == nullptr) return {};
  const size_t slash = word.text.rfind('/');
  if (slash == std::string::npos) return {};
  const std::string folder = word.text.substr(0, slash + 1);
  const std::string start = word.text.substr(slash + 1);
  client::ReadOptions options;
  options.timeout = kCompletionMax;
  options.stale_ok = true;
  const auto listed =
      coord_->List(slash == 0 ? "/" : folder.substr(0, slash), false, std::move(options));
  if (!listed.ok()) return {};
  for (const std::string& name : listed->names) {
    if (name.starts_with(start)) choices.push_back(folder + name);
  }
  std::sort(choices.begin(), choices.end());
  return CompleteWord(word, std::move(choices));
}

}  // namespace bellwether::cli
