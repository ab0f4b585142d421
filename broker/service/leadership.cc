#include "broker/service/leadership.h"

namespace bellwether::broker {

uint64_t Leadership::NotifyOnEnd(absl::AnyInvocable<void()> on_end) {
  {
    base::MutexLock lock(mutex_);
    if (!ended_) {
      waiting_.emplace(++last_id_, std::move(on_end));
      return last_id_;
    }
  }
  on_end();
  return 0;
}

void Leadership::CancelNotify(uint64_t id) {
  base::MutexLock lock(mutex_);
  waiting_.erase(id);
}

void Leadership::End() {
  std::map<uint64_t, absl::AnyInvocable<void()>> waiting;
  {
    base::MutexLock lock(mutex_);
    ended_ = true;
    waiting.swap(waiting_);
  }
  for (auto& [id, on_end] : waiting) on_end();
}

}  // namespace bellwether::broker
