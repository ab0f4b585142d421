#include "coord/replica/hello_check.h"

#include "fmt/format.h"

namespace bellwether::coord {
namespace {

std::string ListOf(const std::vector<PeerAddress>& servers) {
  std::string list;
  for (const PeerAddress& server : servers) {
    fmt::format_to(std::back_inserter(list), "{}{}={}", list.empty() ? "" : ",", server.id,
                   server.address);
  }
  return list.empty() ? "none" : list;
}

std::string NameOf(const Hello& own, const Hello& peer) {
  for (const PeerAddress& server : own.servers) {
    if (server.id == peer.server_id) {
      return fmt::format("server {} at {}", server.id, server.address);
    }
  }
  return fmt::format("server {}", peer.server_id);
}

}  // namespace

absl::Status CheckSameEnsemble(const Hello& own, const Hello& peer) {
  if (own.servers != peer.servers) {
    return absl::FailedPreconditionError(fmt::format(
        "ensemble list disagrees with {}: it says {}, this server says {}; give all servers the "
        "same --peer flags",
        NameOf(own, peer), ListOf(peer.servers), ListOf(own.servers)));
  }
  if (!own.ensemble_id.IsNil() && !peer.ensemble_id.IsNil() &&
      own.ensemble_id != peer.ensemble_id) {
    return absl::FailedPreconditionError(fmt::format(
        "data folder of another ensemble: {} belongs to ensemble {}, this server's folder to {}; "
        "start this server with its own data folder, or with an empty one to join",
        NameOf(own, peer), peer.ensemble_id.ToString(), own.ensemble_id.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace bellwether::coord
