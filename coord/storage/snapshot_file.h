#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/folder.h"
#include "coord/raft/membership.h"
#include "coord/replica/snapshot_store.h"

namespace bellwether::coord {

// A snapshot file, all integers big-endian:
//
//   header   "BELLSNAP" | u8 format (1) | u32 body bytes | body | u32 sum
//              body: u64 index | u64 term | encoded Membership
//   chunk    u8 1 | u32 records | u32 raw bytes | u32 packed bytes | packed (zstd) | u32 sum
//              raw: of each record a varint of its length, and its bytes
//   end      u8 2 | u64 chunks | u64 records | u32 sum
//
// One header, any number of chunks, one end, nothing after it. A sum is the CRC32C of every byte of
// the file in front of it but the sums, so a piece that is left out, repeated or out of its place is
// found at that piece.

// A chunk is closed once it holds this much.
inline constexpr size_t kSnapshotChunkBytes = 256 << 10;
inline constexpr size_t kSnapshotRecordBytesMax = 8 << 20;

// Writes a snapshot file, front to back. Does not sync. Borrows the file.
class SnapshotFileWriter {
 public:
  explicit SnapshotFileWriter(base::File& file);
  ~SnapshotFileWriter();

  // First, once.
  absl::Status WriteHeader(const raft::SnapshotMeta& meta);
  // INVALID_ARGUMENT above kSnapshotRecordBytesMax; else what the file says.
  absl::Status Append(std::string_view record);
  // Last, once.
  absl::Status WriteEnd();

  uint64_t file_bytes() const { return file_bytes_; }

 private:
  class Packer;

  absl::Status WriteChunk();
  // `piece` and the sum up to its end.
  absl::Status WritePiece(std::string piece);

  base::File& file_;
  const std::unique_ptr<Packer> packer_;
  std::string raw_;  // of the open chunk
  uint32_t chunk_records_ = 0;
  uint64_t chunks_ = 0;
  uint64_t records_ = 0;
  uint32_t sum_ = 0;
  uint64_t file_bytes_ = 0;
};

// Reads a snapshot file, which nobody vouches for, front to back. Memory: one chunk, packed and
// raw, each at most 8.3 MiB. Errors name the file and the next step: DATA_LOSS (damaged),
// UNIMPLEMENTED (a later format), or what reading gave.
class SnapshotFileReader : public SnapshotReader {
 public:
  // Reads and checks the header.
  static absl::StatusOr<std::unique_ptr<SnapshotFileReader>> Open(
      std::unique_ptr<base::File> file);
  ~SnapshotFileReader() override;

  const raft::SnapshotMeta& meta() const { return meta_; }
  uint64_t file_bytes() const { return file_bytes_; }

  absl::StatusOr<std::optional<std::string_view>> Next() override;

  // Instead of Next: checks the sums of the next piece without unpacking it; false at the end.
  absl::StatusOr<bool> SkipPiece();
  // How far the file is whole: the end of the last piece that was read and had its sum.
  uint64_t whole_bytes() const { return whole_bytes_; }

 private:
  class Unpacker;

  explicit SnapshotFileReader(std::unique_ptr<base::File> file);

  absl::Status ReadHeader();
  // Reads the next piece into `piece`, without its sum, which is checked. False at the end.
  absl::StatusOr<bool> ReadPiece(std::string& piece);
  absl::StatusOr<size_t> PieceBytes(std::string_view front) const;
  absl::Status CheckEnd(std::string_view piece) const;
  absl::Status Unpack();
  // Appends `bytes` of the file to `out`; DATA_LOSS when the file ends before.
  absl::Status ReadMore(size_t bytes, std::string& out);
  absl::Status ReadSum(std::string_view piece);
  absl::Status Damaged(std::string_view why) const;

  const std::unique_ptr<base::File> file_;
  const std::unique_ptr<Unpacker> unpacker_;
  raft::SnapshotMeta meta_;
  uint64_t file_bytes_ = 0;
  uint64_t position_ = 0;
  uint64_t whole_bytes_ = 0;
  uint32_t sum_ = 0;
  uint64_t chunks_ = 0;
  uint64_t records_ = 0;
  bool ended_ = false;
  std::string read_;       // scratch of ReadMore
  std::string piece_;      // the chunk whose records are given
  std::string raw_;        // unpacked
  std::string_view rest_;  // of raw_, not yet given
  uint32_t rest_records_ = 0;
};

// Reads all records; what it was of when it was whole.
absl::StatusOr<SnapshotInfo> VerifySnapshot(SnapshotFileReader& reader);
absl::StatusOr<SnapshotInfo> VerifySnapshotFile(const std::string& path);

}  // namespace bellwether::coord
