#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace bellwether::coord {

// What callers of any thread hand to the driver, taken in one piece by its next round. Thread-safe.
// Bounded in bytes; an item larger than the bound passes when the inbox is empty.
template <typename T>
class Inbox {
 public:
  explicit Inbox(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Returns false, and leaves `item` alone, when there is no room or the inbox is closed.
  bool Add(T& item, size_t bytes) {
    base::MutexLock lock(mutex_);
    if (closed_ || (!items_.empty() && bytes_ + bytes > bytes_max_)) return false;
    bytes_ += bytes;
    items_.push_back(std::move(item));
    return true;
  }

  std::vector<T> TakeAll() {
    std::vector<T> all;
    base::MutexLock lock(mutex_);
    all.swap(items_);
    bytes_ = 0;
    return all;
  }

  // Nothing can be added from now on.
  void Close() {
    base::MutexLock lock(mutex_);
    closed_ = true;
  }

 private:
  const size_t bytes_max_;
  base::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<T> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::coord
