#include "coord/service/apply_waiters.h"

#include <utility>

#include "base/mutant.h"

namespace bellwether::coord {

bool ApplyWaiters::AppliedOrWait(LogIndex index, Zxid zxid, std::shared_ptr<ApplyWaiter> waiter) {
  base::MutexLock lock(mutex_);
  if (Reached(index, zxid) || MUTANT(21)) return true;
  waiter->awaited_index_ = index;
  waiter->awaited_zxid_ = zxid;
  if (!std::exchange(waiter->waiting_, true)) waiting_.push_back(std::move(waiter));
  return false;
}

bool ApplyWaiters::Applied(LogIndex index, Zxid zxid) const {
  base::MutexLock lock(mutex_);
  return Reached(index, zxid) || MUTANT(21);
}

void ApplyWaiters::Advance(LogIndex index, Zxid zxid) {
  std::vector<std::shared_ptr<ApplyWaiter>> woken;
  {
    base::MutexLock lock(mutex_);
    index_ = index;
    zxid_ = zxid;
    std::vector<std::shared_ptr<ApplyWaiter>> waiting;
    waiting.swap(waiting_);
    for (auto& waiter : waiting) {
      if (Reached(waiter->awaited_index_, waiter->awaited_zxid_)) {
        waiter->waiting_ = false;
        woken.push_back(std::move(waiter));
      } else {
        waiting_.push_back(std::move(waiter));
      }
    }
  }
  for (const auto& waiter : woken) waiter->PostWake();
}

}  // namespace bellwether::coord
