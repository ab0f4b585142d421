#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "coord/service/locked_tree.h"
#include "coord/service/reads.h"
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

// The same of so many watches that the applier must not wait for all of them: a part of them under each
// hold of the tree. Each is set, or told instead, by the state that its part finds, so that none is
// missed and none told twice; what changes between the parts fires those that are set by then. Those
// events wait (Connection::ExpectCatchUp) until all parts are done.
class LongSetWatches : public ReadInPieces {
 public:
  // Called with the tree held at the state that the answer is of.
  using Ready = absl::AnyInvocable<void()>;

  // `state` and `watches` outlive this. `watcher` is the owner of this. Requires: the request is a
  // SetWatches.
  LongSetWatches(const LockedTree& state, ZnodeWatches& watches,
                 std::weak_ptr<ZnodeWatcher> watcher, const Request& request, Ready ready);

  std::optional<Response> Continue(size_t visits_max) override;

 private:
  const LockedTree& state_;
  ZnodeWatches& watches_;
  const std::weak_ptr<ZnodeWatcher> watcher_;
  const Request request_;
  Ready ready_;
  // The next path to be set.
  size_t list_ = 0;
  size_t next_ = 0;
};

}  // namespace bellwether::coord
