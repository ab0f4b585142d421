#include "tests/sim/check_zk_replies.h"

#include <map>

namespace bellwether::sim {

void CheckZkReplies(const History& history, Violations& violations) {
  std::map<uint64_t, Zxid> told;  // by client
  for (const ZkConnection& connection : history.zk_connections) {
    Zxid& last = told[connection.client];
    for (const ZkArrival& arrival : connection.arrivals) {
      if (arrival.kind == ZkArrival::Kind::kEvent) continue;
      if (arrival.zxid < last) {
        violations.Add("zk replies", "client {} was told zxid {} on connection {} after {}",
                       connection.client, arrival.zxid, connection.number, last);
      }
      last = arrival.zxid;
    }
  }
  for (const ZkOperation& operation : history.zk_operations) {
    if (!operation.answered()) continue;
    if (operation.zxid > operation.ceiling) {
      violations.Add("zk replies", "{} is of zxid {}, no server had applied more than {}",
                     Describe(operation), operation.zxid, operation.ceiling);
    }
    if (operation.answered_without_contact && !operation.read_only) {
      violations.Add("zk contact", "{} was served although the server had no contact with a leader",
                     Describe(operation));
    }
  }
}

}  // namespace bellwether::sim
