#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace bellwether::base {

// A queue in one piece of memory, and in none while it is empty: for owners that are many and mostly
// idle. It remembers how much it needed last, so that who is busy allocates once for as many items as
// come together.
// Not thread-safe. Addresses and iterators are good until the next push, and of what is popped.
template <typename T>
class Ring {
  static_assert(std::is_nothrow_move_constructible_v<T>);

 public:
  // Of what is allocated for the first item because of what was needed before.
  static constexpr size_t kExpectedBytesMax = 64 << 10;

  template <typename Owner, typename Item>
  class Position {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = Item*;
    using reference = Item&;

    Position() = default;
    Item& operator*() const { return (*ring_)[index_]; }
    Item* operator->() const { return &(*ring_)[index_]; }
    Position& operator++() {
      ++index_;
      return *this;
    }
    Position operator++(int) {
      Position before = *this;
      ++index_;
      return before;
    }
    friend bool operator==(const Position& a, const Position& b) { return a.index_ == b.index_; }

   private:
    friend class Ring;
    Position(Owner* ring, size_t index) : ring_(ring), index_(index) {}
    Owner* ring_ = nullptr;
    size_t index_ = 0;
  };
  using iterator = Position<Ring, T>;
  using const_iterator = Position<const Ring, const T>;

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { clear(); }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // Items that there is room for.
  size_t capacity() const { return capacity_; }

  // Requires: index < size().
  T& operator[](size_t index) { return items_[(begin_ + index) & (capacity_ - 1)]; }
  const T& operator[](size_t index) const { return items_[(begin_ + index) & (capacity_ - 1)]; }
  // Requires: not empty.
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  iterator begin() { return {this, 0}; }
  iterator end() { return {this, size_}; }
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size_}; }

  // The arguments must not be of an item, nor refer to one.
  template <typename... Arguments>
  T& emplace_back(Arguments&&... arguments) {
    if (size_ == capacity_) Grow();
    T* const item = std::construct_at(&(*this)[size_], std::forward<Arguments>(arguments)...);
    ++size_;
    peak_ = std::max(peak_, size_);
    return *item;
  }
  void push_back(T item) { emplace_back(std::move(item)); }

  // Requires: not empty.
  void pop_front() {
    std::destroy_at(&front());
    begin_ = (begin_ + 1) & (capacity_ - 1);
    if (--size_ == 0) OnEmpty();
  }
  // Requires: count <= size().
  void pop_front(size_t count) {
    for (; count > 0; --count) pop_front();
  }

  // Takes those out that `leaves` is true of; the others keep their order.
  template <typename Leaves>
  void EraseIf(Leaves leaves) {
    size_t kept = 0;
    for (size_t i = 0; i < size_; ++i) {
      if (leaves((*this)[i])) continue;
      if (kept != i) (*this)[kept] = std::move((*this)[i]);
      ++kept;
    }
    while (size_ > kept) {
      std::destroy_at(&back());
      if (--size_ == 0) OnEmpty();
    }
  }

  void clear() {
    for (size_t i = 0; i < size_; ++i) std::destroy_at(&(*this)[i]);
    size_ = 0;
    OnEmpty();
  }

 private:
  // Of what the first item takes room for.
  static constexpr size_t kFirstBytesMax = 512;
  static constexpr size_t CapacityFirst() {
    size_t capacity = 1;
    while (capacity < 8 && 2 * capacity * sizeof(T) <= kFirstBytesMax) capacity *= 2;
    return capacity;
  }

  void Grow() {
    const size_t capacity = capacity_ == 0 ? std::max(CapacityFirst(), expected_) : 2 * capacity_;
    T* const items = std::allocator<T>().allocate(capacity);
    for (size_t i = 0; i < size_; ++i) {
      std::construct_at(items + i, std::move((*this)[i]));
      std::destroy_at(&(*this)[i]);
    }
    if (items_ != nullptr) std::allocator<T>().deallocate(items_, capacity_);
    items_ = items;
    capacity_ = capacity;
    begin_ = 0;
  }

  void OnEmpty() {
    if (items_ == nullptr) return;
    expected_ = peak_ > capacity_ / 4 ? capacity_ : capacity_ / 2;
    while (expected_ * sizeof(T) > kExpectedBytesMax) expected_ /= 2;
    std::allocator<T>().deallocate(items_, capacity_);
    items_ = nullptr;
    capacity_ = begin_ = peak_ = 0;
  }

  T* items_ = nullptr;
  size_t capacity_ = 0;  // a power of two, or 0
  size_t begin_ = 0;
  size_t size_ = 0;
  size_t peak_ = 0;      // most items since it was last empty
  size_t expected_ = 0;  // capacity to begin with; a power of two, or 0
};

}  // namespace bellwether::base
