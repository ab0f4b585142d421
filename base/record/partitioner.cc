#include "base/record/partitioner.h"

#include <cstddef>
#include <cstring>

#include "base/check.h"

namespace bellwether::record {

int32_t Murmur2(std::string_view data) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  uint32_t hash = kSeed ^ static_cast<uint32_t>(data.size());
  size_t i = 0;
  for (; i + 4 <= data.size(); i += 4) {
    uint32_t word;  // little-endian, as the machines that we run on
    std::memcpy(&word, data.data() + i, 4);
    word *= kMultiplier;
    word ^= word >> 24;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
  }
  const size_t rest = data.size() - i;
  for (size_t byte = rest; byte > 0; --byte) {
    hash ^= static_cast<uint32_t>(static_cast<uint8_t>(data[i + byte - 1])) << (8 * (byte - 1));
  }
  if (rest > 0) hash *= kMultiplier;
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return static_cast<int32_t>(hash);
}

int32_t PartitionForKey(std::string_view key, int32_t partition_count) {
  CHECK(partition_count > 0);
  return (Murmur2(key) & 0x7fffffff) % partition_count;
}

}  // namespace bellwether::record
