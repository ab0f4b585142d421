#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/znode_output.h"
#include "client/coord.h"
#include "client/errors.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using client::Coord;

struct ZnodeFlags {
  std::string path;
  std::optional<std::string> value;
  std::optional<std::string> file;
  bool ephemeral = false;
  bool sequential = false;
  std::optional<absl::Duration> hold;
  bool watch = false;
  bool stale_ok = false;
  bool create = false;
  bool recursive = false;
  std::optional<int64_t> version;
  std::optional<int64_t> from_zxid;
  std::optional<int64_t> count;

  int32_t ExpectedVersion() const {
    return static_cast<int32_t>(version.value_or(client::kAnyVersion));
  }
  client::ReadOptions Read() const {
    client::ReadOptions options;
    options.stale_ok = stale_ok;
    return options;
  }
};

// What can be said of a path without asking: the servers look for its parent before its shape.
absl::Status CheckPath(std::string_view path, bool sequential) {
  const std::string whole = fmt::format("{}{}", path, sequential ? "0" : "");
  const bool is_bad = !whole.starts_with('/') || (whole.size() > 1 && whole.ends_with('/')) ||
                      whole.find("//") != std::string::npos ||
                      (whole + "/").find("/./") != std::string::npos ||
                      (whole + "/").find("/../") != std::string::npos;
  if (!is_bad) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a path of a znode; write for example /app/config", path));
}

absl::StatusOr<client::Data> ValueOf(const ZnodeFlags& flags) {
  if (!flags.file.has_value()) return flags.value;
  ASSIGN_OR_RETURN(std::string bytes, *flags.file == "-" ? base::ReadToEnd(STDIN_FILENO, "stdin")
                                                         : base::ReadFile(*flags.file));
  return bytes;
}

// One znode and what happened to it: {"path":...,"zxid":...} and more.
nlohmann::ordered_json Document(const std::string& path, client::Zxid zxid) {
  return {{"path", path}, {"zxid", zxid.value()}};
}

// Keeps the session, and with it the ephemeral znode, until told to stop.
CommandResult HoldSession(Coord& coord, absl::Duration hold) {
  SignalWaiter waiter({SIGINT, SIGTERM});
  const absl::Duration end = base::SystemClock().Monotonic() + hold;
  client::CoordClient::ListenerId listener = 0;
  coord.Run([&](client::CoordClient& client) {
    listener = client.AddStateListener([&waiter](client::SessionState) { waiter.Wake(); });
  });
  std::optional<int> signal;
  do {
    signal = waiter.Wait(end - base::SystemClock().Monotonic());
  } while (signal == 0 && coord.state() != client::SessionState::kExpired);
  coord.Run([&](client::CoordClient& client) { client.RemoveStateListener(listener); });
  if (signal != 0) return kExitOk;
  return absl::AbortedError("the session expired, and the znode with it; create it again");
}

CommandResult Create(const Context& context, const ZnodeFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(client::Data value, ValueOf(flags));
  using client::CreateMode;
  const CreateMode mode =
      flags.ephemeral
          ? (flags.sequential ? CreateMode::kEphemeralSequential : CreateMode::kEphemeral)
          : (flags.sequential ? CreateMode::kPersistentSequential : CreateMode::kPersistent);
  ASSIGN_OR_RETURN(const client::CreateResult created,
                   coord.Create(flags.path, std::move(value), mode));
  if (context.json) {
    PrintJson(Document(created.path, created.zxid));
  } else {
    fmt::print("{}\n", created.path);
  }
  if (!flags.ephemeral) return kExitOk;
  RETURN_IF_ERROR(FlushStdout());
  return HoldSession(coord, flags.hold.value_or(absl::InfiniteDuration()));
}

// Waits for the next change of a znode's data after `zxid`, and prints it.
CommandResult AwaitChange(const Context& context, const ZnodeFlags& flags, client::Zxid zxid,
                          Coord& coord) {
  client::WatchOptions options;
  options.from_zxid = zxid;
  options.stale_ok = flags.stale_ok;
  const auto watch = coord.Watch(flags.path, options);
  while (true) {
    ASSIGN_OR_RETURN(const client::WatchBatch batch,
                     watch->Next(context.timeout.value_or(absl::InfiniteDuration())));
    for (const client::WatchChange& change : batch.changes) {
      if (change.path != flags.path || change.type == client::WatchEventType::kChildren) continue;
      PrintChange(change, batch.zxid, batch.resync, context.json);
      return kExitOk;
    }
  }
}

CommandResult Get(const Context& context, const ZnodeFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(const client::GetResult got, coord.Get(flags.path, flags.Read()));
  if (context.json) {
    nlohmann::ordered_json json = {{"path", flags.path}};
    AddBytes(json, "value", got.data);
    json["zxid"] = got.zxid.value();
    json["stat"] = JsonOf(got.stat);
    PrintJson(json);
  } else {
    RETURN_IF_ERROR(WriteStdout(got.data.value_or("")));
    if (::isatty(STDOUT_FILENO) || flags.watch) fmt::print("\n");
  }
  if (!flags.watch) return kExitOk;
  RETURN_IF_ERROR(FlushStdout());
  return AwaitChange(context, flags, got.zxid, coord);
}

// Sets the znode, or creates it when it isn't there.
absl::StatusOr<client::SetResult> SetOrCreate(const std::string& path, const client::Data& value,
                                              Coord& coord) {
  while (true) {
    auto set = coord.Set(path, value);
    if (client::ReasonOf(set.status()) != "no_node") return set;
    auto created = coord.Create(path, value);
    if (created.ok()) return client::SetResult{created->stat, created->zxid};
    if (!absl::IsAlreadyExists(created.status())) return created.status();
  }
}

CommandResult Set(const Context& context, const ZnodeFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(const client::Data value, ValueOf(flags));
  const bool may_create = flags.create && !flags.version.has_value();
  ASSIGN_OR_RETURN(const client::SetResult set,
                   may_create ? SetOrCreate(flags.path, value, coord)
                              : coord.Set(flags.path, value, flags.ExpectedVersion()));
  if (context.json) {
    nlohmann::ordered_json json = Document(flags.path, set.zxid);
    json["stat"] = JsonOf(set.stat);
    PrintJson(json);
  } else {
    fmt::print("{}\n", set.stat.version);
  }
  return kExitOk;
}

CommandResult ShowStat(const Context& context, const ZnodeFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(const client::StatResult got, coord.GetStat(flags.path));
  if (context.json) {
    nlohmann::ordered_json json = Document(flags.path, got.zxid);
    json["stat"] = JsonOf(got.stat);
    PrintJson(json);
  } else {
    PrintTable(RowsOf(got.stat));
  }
  return kExitOk;
}

CommandResult List(const Context& context, const ZnodeFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(client::ListResult listed,
                   coord.List(flags.path, flags.recursive, flags.Read()));
  std::sort(listed.names.begin(), listed.names.end());
  if (!context.json) {
    for (const std::string& name : listed.names) fmt::print("{}\n", name);
    return kExitOk;
  }
  nlohmann::ordered_json json = Document(flags.path, listed.zxid);
  json[flags.recursive ? "paths" : "children"] = listed.names;
  if (!flags.recursive) json["stat"] = JsonOf(listed.stat);
  PrintJson(json);
  return kExitOk;
}

CommandResult Delete(const Context& context, const ZnodeFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(const client::DeleteResult deleted,
                   coord.Delete(flags.path, flags.ExpectedVersion(), flags.recursive));
  if (context.json) {
    nlohmann::ordered_json json = Document(flags.path, deleted.zxid);
    json["deleted"] = deleted.deleted;
    PrintJson(json);
  }
  return kExitOk;
}

CommandResult Watch(const Context& context, const ZnodeFlags& flags, Coord& coord) {
  const absl::Duration end = base::SystemClock().Monotonic() +
                             context.timeout.value_or(absl::InfiniteDuration());
  client::WatchOptions options;
  options.recursive = flags.recursive;
  options.from_zxid = client::Zxid(flags.from_zxid.value_or(0));
  const auto watch = coord.Watch(flags.path, options);
  bool armed = false;
  for (int64_t seen = 0; !flags.count.has_value() || seen < *flags.count;) {
    absl::StatusOr<client::WatchBatch> batch =
        watch->Next(end - base::SystemClock().Monotonic());
    if (absl::IsDeadlineExceeded(batch.status())) {
      if (!flags.count.has_value()) return kExitOk;
      return absl::DeadlineExceededError(
          fmt::format("watch {}: {} of {} changes within the time given; wait longer or ask for fewer",
                      flags.path, seen, *flags.count));
    }
    RETURN_IF_ERROR(batch.status());
    if (batch->initial && !batch->complete) continue;
    if (!armed) {
      PrintArmed(flags.path, flags.from_zxid.has_value() ? options.from_zxid : batch->zxid,
                 context.json);
      armed = true;
    }
    for (const client::WatchChange& change : batch->changes) {
      if (batch->initial || (flags.count.has_value() && seen == *flags.count)) break;
      PrintChange(change, batch->zxid, batch->resync, context.json);
      ++seen;
    }
    RETURN_IF_ERROR(FlushStdout());
  }
  return kExitOk;
}

using Action = CommandResult (*)(const Context&, const ZnodeFlags&, Coord&);

// A subcommand with its PATH.
CLI::App* Add(CLI::App& znode, Context& context, std::shared_ptr<ZnodeFlags> flags,
              const std::string& name, const std::string& help, Action action) {
  CLI::App* const command = znode.add_subcommand(name, help);
  command->add_option("PATH", flags->path, "absolute, as in /app/config")->required();
  command->callback([&context, flags, action] {
    context.command = [&context, flags, action]() -> CommandResult {
      RETURN_IF_ERROR(CheckPath(flags->path, flags->sequential));
      ASSIGN_OR_RETURN(const std::unique_ptr<Coord> coord,
                       flags->stale_ok ? context.ConnectCoordReadOnly() : context.ConnectCoord());
      CommandResult result = action(context, *flags, *coord);
      if (!flags->stale_ok && coord->state() != client::SessionState::kClosed) {
        coord->CloseSession({absl::Seconds(1)}).IgnoreError();  // it would end by itself
      }
      return result;
    };
  });
  return command;
}

// The value, as an argument or from a file; one of the two, at least `needed` of them.
void AddValue(CLI::App& command, ZnodeFlags& flags, size_t needed) {
  CLI::Option_group* const data = command.add_option_group("data", "VALUE or -f FILE");
  data->add_option("VALUE", flags.value, "the znode's data");
  data->add_option("-f,--file", flags.file, "data from a file; - is stdin")->type_name("FILE");
  data->require_option(needed, 1);
}

}  // namespace

void RegisterZnodeCommands(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ZnodeFlags>();  // lives as long as the callbacks below
  CLI::App* const znode = app.add_subcommand("znode", "the tree of the coordination service");
  znode->require_subcommand(1);

  CLI::App* const create =
      Add(*znode, context, flags, "create", "make a znode and print its path", Create);
  AddValue(*create, *flags, 0);
  CLI::Option* const ephemeral = create->add_flag(
      "-e,--ephemeral", flags->ephemeral, "lives as long as this command: until SIGINT or SIGTERM");
  create->add_flag("-s,--sequential", flags->sequential, "append the parent's ten-digit counter");
  AddDuration(*create, "--for", "with -e: end after this time", flags->hold)->needs(ephemeral);

  CLI::App* const get = Add(*znode, context, flags, "get", "print the data, byte for byte", Get);
  get->add_flag("-w,--watch", flags->watch, "then wait for the next change and print it");
  get->add_flag("--stale-ok", flags->stale_ok, "what the server has, without asking the leader");

  CLI::App* const set = Add(*znode, context, flags, "set", "replace the data", Set);
  AddValue(*set, *flags, 1);
  AddInteger(*set, "--version", "only if the data has this version", 0, INT32_MAX, flags->version);
  set->add_flag("--create", flags->create, "make the znode when it isn't there");

  Add(*znode, context, flags, "stat", "print what is known besides the data", ShowStat);

  CLI::App* const ls = Add(*znode, context, flags, "ls", "print the names of the children", List);
  ls->add_flag("-R,--recursive", flags->recursive, "full paths of all at and below it");
  ls->add_flag("--stale-ok", flags->stale_ok, "what the server has, without asking the leader");

  CLI::App* const remove = Add(*znode, context, flags, "delete", "remove a znode", Delete);
  remove->add_flag("-r,--recursive", flags->recursive, "with all below it");
  AddInteger(*remove, "--version", "only if the data has this version", 0, INT32_MAX,
             flags->version);

  CLI::App* const watch = Add(*znode, context, flags, "watch", "print each change", Watch);
  watch->add_flag("-R,--recursive", flags->recursive, "of all at and below it");
  AddInteger(*watch, "--from-zxid", "changes after this zxid instead of from now on", 1, INT64_MAX,
             flags->from_zxid);
  AddInteger(*watch, "--count", "end after so many changes", 1, INT64_MAX, flags->count);

  RegisterTopCommand(*znode, context);
  RegisterZnodeAccessCommands(*znode, context);
}

}  // namespace bellwether::cli
