#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/broker_types.h"
#include "client/coord_types.h"

namespace bellwether::client {
class Coord;
}

// Brokers and topics as coord holds them (broker/metadata/README.md names the znodes): what there is
// to know when no broker answers.
namespace bellwether::cli {

using Znodes = std::map<std::string, client::WatchChange>;  // by path

// A broker is up when it is registered; one that is only named in assignments is down. A partition
// has the leader that its state names, provided that very registration is still there. What can't be
// read is left out, as brokers do. Topics come without configs.
client::ClusterInfo ClusterOfZnodes(const Znodes& znodes);

// All of it as of one zxid; with `stale_ok` that of any server, else nothing older than this call.
// Needs no session. Errors: UNAVAILABLE.
absl::StatusOr<client::ClusterInfo> ReadStoredCluster(client::Coord& coord, bool stale_ok,
                                                      absl::Duration timeout);

// Only the registered brokers, none older than this call. Errors: UNAVAILABLE.
absl::StatusOr<std::vector<client::BrokerInfo>> ReadRegisteredBrokers(client::Coord& coord,
                                                                      absl::Duration timeout);

}  // namespace bellwether::cli
