// A snapshot file: once as it comes, and once with sums that are right. All of it is read, and its
// pieces are skipped, as a server does that checks what it received.

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "coord/storage/snapshot_file.h"
#include "tests/fuzz/target.h"

namespace bellwether::coord {
namespace {

constexpr size_t kMagicBytes = 8;
constexpr size_t kSumBytes = 4;

class BytesFile : public base::File {
 public:
  explicit BytesFile(std::string bytes) : bytes_(std::move(bytes)) {}

  absl::Status Append(std::string_view bytes) override {
    bytes_.append(bytes);
    return absl::OkStatus();
  }
  absl::Status ReadAt(uint64_t offset, size_t bytes_max, std::string& out) override {
    out = offset < bytes_.size() ? bytes_.substr(offset, bytes_max) : std::string();
    return absl::OkStatus();
  }
  absl::StatusOr<uint64_t> Size() override { return bytes_.size(); }
  absl::Status Truncate(uint64_t bytes) override {
    bytes_.resize(std::min<uint64_t>(bytes, bytes_.size()));
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  const std::string& path() const override { return path_; }

 private:
  std::string bytes_;
  const std::string path_ = "snapshot";
};

uint32_t Fixed32At(const std::string& bytes, size_t position) {
  return base::Decoder(std::string_view(bytes).substr(position)).Fixed32();
}

// Bytes of the piece at `position` without its sum, by its own account; 0 when there is none.
size_t PieceBytes(const std::string& bytes, size_t position) {
  const size_t left = bytes.size() - position;
  if (position == 0) {
    constexpr size_t kFront = kMagicBytes + 1 + 4;
    return left < kFront ? 0 : kFront + Fixed32At(bytes, kMagicBytes + 1);
  }
  constexpr size_t kChunkFront = 1 + 3 * 4;
  constexpr size_t kEnd = 1 + 2 * 8;
  if (left < kChunkFront) return 0;
  return bytes[position] == 1 ? kChunkFront + Fixed32At(bytes, position + 9) : kEnd;
}

std::string WithRightSums(std::string bytes) {
  uint32_t sum = 0;
  for (size_t position = 0; position < bytes.size();) {
    const size_t piece = PieceBytes(bytes, position);
    if (piece == 0 || piece > bytes.size() - position ||
        bytes.size() - position - piece < kSumBytes) {
      break;
    }
    sum = base::Crc32c(std::string_view(bytes).substr(position, piece), sum);
    std::string encoded;
    base::Encoder(encoded).Fixed32(sum);
    bytes.replace(position + piece, kSumBytes, encoded);
    position += piece + kSumBytes;
  }
  return bytes;
}

void ReadFile(const std::string& bytes) {
  auto read = SnapshotFileReader::Open(std::make_unique<BytesFile>(bytes));
  if (!read.ok()) return;
  const bool whole = VerifySnapshot(**read).ok();
  auto skipped = SnapshotFileReader::Open(std::make_unique<BytesFile>(bytes));
  CHECK(skipped.ok());
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = (*skipped)->SkipPiece();
  CHECK(more.ok() || !whole, "a whole snapshot was skipped to an error: {}",
        more.status().ToString());
}

}  // namespace
}  // namespace bellwether::coord

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(bellwether::tests::AsText(data, size));
  bellwether::coord::ReadFile(bytes);
  bellwether::coord::ReadFile(bellwether::coord::WithRightSums(bytes));
  return 0;
}
