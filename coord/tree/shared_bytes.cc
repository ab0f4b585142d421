#include "coord/tree/shared_bytes.h"

#include <cstring>
#include <limits>
#include <new>

#include "base/check.h"

namespace bellwether::coord::tree {

SharedBytes SharedBytes::Copy(std::string_view bytes) {
  CHECK(bytes.size() < std::numeric_limits<uint32_t>::max());
  void* memory = ::operator new(sizeof(Block) + bytes.size());
  SharedBytes result;
  result.block_ = new (memory) Block{{1}, static_cast<uint32_t>(bytes.size())};
  if (!bytes.empty()) {
    std::memcpy(static_cast<char*>(memory) + sizeof(Block), bytes.data(), bytes.size());
  }
  return result;
}

void SharedBytes::Release() {
  if (block_ == nullptr) return;
  if (block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  block_->~Block();
  ::operator delete(block_);
}

}  // namespace bellwether::coord::tree
