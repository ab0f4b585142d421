#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "coord/tree/result.h"
#include "coord/tree/tree.h"

namespace bellwether::coord::tree {

// Znodes that a tree has by itself from kFeatureLevelAcls on (Z53). Nobody can delete them.
inline constexpr std::string_view kSystemPath = "/zookeeper";
inline constexpr std::string_view kConfigPath = "/zookeeper/config";
inline constexpr std::string_view kQuotaPath = "/zookeeper/quota";

// True for these and the root (Z14), whether they exist or not.
bool IsSystemPath(std::string_view path);

// Adds those that the tree lacks, as ZooKeeper's fresh tree has them (Z3): of zxid and time 0,
// their parents' counters untouched, the config for everybody to read only. One that somebody made
// before stays as it is; below an ephemeral none is added. The root's data, if it was never set,
// becomes empty instead of null. Calls `report` after each change, as for any other.
void AddSystemZnodes(Tree& tree,
                     absl::FunctionRef<void(Change::Type type, std::string_view path)> report);

// The data of kConfigPath, as ZooKeeper's clients read it (Z53): lines
// "server.ID=HOST:PORT:PORT:ROLE;HOST:PORT", each with its end, and a last one without an end,
// "version=HEX". In a fresh tree it is empty: nothing is known of the ensemble.
std::string ConfigOf(std::string_view members, Zxid version);
// The lines of the servers.
std::string_view MembersOfConfig(std::string_view config);
// nullopt when it says none.
std::optional<Zxid> VersionOfConfig(std::string_view config);

}  // namespace bellwether::coord::tree
