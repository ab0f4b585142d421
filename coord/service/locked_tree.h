#pragma once

#include "base/mutex.h"
#include "coord/replica/replica.h"
#include "coord/tree/state_machine.h"

namespace bellwether::coord {

// The replicated state with the lock that everything about it hangs on: the first in the lock
// order. The applier holds it exclusively for one bounded batch; readers share it.
struct LockedTree {
  mutable base::SharedMutex mutex;
  tree::StateMachine tree ABSL_GUARDED_BY(mutex);
  // As of the last entry applied as a whole; the tree may be some commands ahead.
  LogIndex applied_index ABSL_GUARDED_BY(mutex);
  tree::Zxid applied_zxid ABSL_GUARDED_BY(mutex);
  uint64_t applied_digest ABSL_GUARDED_BY(mutex) = 0;

  void SetApplied(LogIndex index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    applied_index = index;
    applied_zxid = tree.zxid();
    applied_digest = tree.digest();
  }
};

}  // namespace bellwether::coord
