#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/coord_types.h"

namespace bellwether::client {

// The one-shot watches set on the present connection. A server sends one event per path and kind,
// whoever asked; here it goes to all who did. Owned by CoordClient, on its executor. Bounded by
// what the caller sets.
class OneShotWatches {
 public:
  enum class Kind { kZnode, kChildren };

  void Add(Kind kind, std::string path, OneShotWatch watch);

  // Calls and forgets what the event concerns.
  void Fire(const WatchEvent& event);

  // The connection is gone: calls all with kConnectionLost.
  void FireConnectionLost();

 private:
  using Table = std::map<std::string, std::vector<OneShotWatch>>;

  static void FireIn(Table& table, const WatchEvent& event);

  Table znode_watches_;
  Table children_watches_;
};

}  // namespace bellwether::client
