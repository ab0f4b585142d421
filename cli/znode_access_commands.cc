// `bell znode acl` and `bell znode quota`: who may do what, and how much.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/status.h"
#include "cli/acl_text.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/quota.h"
#include "cli/znode_output.h"
#include "client/coord.h"
#include "coord/tree/quotas.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using client::Coord;
using coord::tree::QuotaNumbers;
using Json = nlohmann::ordered_json;

struct AccessFlags {
  std::string path;
  std::vector<std::string> acl;
  std::optional<int64_t> version;
  std::optional<int64_t> count;
  std::optional<int64_t> bytes;
  std::optional<int64_t> hard_count;
  std::optional<int64_t> hard_bytes;
};

CommandResult GetAcl(const Context& context, const AccessFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(const client::AclResult got, coord.GetAcl(flags.path));
  if (context.json) {
    PrintJson({{"path", flags.path},
               {"zxid", got.zxid.value()},
               {"acl", JsonOf(got.acl)},
               {"stat", JsonOf(got.stat)}});
    return kExitOk;
  }
  for (const client::AclEntry& entry : got.acl) fmt::print("{}\n", AclEntryText(entry));
  return kExitOk;
}

CommandResult SetAcl(const Context& context, const AccessFlags& flags, Coord& coord) {
  client::Acl acl;
  for (const std::string& text : flags.acl) {
    ASSIGN_OR_RETURN(const client::Acl entries, ParseAcl(text));
    acl.insert(acl.end(), entries.begin(), entries.end());
  }
  const auto version = static_cast<int32_t>(flags.version.value_or(client::kAnyVersion));
  ASSIGN_OR_RETURN(const client::SetResult set, coord.SetAcl(flags.path, acl, version));
  if (context.json) {
    PrintJson({{"path", flags.path}, {"zxid", set.zxid.value()}, {"stat", JsonOf(set.stat)}});
  } else {
    fmt::print("{}\n", set.stat.aversion);
  }
  return kExitOk;
}

// A limit or a usage; null when there is none.
Json Number(const std::optional<QuotaNumbers>& numbers, const char* name) {
  if (!numbers.has_value() || numbers->Get(name) < 0) return nullptr;
  return numbers->Get(name);
}

CommandResult GetQuota(const Context& context, const AccessFlags& flags, Coord& coord) {
  ASSIGN_OR_RETURN(const QuotaTexts texts, ReadQuota(coord, flags.path));
  const auto limits = QuotaNumbers::Parse(coord::tree::SharedBytes::Copy(texts.limits));
  const auto usage = QuotaNumbers::Parse(coord::tree::SharedBytes::Copy(texts.usage));
  const Json json = {{"path", flags.path},
                     {"limits",
                      {{"count", Number(limits, "count")},
                       {"bytes", Number(limits, "bytes")},
                       {"hard_count", Number(limits, "countHardLimit")},
                       {"hard_bytes", Number(limits, "byteHardLimit")}}},
                     {"usage", {{"count", Number(usage, "count")}, {"bytes", Number(usage, "bytes")}}}};
  if (context.json) {
    PrintJson(json);
    return kExitOk;
  }
  const auto shown = [](const Json& number) { return number.is_null() ? "-" : number.dump(); };
  PrintTable({{"", "COUNT", "BYTES"},
              {"used", shown(json["usage"]["count"]), shown(json["usage"]["bytes"])},
              {"limit", shown(json["limits"]["count"]), shown(json["limits"]["bytes"])},
              {"hard limit", shown(json["limits"]["hard_count"]),
               shown(json["limits"]["hard_bytes"])}});
  return kExitOk;
}

CommandResult SetTheQuota(const Context& context, const AccessFlags& flags, Coord& coord) {
  const QuotaLimits limits{flags.count, flags.bytes, flags.hard_count, flags.hard_bytes};
  if (!limits.count && !limits.bytes && !limits.count_hard && !limits.bytes_hard) {
    return absl::InvalidArgumentError(fmt::format(
        "quota of {}: no limit is given; use --count, --bytes, --hard-count or --hard-bytes",
        flags.path));
  }
  RETURN_IF_ERROR(SetQuota(coord, flags.path, limits));
  return context.json ? GetQuota(context, flags, coord) : CommandResult(kExitOk);
}

CommandResult DeleteTheQuota(const Context& context, const AccessFlags& flags, Coord& coord) {
  RETURN_IF_ERROR(DeleteQuota(coord, flags.path));
  if (context.json) PrintJson({{"path", flags.path}});
  return kExitOk;
}

using Action = CommandResult (*)(const Context&, const AccessFlags&, Coord&);

// A subcommand with its PATH.
CLI::App* Add(CLI::App& noun, Context& context, const std::shared_ptr<AccessFlags>& flags,
              const std::string& name, const std::string& help, Action action) {
  CLI::App* const command = noun.add_subcommand(name, help);
  command->add_option("PATH", flags->path, "absolute, as in /app/config")->required();
  command->callback([&context, flags, action] {
    context.command = [&context, flags, action]() -> CommandResult {
      ASSIGN_OR_RETURN(const std::unique_ptr<Coord> coord, context.ConnectCoord());
      CommandResult result = action(context, *flags, *coord);
      coord->CloseSession({absl::Seconds(1)}).IgnoreError();  // it would end by itself
      return result;
    };
  });
  return command;
}

}  // namespace

void RegisterZnodeAccessCommands(CLI::App& znode, Context& context) {
  auto flags = std::make_shared<AccessFlags>();  // lives as long as the callbacks
  CLI::App* const acl = znode.add_subcommand("acl", "who may do what with a znode");
  acl->require_subcommand(1);
  Add(*acl, context, flags, "get", "print the access list", GetAcl);
  CLI::App* const set = Add(*acl, context, flags, "set", "replace the access list", SetAcl);
  set->add_option("ACL", flags->acl, "SCHEME:ID:PERMISSIONS, as in world:anyone:r")->required();
  AddInteger(*set, "--version", "only if the ACL has this version (aversion)", 0, INT32_MAX,
             flags->version);

  CLI::App* const quota =
      znode.add_subcommand("quota", "how much a znode and all below it may be");
  quota->require_subcommand(1);
  Add(*quota, context, flags, "get", "print limits and usage", GetQuota);
  CLI::App* const limit = Add(*quota, context, flags, "set", "set limits", SetTheQuota);
  AddInteger(*limit, "--count", "znodes; only told", 0, INT64_MAX, flags->count);
  AddInteger(*limit, "--bytes", "of data; only told", 0, INT64_MAX, flags->bytes);
  AddInteger(*limit, "--hard-count", "znodes; more are refused", 0, INT64_MAX, flags->hard_count);
  AddInteger(*limit, "--hard-bytes", "of data; more are refused", 0, INT64_MAX,
             flags->hard_bytes);
  Add(*quota, context, flags, "delete", "delete the limits", DeleteTheQuota);
}

}  // namespace bellwether::cli
