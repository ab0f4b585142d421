#include "coord/tree/compact_string.h"

#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace bellwether::coord::tree {

CompactString::CompactString(std::string_view bytes) {
  std::memset(bytes_, 0, sizeof bytes_);
  if (bytes.size() <= kInlineBytes) {
    if (!bytes.empty()) std::memcpy(bytes_, bytes.data(), bytes.size());
    bytes_[kInlineBytes] = static_cast<unsigned char>(bytes.size());
    return;
  }
  CHECK(bytes.size() <= UINT32_MAX);
  char* const heap = new char[bytes.size()];
  std::memcpy(heap, bytes.data(), bytes.size());
  const auto size = static_cast<uint32_t>(bytes.size());
  std::memcpy(bytes_, &heap, sizeof heap);
  std::memcpy(bytes_ + 8, &size, sizeof size);
  bytes_[kInlineBytes] = kOnHeap;
}

CompactString::CompactString(CompactString&& other) noexcept {
  std::memcpy(bytes_, other.bytes_, sizeof bytes_);
  other.bytes_[kInlineBytes] = 0;
}

CompactString& CompactString::operator=(CompactString other) noexcept {
  unsigned char held[sizeof bytes_];
  std::memcpy(held, bytes_, sizeof held);
  std::memcpy(bytes_, other.bytes_, sizeof bytes_);
  std::memcpy(other.bytes_, held, sizeof held);
  return *this;
}

void CompactString::FreeHeap() {
  char* heap;
  std::memcpy(&heap, bytes_, sizeof heap);
  delete[] heap;
}

std::string_view CompactString::view() const {
  if (bytes_[kInlineBytes] != kOnHeap) {
    return {reinterpret_cast<const char*>(bytes_), bytes_[kInlineBytes]};
  }
  const char* heap;
  uint32_t size;
  std::memcpy(&heap, bytes_, sizeof heap);
  std::memcpy(&size, bytes_ + 8, sizeof size);
  return {heap, size};
}

}  // namespace bellwether::coord::tree
