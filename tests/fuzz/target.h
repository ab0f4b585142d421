#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/crc32c.h"

// What libFuzzer calls with inputs of its making, and replay_main with those of the corpus. Returns 0;
// what is wrong ends the process.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace bellwether::tests {

inline std::string_view AsText(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// u8 `format` | u32 CRC32C of `covered_first` and `body` | body: as coord/storage/log_format.h
// writes, with a sum that is right, so that a fuzzer gets past it.
inline std::string Sealed(uint8_t format, std::string_view covered_first, std::string_view body) {
  std::string sealed;
  base::Encoder(sealed)
      .Fixed8(format)
      .Fixed32(base::Crc32c(body, base::Crc32c(covered_first)))
      .Raw(body);
  return sealed;
}

}  // namespace bellwether::tests
