#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bellwether::record {

// How the records of a batch are compressed: Kafka's codec numbers (attribute bits 0-2).
enum class Compression : uint8_t {
  kNone = 0,
  kLz4 = 3,   // LZ4 frame format
  kZstd = 4,  // one Zstandard frame
};

// "none", "lz4" or "zstd".
std::string_view CompressionName(Compression compression);
// The codec of that name. INVALID_ARGUMENT names the value and what is allowed.
absl::StatusOr<Compression> ParseCompression(std::string_view name);

inline constexpr int kZstdLevelDefault = 3;
inline constexpr int kZstdLevelMax = 9;

// What decompression may produce from `n` input bytes, since the input declares its own size and
// may be made to explode: at most bytes_max, and at most max(ratio_floor_bytes, ratio_max * n).
struct DecompressLimits {
  size_t bytes_max = size_t{64} << 20;
  size_t ratio_max = 256;
  size_t ratio_floor_bytes = size_t{4} << 20;
};

// Appends `input`, compressed, to `out`. `zstd_level` is 1..kZstdLevelMax and matters to zstd only.
// Errors: INVALID_ARGUMENT (level), INTERNAL (the library failed).
absl::Status Compress(Compression compression, int zstd_level, std::string_view input,
                      std::string& out);

// Appends the decompressed `input` to `out`, which grows with what is really there, never by a
// declared size. Errors: DATA_LOSS when the input is damaged, incomplete or followed by other
// bytes; INVALID_ARGUMENT beyond `limits`. `out` is unspecified after an error.
absl::Status Decompress(Compression compression, std::string_view input,
                        const DecompressLimits& limits, std::string& out);

}  // namespace bellwether::record
