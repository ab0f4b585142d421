#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coord/replica/replica.h"

// What /zookeeper/config says of the ensemble (Z53); tree/system_znodes.h has its form. All pure.
namespace bellwether::coord {

// A server, as a line of the configuration tells it.
struct ConfigServer {
  uint32_t id = 0;
  std::string address;  // "host:port" of its peer listener
  bool voter = true;    // "participant"; else it is a learner, "observer"
  std::string zk;       // where ZooKeeper's clients reach it; empty: not known, or they don't

  friend bool operator==(const ConfigServer&, const ConfigServer&) = default;
};

// One line, its end included. ZooKeeper's servers have a port for elections behind that for peers,
// and its clients refuse lines in which the two are the same: the one behind ours stands there.
std::string ConfigLineOf(const ConfigServer& server);

// The servers of a configuration, by their lines; what is no such line is left out.
std::vector<ConfigServer> ServersOfConfig(std::string_view config);

// The lines for who is in the ensemble by this server's log, by id: empty when it is a single server
// that has no address for peers. Of a server that was not heard what `config`, the znode's data now,
// says of its clients' address still holds. nullopt: nothing certain is known now.
std::optional<std::string> ConfigMembersOf(const ReplicaStatus& replica, std::string_view config);

// Whether the configuration names just these members, with these addresses and roles.
bool ConfigSays(std::string_view config, const std::vector<MemberInfo>& members);

}  // namespace bellwether::coord
