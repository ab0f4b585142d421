#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "coord/replica/replica.h"
#include "coord/service/requests.h"
#include "coord/service/wakeable.h"

namespace bellwether::coord {

// Somebody who waits for this server to have applied something.
class ApplyWaiter : public virtual Wakeable {
 private:
  friend class ApplyWaiters;

  // Guarded by the mutex of ApplyWaiters.
  bool waiting_ = false;
  LogIndex awaited_index_;
  Zxid awaited_zxid_;
};

// How far this server has applied, and who waits for more. Thread-safe. Bounded by what
// waits: a connection or watch for one thing at a time, and a keepalive for one.
class ApplyWaiters {
 public:
  // True when all up to `index` and `zxid` is applied; else false, and `waiter` is woken once when
  // it is. The newest call of a waiter replaces its earlier ones. Shared: the waiter's connection
  // may close meanwhile.
  bool AppliedOrWait(LogIndex index, Zxid zxid, std::shared_ptr<ApplyWaiter> waiter);

  bool Applied(LogIndex index, Zxid zxid) const;

  // Called by the applier, holding no lock.
  void Advance(LogIndex index, Zxid zxid);

 private:
  bool Reached(LogIndex index, Zxid zxid) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return index <= index_ && zxid <= zxid_;
  }

  mutable base::Mutex mutex_;
  LogIndex index_ ABSL_GUARDED_BY(mutex_);
  Zxid zxid_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<ApplyWaiter>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::coord
