#include "base/crc32c.h"

#include <nmmintrin.h>

#include <cstring>

namespace bellwether::base {

uint32_t Crc32c(std::string_view data, uint32_t crc) {
  const char* bytes = data.data();
  size_t left = data.size();
  uint64_t state = ~crc;
  for (; left >= 8; left -= 8, bytes += 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    state = _mm_crc32_u64(state, word);
  }
  uint32_t tail = static_cast<uint32_t>(state);
  for (; left > 0; --left, ++bytes) tail = _mm_crc32_u8(tail, static_cast<uint8_t>(*bytes));
  return ~tail;
}

}  // namespace bellwether::base
