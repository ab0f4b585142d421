#pragma once

#include <string>
#include <vector>

#include "broker/metadata/cluster_view.h"
#include "client/coord_types.h"

// What the controller does, as pure functions from a view to conditional transactions.
namespace bellwether::broker {

// A controller's proof of office, from the transaction that elected it.
struct ControllerTerm {
  BrokerId id;
  client::SessionId session_id;  // owner of /controller
  Zxid election_zxid;            // czxid of /controller and mzxid of /controller_epoch
  int64_t epoch = 0;             // content of /controller_epoch
};

// One thing to do. Decisions of one call are independent of each other. Each compares all that it
// was derived from, so that it fails instead of acting on an old view.
struct Decision {
  std::string path;  // the znode it is about: one decision per path at a time
  std::string why;   // for the log
  client::Transaction transaction;
};

// The transaction that makes `id` the controller: creates /controller and raises /controller_epoch
// (K16). Fails when somebody else won first. Requires: view.controller().exists is false.
client::Transaction ElectionOf(const ClusterView& view, BrokerId id, int64_t now_ms);

// All that needs doing in `view` and was not already so in `previous` (nullptr: everything):
// - a partition without state, or whose leader is not its assigned broker's current incarnation,
//   gets a new leader epoch, if that broker has the disk that held the partition (K17)
// - a partition whose broker is gone, or came back with another disk, goes offline
// - a deletion record that all brokers confirmed is removed
// Requires: view.zxid() >= term.election_zxid.
std::vector<Decision> Decide(const ClusterView& view, const ClusterView* previous,
                             const ControllerTerm& term);

}  // namespace bellwether::broker
