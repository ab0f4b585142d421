#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace bellwether::coord::tree {

// Bytes in 16 bytes: up to 15 in place, more on the heap. For the names of znodes, of which there
// are millions. Ordered by bytes.
class CompactString {
 public:
  CompactString() : CompactString(std::string_view()) {}
  // Requires: bytes.size() < 2^32.
  explicit CompactString(std::string_view bytes);
  CompactString(const CompactString& other) : CompactString(other.view()) {}
  CompactString(CompactString&& other) noexcept;
  CompactString& operator=(CompactString other) noexcept;
  ~CompactString() {
    if (bytes_[kInlineBytes] == kOnHeap) FreeHeap();
  }

  std::string_view view() const;

  // What so many bytes take besides the 16, the allocator's part included.
  static constexpr size_t HeapBytes(size_t bytes) {
    return bytes <= kInlineBytes ? 0 : bytes + kHeapOverheadBytes;
  }

  friend bool operator<(const CompactString& a, const CompactString& b) {
    return a.view() < b.view();
  }
  friend bool operator<(const CompactString& a, std::string_view b) { return a.view() < b; }
  friend bool operator<(std::string_view a, const CompactString& b) { return a < b.view(); }

 private:
  static constexpr size_t kInlineBytes = 15;
  static constexpr unsigned char kOnHeap = 0xff;
  static constexpr size_t kHeapOverheadBytes = 16;

  void FreeHeap();

  // Invariant: the last byte is the length of bytes in place, or kOnHeap; then the first eight
  // bytes are the address of the bytes and the next four their length.
  alignas(8) unsigned char bytes_[kInlineBytes + 1];
};

}  // namespace bellwether::coord::tree
