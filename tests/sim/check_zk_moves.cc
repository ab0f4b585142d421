#include "tests/sim/check_zk_moves.h"

#include <algorithm>
#include <map>
#include <set>
#include <variant>

namespace bellwether::sim {

void CheckZkMoves(const History& history, const Model& model, Violations& violations) {
  std::map<coord::tree::SessionId, std::set<Zxid>> attached;
  for (const Model::Applied& applied : model.commands()) {
    if (!applied.result.session.has_value()) continue;
    attached[applied.result.session->session].insert(applied.zxid);
  }
  for (const ZkConnection& connection : history.zk_connections) {
    if (connection.answered_when_left.empty()) continue;
    // No older than the connection itself.
    Zxid known = connection.answered_when_left.front();
    for (const ZkArrival& arrival : connection.arrivals) {
      if (arrival.kind == ZkArrival::Kind::kReply) known = std::min(known, arrival.zxid);
    }
    const std::set<Zxid>& moves = attached[connection.session];
    const auto moved = moves.upper_bound(known);
    const Zxid last = *std::max_element(connection.answered_when_left.begin(),
                                        connection.answered_when_left.end());
    if (moved == moves.end() || last < *moved) continue;
    violations.Add("zk moves", "client {} was answered zxid {} on connection {}, session {:#x} has "
                   "moved at zxid {}", connection.client, last, connection.number,
                   connection.session.value(), *moved);
  }
}

}  // namespace bellwether::sim
