#pragma once

#include <string>
#include <vector>

#include "client/coord_types.h"
#include "nlohmann/json_fwd.hpp"

// How znodes, their stats and changes are shown by `bell znode` and `bell shell`.
namespace bellwether::cli {

// "created", "changed", "deleted", "children" or "connection_lost".
const char* NameOf(client::WatchEventType type);

// "0x1f".
std::string Hex(client::SessionId id);

nlohmann::ordered_json JsonOf(const client::Stat& stat);

// [{"scheme":"world","id":"anyone","permissions":"cdrwa"}].
nlohmann::ordered_json JsonOf(const client::Acl& acl);

// Name and value, one row per field.
std::vector<std::vector<std::string>> RowsOf(const client::Stat& stat);

// One line for a change: as JSON, or as "changed /a zxid=42 version=2 value".
void PrintChange(const client::WatchChange& change, client::Zxid zxid, bool resync, bool json);

// The first line of a watch.
void PrintArmed(const std::string& path, client::Zxid zxid, bool json);

}  // namespace bellwether::cli
