#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace bellwether::coord::tree {

// How many hold an object that contains it. Raised and lowered on any thread. A copy of the object
// starts anew with one holder.
class RefCount {
 public:
  RefCount() = default;
  RefCount(const RefCount&) {}
  RefCount& operator=(const RefCount&) = delete;

  void Add() const { count_.fetch_add(1, std::memory_order_relaxed); }
  // True when it was the last hold: the caller frees the object.
  bool Drop() const { return IsOnly() || count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  // True when the caller's hold is the only one. Nobody else can then come to hold the object, and
  // all that others did with it before they dropped it has happened: the caller may change it.
  bool IsOnly() const { return count_.load(std::memory_order_acquire) == 1; }

 private:
  mutable std::atomic<uint32_t> count_{1};
};

// Holds an object together with others who see it unchanging: whoever wants to change it gets a
// copy of its own, unless nobody else holds it. T has a member `RefCount references`. Different
// CowPtr may be used on different threads, one like any other value.
//
// What an object holds is changed through the object only, from the outermost on: an object inside
// of a shared one is shared, though its own count may be 1.
template <typename T>
class CowPtr {
 public:
  CowPtr() = default;
  // Takes a new object, whose count is 1, over.
  explicit CowPtr(T* object) : object_(object) {}
  CowPtr(const CowPtr& other) : object_(other.object_) {
    if (object_ != nullptr) object_->references.Add();
  }
  CowPtr(CowPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  CowPtr& operator=(CowPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~CowPtr() {
    if (object_ != nullptr && object_->references.Drop()) delete object_;
  }

  explicit operator bool() const { return object_ != nullptr; }
  const T* get() const { return object_; }
  const T& operator*() const { return *object_; }
  const T* operator->() const { return object_; }

  bool IsOnly() const { return object_->references.IsOnly(); }
  // The object for a change. Requires: IsOnly(), and not null.
  T& Owned() { return *object_; }
  // The object for a change, first replaced by a copy if others hold it. Requires: not null.
  T& Mutable() {
    if (!IsOnly()) *this = CowPtr(CopyOf(*object_));
    return *object_;
  }

 private:
  // A type whose objects differ in size knows how.
  static T* CopyOf(const T& object) {
    if constexpr (requires { T::Copy(object); }) {
      return T::Copy(object);
    } else {
      return new T(object);
    }
  }

  T* object_ = nullptr;
};

}  // namespace bellwether::coord::tree
