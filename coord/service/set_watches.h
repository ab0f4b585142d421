#pragma once

#include <memory>

#include "coord/service/requests.h"
#include "coord/service/znode_watches.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// Sets again the watches that a client had on a connection that is gone (Z31). For each whose znode
// has changed after `request.relative` an event is queued instead, with zxid -1 (Z34) and without
// asking who may see the znode (Z32); persistent and recursive ones are only set (Z30). Appends the
// watcher to `woken` when it must be woken. The caller holds the state, so that nothing is applied
// meanwhile, and answers afterwards, so that the events come first.
// False when a bound of `watches` is reached: nothing further is set then, and what was set stays.
bool SetWatchesAgain(const SetWatches& request, const tree::StateView& state,
                     const std::shared_ptr<ZnodeWatcher>& watcher, ZnodeWatches& watches,
                     WakeList& woken);

}  // namespace bellwether::coord
