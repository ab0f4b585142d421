#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/record/compression.h"

// Kafka's RecordBatch version 2 (KIP-98), byte for byte: a header of 61 bytes, then the records,
// compressed as a whole or not. A CRC-32C covers everything after itself; base offset and leader
// epoch stand before it, so a broker stores and forwards the producer's bytes unchanged but for
// these 12.
//
// Errors: DATA_LOSS when bytes are damaged or cut off (send again); INVALID_ARGUMENT when they are
// intact but not acceptable (change the batch).
namespace bellwether::record {

inline constexpr size_t kBatchHeaderBytes = 61;
// Default bound on a whole batch, header included.
inline constexpr size_t kBatchBytesMax = size_t{1} << 20;
// Timestamp of a record without one.
inline constexpr int64_t kNoTimestamp = -1;

// The fixed part of a batch.
struct BatchHeader {
  size_t size_bytes = 0;          // whole batch, this header included
  int64_t base_offset = 0;        // offset of the first record; assigned by the broker
  int32_t leader_epoch = -1;      // partition leader epoch; assigned by the broker
  uint32_t crc = 0;               // CRC-32C of the bytes from `attributes` to the end
  uint16_t attributes = 0;        // bits as in Kafka; use the accessors
  int32_t last_offset_delta = 0;  // offset of the last record minus base_offset
  int64_t base_timestamp_ms = 0;  // what the records' timestamps are relative to
  int64_t max_timestamp_ms = 0;   // largest timestamp of a record, or kNoTimestamp
  int64_t producer_id = -1;       // -1: none
  int16_t producer_epoch = -1;    // -1: none
  int32_t base_sequence = -1;     // -1: none
  int32_t record_count = 0;       // records in the batch, at least 1

  Compression compression() const { return static_cast<Compression>(attributes & 0x7); }
  bool is_transactional() const { return (attributes & 0x10) != 0; }
  bool is_control() const { return (attributes & 0x20) != 0; }
  int64_t last_offset() const { return base_offset + last_offset_delta; }
  int64_t next_offset() const { return last_offset() + 1; }
};

// Reads the header of the batch that `bytes` begins with; more may follow. Checks everything that
// can be checked without reading the records: length, magic, codec, counts. The CRC isn't checked.
absl::StatusOr<BatchHeader> ParseBatchHeader(std::string_view bytes);

// Checks that `bytes` is exactly one intact batch of at most `bytes_max` bytes: ParseBatchHeader,
// no rest, CRC. The records themselves are not read.
absl::StatusOr<BatchHeader> ValidateBatch(std::string_view bytes,
                                          size_t bytes_max = kBatchBytesMax);

// Reads through all records of a batch that ValidateBatch accepted: they decode, are as many as
// declared, with offsets 0, 1, 2... and no timestamp above the declared maximum.
absl::Status ValidateRecords(std::string_view batch, const DecompressLimits& limits = {});

// Writes the broker's two fields in place. The CRC stays valid.
// Requires: `batch` holds at least kBatchHeaderBytes.
void PatchBatch(std::string& batch, int64_t base_offset, int32_t leader_epoch);

// Takes the first batch off `bytes`, a row of batches as a fetch returns them.
absl::StatusOr<std::string_view> TakeBatch(std::string_view& bytes);

// A named value beside a record's own; names may repeat, order is kept.
struct Header {
  std::string_view key;
  std::optional<std::string_view> value;  // nullopt: null
};

// One record, as views into memory of somebody else.
struct Record {
  int64_t offset = 0;                     // in the partition; ignored by BatchBuilder
  int64_t timestamp_ms = kNoTimestamp;    // milliseconds since 1970, at least 0, or kNoTimestamp
  std::optional<std::string_view> key;    // nullopt: null
  std::optional<std::string_view> value;  // nullopt: null
  std::span<const Header> headers;        // in order
};

// Bytes that a record takes in an uncompressed batch, at most.
size_t RecordBytesMax(const Record& record);

// Makes batches, one after the other. Not thread-safe. Holds at most `bytes_max` bytes.
class BatchBuilder {
 public:
  struct Options {
    Compression compression = Compression::kNone;
    int zstd_level = kZstdLevelDefault;   // 1..kZstdLevelMax
    size_t bytes_max = kBatchBytesMax;    // of the batch, before compression
  };

  explicit BatchBuilder(const Options& options);

  // Adds a record; its bytes are copied. Errors, with no effect: RESOURCE_EXHAUSTED when the batch
  // is full (Finish it and try again); INVALID_ARGUMENT when the record can't fit in any batch or
  // its timestamp is negative and not kNoTimestamp.
  absl::Status Append(const Record& record);

  bool empty() const { return count_ == 0; }
  int32_t count() const { return count_; }
  // Bytes of the batch if it were finished now without compression.
  size_t size_bytes() const { return buffer_.size(); }

  // The batch, with base offset 0, leader epoch -1 and no producer id. The builder is empty again.
  // Records that compression would not make smaller stay uncompressed. Requires: !empty().
  // Errors: those of Compress.
  absl::StatusOr<std::string> Finish();

 private:
  void Clear();

  const Options options_;
  std::string buffer_;  // room for the header, then the records
  int32_t count_ = 0;
  int64_t base_timestamp_ms_ = 0;
  int64_t max_timestamp_ms_ = kNoTimestamp;
};

// Reads the records of one batch, first to last. Not thread-safe; the batch must outlive it. A
// compressed batch is decompressed once, within limits; nothing else is allocated per record.
class RecordReader {
 public:
  // `batch` is one batch, as ValidateBatch accepts; its CRC isn't checked again.
  // Errors: those of ParseBatchHeader and Decompress.
  static absl::StatusOr<RecordReader> Open(std::string_view batch,
                                           const DecompressLimits& limits = {});

  const BatchHeader& header() const { return header_; }

  // Reads the next record into `record`, whose views hold until the next call or the reader's end.
  // False after the last. DATA_LOSS when the bytes are not the declared records; final.
  absl::StatusOr<bool> Next(Record& record);

 private:
  RecordReader(const BatchHeader& header, std::string_view batch)
      : header_(header), batch_(batch) {}

  std::string_view payload() const;
  absl::Status Damaged(std::string_view what) const;
  absl::Status ReadRecord(std::string_view bytes, Record& record);

  BatchHeader header_;
  std::string_view batch_;
  std::string decompressed_;  // the payload, when the batch is compressed
  size_t position_ = 0;       // in payload()
  int32_t records_read_ = 0;
  std::vector<Header> headers_;  // of the current record
};

}  // namespace bellwether::record
