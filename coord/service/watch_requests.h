#pragma once

#include <memory>

#include "coord/service/requests.h"
#include "coord/service/znode_watches.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// What a request means for its connection's watches: sets the one that a read asked for, depending
// on how the read was answered with `response` (Z26); sets again, adds, checks or removes watches
// (Z31, Z33). Who may not read the znode sets none by reading it. Appends the watcher to `woken` when
// events were queued. When it comes to nothing, `response` becomes the failure that says so. The
// caller holds the state since before the read was evaluated, and answers afterwards.
void ServeWatches(const Request& request, const tree::StateView& state,
                  const std::shared_ptr<ZnodeWatcher>& watcher, ZnodeWatches& watches,
                  Response& response, WakeList& woken);

// Why a watch was not set at a bound of ZnodeWatches.
Failure TooManyWatches();

}  // namespace bellwether::coord
