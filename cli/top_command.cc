// bell znode top.

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Json = nlohmann::ordered_json;
using client::TopOrder;
using client::TopResult;

constexpr int64_t kRowsDefault = 20;
constexpr int64_t kRowsMax = 1000;

struct TopFlags {
  std::string by = "bytes";
  std::optional<int64_t> rows;
};

struct Order {
  TopOrder order;
  const char* heading;  // of what is counted
};

const std::map<std::string, Order>& Orders() {
  static const std::map<std::string, Order> orders = {
      {"bytes", {TopOrder::kBytes, "BYTES"}},       {"subtree", {TopOrder::kSubtree, "BYTES"}},
      {"children", {TopOrder::kChildren, "CHILDREN"}}, {"writes", {TopOrder::kWrites, "WRITES"}},
      {"watches", {TopOrder::kWatches, "WATCHES"}}, {"clients", {TopOrder::kClients, "REQUESTS"}}};
  return orders;
}

std::string SessionText(client::SessionId session) {
  return fmt::format("0x{:x}", session.value());
}

Json ZnodesOf(const TopResult& top) {
  Json znodes = Json::array();
  for (const TopResult::Znode& znode : top.znodes) {
    znodes.push_back({{"path", znode.path}, {"count", znode.count}});
  }
  return znodes;
}

Json ClientsOf(const TopResult& top) {
  Json clients = Json::array();
  for (const TopResult::Client& one : top.clients) {
    clients.push_back({{"address", one.address},
                       {"session", SessionText(one.session)},
                       {"requests", one.requests},
                       {"writes", one.writes},
                       {"request_bytes", one.request_bytes},
                       {"unanswered", one.unanswered},
                       {"outbox_bytes", one.outbox_bytes},
                       {"open_ms", absl::ToInt64Milliseconds(one.open)}});
  }
  return clients;
}

void PrintDocument(const std::string& by, const TopResult& top) {
  const bool of_clients = by == "clients";
  const auto zxid = [](client::Zxid value) {
    return value.value() == 0 ? Json(nullptr) : Json(value.value());
  };
  PrintJson({{"by", by},
             {"server_id", top.server_id},
             {"zxid", zxid(top.zxid)},
             {"since_zxid", by == "writes" ? Json(top.since_zxid.value()) : Json(nullptr)},
             {"examined", top.examined},
             {"total", top.total},
             {"znodes", of_clients ? Json(nullptr) : ZnodesOf(top)},
             {"clients", of_clients ? ClientsOf(top) : Json(nullptr)}});
}

void PrintRows(const std::string& by, const TopResult& top) {
  std::vector<std::vector<std::string>> rows;
  if (by == "clients") {
    rows = {{"CLIENT", "SESSION", "REQUESTS", "WRITES", "BYTES", "UNANSWERED", "OUTBOX", "OPEN"}};
    for (const TopResult::Client& one : top.clients) {
      rows.push_back({one.address, SessionText(one.session), fmt::to_string(one.requests),
                      fmt::to_string(one.writes), fmt::to_string(one.request_bytes),
                      fmt::to_string(one.unanswered), fmt::to_string(one.outbox_bytes),
                      absl::FormatDuration(absl::Trunc(one.open, absl::Seconds(1)))});
    }
  } else {
    rows = {{Orders().at(by).heading, "PATH"}};
    for (const TopResult::Znode& znode : top.znodes) {
      rows.push_back({fmt::to_string(znode.count), znode.path});
    }
  }
  PrintTable(rows);
}

CommandResult Top(const Context& context, const TopFlags& flags) {
  ASSIGN_OR_RETURN(const auto coord, context.ConnectCoordReadOnly());
  const auto rows = static_cast<uint32_t>(flags.rows.value_or(kRowsDefault));
  ASSIGN_OR_RETURN(const TopResult top,
                   coord->Top(Orders().at(flags.by).order, rows, context.RequestTimeout()));
  if (context.json) {
    PrintDocument(flags.by, top);
  } else {
    PrintRows(flags.by, top);
  }
  return kExitOk;
}

}  // namespace

void RegisterTopCommand(CLI::App& znode, Context& context) {
  auto flags = std::make_shared<TopFlags>();  // lives as long as the callback below
  CLI::App* const top =
      znode.add_subcommand("top", "what takes most: znodes, watched paths, or clients of a server");
  top->add_option("--by", flags->by, "what to put first; bytes unless told")
      ->type_name("bytes|subtree|children|writes|watches|clients")
      ->check(CLI::IsMember({"bytes", "subtree", "children", "writes", "watches", "clients"}));
  AddInteger(*top, "-n,--rows", "how many; 20 unless told", 1, kRowsMax, flags->rows);
  top->callback([&context, flags] {
    context.command = [&context, flags] { return Top(context, *flags); };
  });
}

}  // namespace bellwether::cli
