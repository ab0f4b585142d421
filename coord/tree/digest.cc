#include "coord/tree/digest.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace bellwether::coord::tree {
namespace {

// Of up to eight bytes. Eight at once are one load: data of every write passes through here.
uint64_t LittleEndian(const char* bytes, size_t count) {
  uint64_t value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, bytes, count);
  } else {
    for (size_t i = 0; i < count; ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
  }
  return value;
}

}  // namespace

Hasher& Hasher::Bytes(std::string_view bytes) {
  Number(bytes.size());
  size_t position = 0;
  for (; position + 8 <= bytes.size(); position += 8) {
    Number(LittleEndian(bytes.data() + position, 8));
  }
  if (position < bytes.size()) {
    Number(LittleEndian(bytes.data() + position, bytes.size() - position));
  }
  return *this;
}

}  // namespace bellwether::coord::tree
