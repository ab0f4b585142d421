#include "cli/znode_output.h"

#include "cli/acl_text.h"
#include "cli/output.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {

const char* NameOf(client::WatchEventType type) {
  switch (type) {
    case client::WatchEventType::kCreated:
      return "created";
    case client::WatchEventType::kChanged:
      return "changed";
    case client::WatchEventType::kDeleted:
      return "deleted";
    case client::WatchEventType::kChildren:
      return "children";
    case client::WatchEventType::kConnectionLost:
      break;
  }
  return "connection_lost";
}

std::string Hex(client::SessionId id) { return fmt::format("{:#x}", id.value()); }

nlohmann::ordered_json JsonOf(const client::Stat& stat) {
  return {{"czxid", stat.czxid.value()},
          {"mzxid", stat.mzxid.value()},
          {"pzxid", stat.pzxid.value()},
          {"ctime_ms", stat.ctime_ms},
          {"mtime_ms", stat.mtime_ms},
          {"version", stat.version},
          {"cversion", stat.cversion},
          {"aversion", stat.aversion},
          {"ephemeral_owner", Hex(stat.ephemeral_owner)},
          {"data_length", stat.data_length},
          {"num_children", stat.num_children}};
}

nlohmann::ordered_json JsonOf(const client::Acl& acl) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const client::AclEntry& entry : acl) {
    json.push_back({{"scheme", entry.scheme},
                    {"id", entry.id},
                    {"permissions", PermissionsText(entry.permissions)}});
  }
  return json;
}

std::vector<std::vector<std::string>> RowsOf(const client::Stat& stat) {
  std::vector<std::vector<std::string>> rows;
  const nlohmann::ordered_json fields = JsonOf(stat);
  for (const auto& [name, value] : fields.items()) {
    rows.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
  }
  return rows;
}

void PrintChange(const client::WatchChange& change, client::Zxid zxid, bool resync, bool json) {
  const char* const type = resync ? "resync" : NameOf(change.type);
  const bool deleted = change.type == client::WatchEventType::kDeleted;
  if (json) {
    nlohmann::ordered_json line = {{"type", type}, {"path", change.path}, {"zxid", zxid.value()}};
    line["version"] = nullptr;
    if (!deleted) line["version"] = change.stat.version;
    AddBytes(line, "value", change.data);
    return PrintJson(line);
  }
  fmt::print("{} {} zxid={}", type, change.path, zxid);
  if (resync && deleted) fmt::print(" deleted");
  if (!deleted) fmt::print(" version={}", change.stat.version);
  if (change.data.has_value()) fmt::print(" {}", *change.data);
  fmt::print("\n");
}

void PrintArmed(const std::string& path, client::Zxid zxid, bool json) {
  if (json) {
    return PrintJson({{"type", "armed"}, {"path", path}, {"zxid", zxid.value()}});
  }
  fmt::print("armed {} zxid={}\n", path, zxid);
}

}  // namespace bellwether::cli
