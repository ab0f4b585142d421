#include "base/record/compression.h"

#include <lz4frame.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::record {
namespace {

// Output grows by this much at a time while decompressing.
constexpr size_t kChunkBytes = size_t{64} << 10;
// Largest zstd window accepted, as a power of two: 8 MiB, beyond what levels up to 9 use.
constexpr int kZstdWindowLogMax = 23;

struct Lz4Free {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};
struct ZstdFree {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

absl::Status LibraryError(std::string_view action, std::string_view reason) {
  return absl::InternalError(fmt::format("cannot {}: {}", action, reason));
}

absl::Status Damaged(std::string_view codec, std::string_view reason) {
  return absl::DataLossError(fmt::format("damaged {} data: {}", codec, reason));
}

size_t OutputBytesMax(const DecompressLimits& limits, size_t input_bytes) {
  const size_t by_ratio = input_bytes > limits.bytes_max / std::max<size_t>(limits.ratio_max, 1)
                              ? limits.bytes_max
                              : input_bytes * limits.ratio_max;
  return std::min(limits.bytes_max, std::max(limits.ratio_floor_bytes, by_ratio));
}

// The end of `out` as a buffer that grows chunk by chunk, up to a limit.
class BoundedOutput {
 public:
  BoundedOutput(std::string& out, size_t bytes_max)
      : out_(out), begin_(out.size()), used_(out.size()), bytes_max_(bytes_max) {}
  ~BoundedOutput() { out_.resize(used_); }
  BoundedOutput(const BoundedOutput&) = delete;
  BoundedOutput& operator=(const BoundedOutput&) = delete;

  // Makes room for at least one byte; false at the limit.
  bool Grow() {
    if (used_ < out_.size()) return true;
    const size_t produced = used_ - begin_;
    if (produced >= bytes_max_) return false;
    const size_t step = std::min(std::max(kChunkBytes, produced), bytes_max_ - produced);
    out_.resize(used_ + step);
    return true;
  }
  char* data() { return out_.data() + used_; }
  size_t room() const { return out_.size() - used_; }
  void Produced(size_t bytes) { used_ += bytes; }
  absl::Status TooLarge(size_t input_bytes) const {
    return absl::InvalidArgumentError(
        fmt::format("{} compressed bytes decompress to more than {} bytes, the most allowed; send "
                    "smaller batches",
                    input_bytes, bytes_max_));
  }

 private:
  std::string& out_;
  const size_t begin_;
  size_t used_;
  const size_t bytes_max_;
};

absl::Status CompressLz4(std::string_view input, std::string& out) {
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  const size_t begin = out.size();
  out.resize(begin + LZ4F_compressFrameBound(input.size(), &preferences));
  const size_t n = LZ4F_compressFrame(out.data() + begin, out.size() - begin, input.data(),
                                      input.size(), &preferences);
  if (LZ4F_isError(n) != 0) return LibraryError("compress with lz4", LZ4F_getErrorName(n));
  out.resize(begin + n);
  return absl::OkStatus();
}

absl::Status CompressZstd(int level, std::string_view input, std::string& out) {
  if (level < 1 || level > kZstdLevelMax) {
    return absl::InvalidArgumentError(
        fmt::format("zstd level {} is not within 1 and {}", level, kZstdLevelMax));
  }
  thread_local const std::unique_ptr<ZSTD_CCtx, ZstdFree> context(ZSTD_createCCtx());
  if (context == nullptr) return LibraryError("compress with zstd", "out of memory");
  const size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(input.size()));
  const size_t n = ZSTD_compressCCtx(context.get(), out.data() + begin, out.size() - begin,
                                     input.data(), input.size(), level);
  if (ZSTD_isError(n) != 0) return LibraryError("compress with zstd", ZSTD_getErrorName(n));
  out.resize(begin + n);
  return absl::OkStatus();
}

absl::Status DecompressLz4(std::string_view input, size_t bytes_max, std::string& out) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)) != 0) {
    return LibraryError("decompress lz4", "out of memory");
  }
  const std::unique_ptr<LZ4F_dctx, Lz4Free> context(raw);
  BoundedOutput output(out, bytes_max);
  std::string_view rest = input;
  while (true) {
    const bool room = output.Grow();
    char spare;  // tells whether the frame goes on at the limit
    size_t produced = room ? output.room() : 1;
    size_t consumed = rest.size();
    const size_t left = LZ4F_decompress(context.get(), room ? output.data() : &spare, &produced,
                                        rest.data(), &consumed, nullptr);
    if (LZ4F_isError(left) != 0) return Damaged("lz4", LZ4F_getErrorName(left));
    if (!room && produced > 0) return output.TooLarge(input.size());
    if (room) output.Produced(produced);
    rest.remove_prefix(consumed);
    if (left == 0) break;
    if (produced == 0 && consumed == 0) return Damaged("lz4", "incomplete frame");
  }
  return rest.empty() ? absl::OkStatus() : Damaged("lz4", "bytes after the frame");
}

absl::Status DecompressZstd(std::string_view input, size_t bytes_max, std::string& out) {
  thread_local const std::unique_ptr<ZSTD_DCtx, ZstdFree> context(ZSTD_createDCtx());
  if (context == nullptr) return LibraryError("decompress zstd", "out of memory");
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  BoundedOutput output(out, bytes_max);
  ZSTD_inBuffer in = {input.data(), input.size(), 0};
  while (true) {
    const bool room = output.Grow();
    char spare;
    ZSTD_outBuffer piece = {room ? output.data() : &spare, room ? output.room() : 1, 0};
    const size_t consumed_before = in.pos;
    const size_t left = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(left) != 0) return Damaged("zstd", ZSTD_getErrorName(left));
    if (!room && piece.pos > 0) return output.TooLarge(input.size());
    if (room) output.Produced(piece.pos);
    if (left == 0) break;
    if (piece.pos == 0 && in.pos == consumed_before) return Damaged("zstd", "incomplete frame");
  }
  return in.pos == in.size ? absl::OkStatus() : Damaged("zstd", "bytes after the frame");
}

}  // namespace

std::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
  }
  return "unknown";
}

absl::StatusOr<Compression> ParseCompression(std::string_view name) {
  for (const Compression known : {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    if (name == CompressionName(known)) return known;
  }
  return absl::InvalidArgumentError(
      fmt::format("unknown compression '{}'; use none, lz4 or zstd", name));
}

absl::Status Compress(Compression compression, int zstd_level, std::string_view input,
                      std::string& out) {
  switch (compression) {
    case Compression::kNone:
      out.append(input);
      return absl::OkStatus();
    case Compression::kLz4:
      return CompressLz4(input, out);
    case Compression::kZstd:
      return CompressZstd(zstd_level, input, out);
  }
  return absl::InvalidArgumentError(
      fmt::format("unknown compression codec {}", static_cast<int>(compression)));
}

absl::Status Decompress(Compression compression, std::string_view input,
                        const DecompressLimits& limits, std::string& out) {
  const size_t bytes_max = OutputBytesMax(limits, input.size());
  switch (compression) {
    case Compression::kNone:
      if (input.size() > limits.bytes_max) {
        return absl::InvalidArgumentError(
            fmt::format("{} bytes of records, more than {} allowed", input.size(), limits.bytes_max));
      }
      out.append(input);
      return absl::OkStatus();
    case Compression::kLz4:
      return DecompressLz4(input, bytes_max, out);
    case Compression::kZstd:
      return DecompressZstd(input, bytes_max, out);
  }
  return absl::InvalidArgumentError(
      fmt::format("unknown compression codec {}", static_cast<int>(compression)));
}

}  // namespace bellwether::record
