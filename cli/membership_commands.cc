// bell cluster members | add | promote | remove | transfer-leader.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/parse.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Json = nlohmann::ordered_json;
using client::MembershipChange;
using client::MembershipStatus;
using Kind = client::MembershipChange::Kind;

constexpr int64_t kServerIdLast = 254;
constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);

uint64_t LagOf(const MembershipStatus& status, const MembershipStatus::Member& member) {
  return status.last_index - std::min(status.last_index, member.match_index);
}

// What it is or, for one that does not count, what it lacks.
const char* StateOf(const MembershipStatus::Member& member) {
  if (member.leaving) return "leaving";
  if (!member.active) return "down";
  if (member.needs_snapshot) return "snapshot";
  return member.awaiting_readmission ? "catching_up" : "up";
}

Json Document(const MembershipStatus& status) {
  Json members = Json::array();
  for (const MembershipStatus::Member& member : status.members) {
    const auto text = [](const std::string& value) {
      return value.empty() ? Json(nullptr) : Json(value);
    };
    members.push_back({{"id", member.id},
                       {"peer", text(member.peer)},
                       {"grpc", text(member.grpc)},
                       {"voter", member.voter},
                       {"leader", member.id == status.leader_id},
                       {"state", StateOf(member)},
                       {"match_index", member.match_index},
                       {"lag", LagOf(status, member)}});
  }
  return {{"leader_id", status.leader_id == 0 ? Json(nullptr) : Json(status.leader_id)},
          {"term", status.term},
          {"index", status.index},
          {"changing", status.changing},
          {"members", std::move(members)}};
}

void Print(const Context& context, const MembershipStatus& status) {
  if (context.json) return PrintJson(Document(status));
  std::vector<std::vector<std::string>> rows = {
      {"SERVER", "ROLE", "STATE", "PEER", "GRPC", "LAG"}};
  for (const MembershipStatus::Member& member : status.members) {
    const bool leads = member.id == status.leader_id;
    rows.push_back({fmt::to_string(member.id),
                    leads ? "leader" : member.voter ? "voter" : "learner", StateOf(member),
                    member.peer.empty() ? "-" : member.peer,
                    member.grpc.empty() ? "-" : member.grpc,
                    fmt::to_string(LagOf(status, member))});
  }
  if (status.changing) fmt::print("a change is under way\n");
  PrintTable(rows);
}

// Whether asking again may help; it is always safe. The reasons are those of a leader that changes or
// is new.
bool MayRetry(const absl::Status& status) {
  return absl::IsUnavailable(status) || base::OutcomeOf(status) == base::Outcome::kUnknown;
}

// False when the command is to end.
bool Pause() {
  SignalWaiter waiter({SIGINT, SIGTERM});
  return !waiter.Wait(kRetryAfter).has_value();
}

absl::StatusOr<MembershipStatus> Ask(const Context& context, const MembershipChange& change) {
  const base::Clock& clock = base::SystemClock();
  const absl::Duration deadline = clock.Monotonic() + context.RequestTimeout();
  ASSIGN_OR_RETURN(const auto coord, context.ConnectCoordReadOnly());
  bool unknown = false;  // what became of an earlier attempt
  while (true) {
    const absl::Duration left = deadline - clock.Monotonic();
    absl::StatusOr<MembershipStatus> answer = coord->Membership(change, left);
    if (answer.ok() || !MayRetry(answer.status())) return answer;
    unknown |= base::OutcomeOf(answer.status()) == base::Outcome::kUnknown;
    const bool late = left <= 2 * kRetryAfter;
    const bool interrupted = !late && !Pause();
    if (unknown && (late || interrupted)) {
      return base::UnknownOutcome(answer.status().code(),
                                  base::StdView(answer.status().message()));
    }
    if (late) return answer;
    if (interrupted) return absl::CancelledError("interrupted while it asked again");
    coord->Run([](client::CoordClient& client) { client.Reconnect(); });  // another may know better
  }
}

CommandResult Change(const Context& context, const MembershipChange& change) {
  ASSIGN_OR_RETURN(MembershipStatus status, Ask(context, change));
  // Another server leads now, and only that one knows how far the others are.
  if (change.kind == Kind::kTransfer) {
    const absl::StatusOr<MembershipStatus> after = Ask(context, {});
    if (after.ok()) status = *after;
  }
  Print(context, status);
  return kExitOk;
}

// "4=host:port".
absl::StatusOr<MembershipChange> ParseAdd(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(fmt::format(
        "\"{}\" is not ID=HOST:PORT; write for example 4=127.0.0.1:2192", text));
  }
  MembershipChange change;
  change.kind = Kind::kAdd;
  ASSIGN_OR_RETURN(const int64_t id, base::ParseInteger(text.substr(0, equals), 1, kServerIdLast));
  ASSIGN_OR_RETURN(const base::HostPort address, base::ParseHostPort(text.substr(equals + 1)));
  if (address.port == 0) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\": peers need to know the port; give one above 0", text));
  }
  change.server = static_cast<uint32_t>(id);
  change.address = address.ToString();
  return change;
}

// A subcommand with one server id; the id is 0 when it may be left out, and is.
void AddServerCommand(CLI::App& cluster, Context& context, const std::string& name,
                      const std::string& help, Kind kind, bool required) {
  auto change = std::make_shared<MembershipChange>();  // lives as long as the callbacks below
  change->kind = kind;
  CLI::App* const command = cluster.add_subcommand(name, help);
  command->add_option("ID", change->server, "number of the server, 1 to 254")
      ->check(CLI::Range(1, static_cast<int>(kServerIdLast)))
      ->required(required);
  command->callback([&context, change] {
    context.command = [&context, change] { return Change(context, *change); };
  });
}

}  // namespace

void RegisterMembershipCommands(CLI::App& cluster, Context& context) {
  CLI::App* const members =
      cluster.add_subcommand("members", "who is in the ensemble, as its leader sees it");
  members->callback([&context] {
    context.command = [&context]() -> CommandResult {
      ASSIGN_OR_RETURN(const MembershipStatus status, Ask(context, {}));
      Print(context, status);
      return kExitOk;
    };
  });
  auto added = std::make_shared<MembershipChange>();  // lives as long as the callbacks below
  CLI::App* const add = cluster.add_subcommand("add", "a server joins the ensemble, without a vote");
  add->add_option_function<std::string>(
         "SERVER",
         [added](const std::string& text) {
           absl::StatusOr<MembershipChange> change = ParseAdd(text);
           if (!change.ok()) {
             throw CLI::ValidationError("SERVER", std::string(change.status().message()));
           }
           *added = *std::move(change);
         },
         "the server and where its peers reach it")
      ->type_name("ID=HOST:PORT")
      ->required();
  add->callback([&context, added] {
    context.command = [&context, added] { return Change(context, *added); };
  });
  AddServerCommand(cluster, context, "promote", "a learner that has caught up gets its vote",
                   Kind::kPromote, true);
  AddServerCommand(cluster, context, "remove", "a server leaves the ensemble", Kind::kRemove, true);
  AddServerCommand(cluster, context, "transfer-leader",
                   "another voter leads; without ID the one that has most of the log",
                   Kind::kTransfer, false);
}

}  // namespace bellwether::cli
