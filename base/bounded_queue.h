#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace bellwether::base {

// A queue between threads with a bound on items and on bytes. Thread-safe. An item larger than
// the byte bound passes when the queue is empty, so that it can't block for ever.
template <typename T>
class BoundedQueue {
 public:
  BoundedQueue(size_t items_max, size_t bytes_max) : items_max_(items_max), bytes_max_(bytes_max) {}

  // Returns false, and leaves `item` alone, when the queue is full or closed.
  bool TryPush(T& item, size_t bytes) {
    MutexLock lock(mutex_);
    if (closed_ || Full(bytes)) return false;
    PushLocked(std::move(item), bytes);
    return true;
  }

  // Waits for room. Returns false when the queue is closed.
  bool Push(T item, size_t bytes) {
    MutexLock lock(mutex_);
    while (!closed_ && Full(bytes)) room_.Wait(mutex_);
    if (closed_) return false;
    PushLocked(std::move(item), bytes);
    return true;
  }

  // Waits for an item. Returns nullopt when the queue is closed and empty.
  std::optional<T> Pop() {
    MutexLock lock(mutex_);
    while (!closed_ && items_.empty()) filled_.Wait(mutex_);
    if (items_.empty()) return std::nullopt;
    T item = std::move(items_.front().first);
    bytes_ -= items_.front().second;
    items_.pop_front();
    room_.SignalAll();
    return item;
  }

  // All that is queued, waiting for at least one. Empty when the queue is closed and empty.
  std::vector<T> PopAll() {
    MutexLock lock(mutex_);
    while (!closed_ && items_.empty()) filled_.Wait(mutex_);
    std::vector<T> all;
    all.reserve(items_.size());
    for (auto& [item, bytes] : items_) all.push_back(std::move(item));
    items_.clear();
    bytes_ = 0;
    room_.SignalAll();
    return all;
  }

  // Wakes everybody; what is queued can still be popped.
  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
    room_.SignalAll();
    filled_.SignalAll();
  }

 private:
  bool Full(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !items_.empty() && (items_.size() >= items_max_ || bytes_ + bytes > bytes_max_);
  }
  void PushLocked(T item, size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    items_.emplace_back(std::move(item), bytes);
    bytes_ += bytes;
    filled_.Signal();
  }

  const size_t items_max_;
  const size_t bytes_max_;
  Mutex mutex_;
  CondVar room_;
  CondVar filled_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::pair<T, size_t>> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::base
