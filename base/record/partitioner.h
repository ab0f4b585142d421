#pragma once

#include <cstdint>
#include <string_view>

namespace bellwether::record {

// MurmurHash2 (Austin Appleby), 32 bits, with the seed of Kafka's Java client.
int32_t Murmur2(std::string_view data);

// The partition that every Kafka-compatible producer gives a record with this key.
// Requires: partition_count > 0.
int32_t PartitionForKey(std::string_view key, int32_t partition_count);

}  // namespace bellwether::record
