#pragma once

#include <cstdint>
#include <string_view>

namespace bellwether::base {

// CRC-32C (Castagnoli) of `data`, continuing from `crc` (0 at the start).
uint32_t Crc32c(std::string_view data, uint32_t crc = 0);

}  // namespace bellwether::base
