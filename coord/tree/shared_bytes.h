#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace bellwether::coord::tree {

// Immutable bytes with a reference count, one pointer wide: a znode's data, shared with the events
// and replies that carry it, so that a payload is copied once, when its command is decoded. Null
// and empty are different values (Z21). Copies may be used and dropped on any thread.
class SharedBytes {
 public:
  SharedBytes() = default;  // null
  // Requires: bytes.size() < 2^32.
  static SharedBytes Copy(std::string_view bytes);

  SharedBytes(const SharedBytes& other) : block_(other.block_) { Retain(); }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() { Release(); }

  bool is_null() const { return block_ == nullptr; }
  size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  // Empty for null. Valid while this or a copy lives.
  std::string_view view() const {
    if (block_ == nullptr) return {};
    return {reinterpret_cast<const char*>(block_ + 1), block_->size};
  }

  // By value; null equals only null.
  friend bool operator==(const SharedBytes& a, const SharedBytes& b) {
    return a.is_null() == b.is_null() && a.view() == b.view();
  }

 private:
  // Followed by `size` bytes.
  struct Block {
    std::atomic<uint32_t> references;
    uint32_t size;
  };

  void Retain() const {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void Release();

  Block* block_ = nullptr;
};

}  // namespace bellwether::coord::tree
