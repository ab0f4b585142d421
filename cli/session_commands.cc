// bell session list | close.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Json = nlohmann::ordered_json;
using client::Coord;
using client::SessionEntry;
using client::SessionId;

constexpr absl::Duration kServerTimeout = absl::Seconds(2);  // of one of all that are asked

struct SessionFlags {
  bool all = false;
  std::string id;
};

// A session, and the server that its client is connected to, if one that was asked said so.
struct ListedSession {
  SessionEntry entry;
  std::optional<uint32_t> server_id;
};
struct Listed {
  client::Zxid zxid;            // of the first server that answered
  std::vector<uint32_t> asked;  // servers that answered
  std::map<uint64_t, ListedSession> sessions;
};

std::string IdText(SessionId id) { return fmt::format("{:#x}", id.value()); }

// "0x1f", as sessions are written everywhere.
absl::StatusOr<SessionId> ParseSessionId(std::string_view text) {
  uint64_t value = 0;
  const bool is_hex = text.starts_with("0x") && text.size() > 2;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + (is_hex ? 2 : 0), end, value, 16);
  if (is_hex && parsed.ec == std::errc() && parsed.ptr == end && value != 0) {
    return SessionId(value);
  }
  return absl::InvalidArgumentError(fmt::format(
      "'{}' is not a session's id; write one as `bell session list` does, as in 0x100000000000002a",
      text));
}

// What one server says beside what others said: only one of them is connected to the client, and only
// the leader knows who is idle.
void Merge(client::SessionPage page, Listed& listed) {
  if (listed.asked.empty()) listed.zxid = page.zxid;
  listed.asked.push_back(page.server_id);
  for (SessionEntry& entry : page.sessions) {
    const auto [place, is_new] = listed.sessions.try_emplace(entry.id.value());
    ListedSession& session = place->second;
    if (entry.address.has_value()) session.server_id = page.server_id;
    if (is_new) {
      session.entry = std::move(entry);
      continue;
    }
    if (entry.address.has_value()) session.entry.address = std::move(entry.address);
    if (entry.idle.has_value()) session.entry.idle = entry.idle;
    session.entry.generation = std::max(session.entry.generation, entry.generation);
  }
}

absl::StatusOr<Listed> Ask(const Context& context, bool all) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Coord> coord, context.ConnectCoordReadOnly());
  Listed listed;
  const client::SessionInfo attached = coord->session();
  ASSIGN_OR_RETURN(client::SessionPage page,
                   coord->Sessions(attached.address, context.RequestTimeout()));
  Merge(std::move(page), listed);
  if (!all) return listed;
  ASSIGN_OR_RETURN(const client::ServerStatus status,
                   coord->ServerStatusOf(attached.address, context.RequestTimeout()));
  for (const client::ServerPeer& server : status.servers) {
    if (server.id == listed.asked.front() || server.grpc.empty()) continue;
    auto more = coord->Sessions(server.grpc, kServerTimeout);
    if (more.ok()) {
      Merge(*std::move(more), listed);
    } else {
      fmt::print(stderr, "bell: server {} does not answer, so what only it knows is missing\n",
                 server.id);
    }
  }
  std::sort(listed.asked.begin(), listed.asked.end());
  return listed;
}

Json DocumentOf(const ListedSession& session) {
  const SessionEntry& entry = session.entry;
  return {{"id", IdText(entry.id)},
          {"timeout_ms", absl::ToInt64Milliseconds(entry.timeout)},
          {"generation", entry.generation},
          {"ephemerals", entry.ephemerals},
          {"opened_by", entry.opened_by()},
          {"server_id", session.server_id.has_value() ? Json(*session.server_id) : Json(nullptr)},
          {"address", entry.address.has_value() ? Json(*entry.address) : Json(nullptr)},
          {"idle_ms", entry.idle.has_value() ? Json(absl::ToInt64Milliseconds(*entry.idle))
                                             : Json(nullptr)}};
}

CommandResult List(const Context& context, const SessionFlags& flags) {
  ASSIGN_OR_RETURN(const Listed listed, Ask(context, flags.all));
  if (context.json) {
    Json sessions = Json::array();
    for (const auto& [id, session] : listed.sessions) sessions.push_back(DocumentOf(session));
    PrintJson({{"zxid", listed.zxid.value()},
               {"asked", listed.asked},
               {"sessions", std::move(sessions)}});
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {
      {"SESSION", "TIMEOUT", "GENERATION", "EPHEMERALS", "SERVER", "CLIENT", "IDLE"}};
  for (const auto& [id, session] : listed.sessions) {
    const SessionEntry& entry = session.entry;
    rows.push_back(
        {IdText(entry.id), absl::FormatDuration(entry.timeout), fmt::to_string(entry.generation),
         fmt::to_string(entry.ephemerals),
         session.server_id.has_value() ? fmt::to_string(*session.server_id) : "-",
         entry.address.value_or("-"),
         entry.idle.has_value() ? absl::FormatDuration(*entry.idle) : "-"});
  }
  PrintTable(rows);
  return kExitOk;
}

CommandResult Close(const Context& context, const SessionFlags& flags) {
  ASSIGN_OR_RETURN(const SessionId id, ParseSessionId(flags.id));
  ASSIGN_OR_RETURN(const std::unique_ptr<Coord> coord, context.ConnectCoordReadOnly());
  ASSIGN_OR_RETURN(const client::SessionEnded ended,
                   coord->EndSession(id, context.RequestTimeout()));
  if (context.json) PrintJson({{"id", IdText(id)}, {"zxid", ended.zxid.value()}});
  return kExitOk;
}

}  // namespace

void RegisterSessionCommands(CLI::App& app, Context& context) {
  auto flags = std::make_shared<SessionFlags>();  // lives as long as the callbacks below
  CLI::App* const session = app.add_subcommand("session", "the sessions of clients of coord");
  session->require_subcommand(1);

  CLI::App* const list = session->add_subcommand("list", "the sessions that live");
  list->add_flag("--all", flags->all,
                 "ask every server, for which client is where and how long it was silent");
  list->callback([&context, flags] {
    context.command = [&context, flags] { return List(context, *flags); };
  });

  CLI::App* const close =
      session->add_subcommand("close", "end a session with its ephemeral znodes, as if it expired");
  close->add_option("ID", flags->id, "as in 0x100000000000002a")->required();
  close->callback([&context, flags] {
    context.command = [&context, flags] { return Close(context, *flags); };
  });
}

}  // namespace bellwether::cli
