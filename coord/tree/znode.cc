#include "coord/tree/znode.h"

namespace bellwether::coord::tree {

Stat Znode::ToStat() const {
  Stat stat;
  stat.czxid = czxid;
  stat.mzxid = mzxid;
  stat.pzxid = pzxid;
  stat.ctime_ms = ctime_ms;
  stat.mtime_ms = mtime_ms;
  stat.version = version;
  stat.num_children = static_cast<int32_t>(num_children());
  // Every creation counts once, every deletion once: deletions = creations - children (Z2). In
  // unsigned arithmetic, since the counter wraps.
  stat.cversion = static_cast<int32_t>(2 * static_cast<uint32_t>(create_counter) -
                                       static_cast<uint32_t>(stat.num_children));
  stat.data_length = static_cast<int32_t>(data.size());
  stat.ephemeral_owner = ephemeral_owner;
  return stat;
}

}  // namespace bellwether::coord::tree
