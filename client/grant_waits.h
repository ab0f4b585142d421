#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/coord_types.h"

namespace bellwether::client {

// Who hears what becomes of which znode in line, on the present connection. Owned by CoordClient, on
// its executor. Bounded by what the caller asks for.
class GrantWaits {
 public:
  // In the place of who listened for that path before.
  void Add(std::string path, GrantListener listener);

  // Calls who listens for that path, and forgets it when nothing follows.
  void Fire(const GrantEvent& event);

  // The connection is gone: calls and forgets all.
  void FireConnectionLost();

 private:
  // Shared while being called: a listener may make the client forget it.
  std::map<std::string, std::shared_ptr<GrantListener>> listeners_;
};

}  // namespace bellwether::client
