#include "base/record/record_batch.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::record {
namespace {

constexpr size_t kLengthEnd = 12;    // base offset and length field: not counted by the length
constexpr size_t kCrcBegin = 21;     // where the bytes covered by the CRC begin
constexpr uint8_t kMagic = 2;
constexpr uint16_t kKnownAttributes = 0x7f;

bool IsKnownCodec(uint16_t attributes) {
  const int codec = attributes & 0x7;
  return codec == static_cast<int>(Compression::kNone) ||
         codec == static_cast<int>(Compression::kLz4) ||
         codec == static_cast<int>(Compression::kZstd);
}

absl::Status CutOff(size_t wanted, size_t got) {
  return absl::DataLossError(
      fmt::format("record batch is cut off: {} bytes expected, {} received", wanted, got));
}

absl::Status NotAcceptable(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("record batch not acceptable: {}", what));
}

// Bytes of a zigzag varint.
size_t SignedBytes(int64_t value) {
  uint64_t zigzag = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  size_t bytes = 1;
  for (; zigzag >= 0x80; zigzag >>= 7) ++bytes;
  return bytes;
}

size_t NullableBytes(const std::optional<std::string_view>& value) {
  return value ? SignedBytes(static_cast<int64_t>(value->size())) + value->size() : 1;
}

// Bytes of a record after its length field.
size_t BodyBytes(const Record& record, int64_t timestamp_delta, int32_t offset_delta) {
  size_t bytes = 1 + SignedBytes(timestamp_delta) + SignedBytes(offset_delta) +
                 NullableBytes(record.key) + NullableBytes(record.value) +
                 SignedBytes(static_cast<int64_t>(record.headers.size()));
  for (const Header& header : record.headers) {
    bytes += NullableBytes(header.key) + NullableBytes(header.value);
  }
  return bytes;
}

void EncodeNullable(const std::optional<std::string_view>& value, base::Encoder& encoder) {
  if (!value) {
    encoder.Signed(-1);
    return;
  }
  encoder.Signed(static_cast<int64_t>(value->size())).Raw(*value);
}

void EncodeBody(const Record& record, int64_t timestamp_delta, int32_t offset_delta,
                base::Encoder& encoder) {
  encoder.Fixed8(0).Signed(timestamp_delta).Signed(offset_delta);
  EncodeNullable(record.key, encoder);
  EncodeNullable(record.value, encoder);
  encoder.Signed(static_cast<int64_t>(record.headers.size()));
  for (const Header& header : record.headers) {
    EncodeNullable(header.key, encoder);
    EncodeNullable(header.value, encoder);
  }
}

// False when the length is neither -1 nor that of bytes that are there.
bool DecodeNullable(base::Decoder& decoder, std::optional<std::string_view>& value) {
  const int64_t length = decoder.Signed();
  if (length == -1) {
    value = std::nullopt;
    return decoder.ok();
  }
  if (length < 0 || static_cast<uint64_t>(length) > decoder.remaining()) return false;
  value = decoder.Raw(static_cast<size_t>(length));
  return decoder.ok();
}

}  // namespace

absl::StatusOr<BatchHeader> ParseBatchHeader(std::string_view bytes) {
  if (bytes.size() < kBatchHeaderBytes) return CutOff(kBatchHeaderBytes, bytes.size());
  base::Decoder decoder(bytes);
  BatchHeader header;
  header.base_offset = static_cast<int64_t>(decoder.Fixed64());
  const int32_t length = static_cast<int32_t>(decoder.Fixed32());
  header.leader_epoch = static_cast<int32_t>(decoder.Fixed32());
  const uint8_t magic = decoder.Fixed8();
  if (magic != kMagic) {
    return NotAcceptable(fmt::format("format {} instead of {}", magic, kMagic));
  }
  header.crc = decoder.Fixed32();
  header.attributes = decoder.Fixed16();
  header.last_offset_delta = static_cast<int32_t>(decoder.Fixed32());
  header.base_timestamp_ms = static_cast<int64_t>(decoder.Fixed64());
  header.max_timestamp_ms = static_cast<int64_t>(decoder.Fixed64());
  header.producer_id = static_cast<int64_t>(decoder.Fixed64());
  header.producer_epoch = static_cast<int16_t>(decoder.Fixed16());
  header.base_sequence = static_cast<int32_t>(decoder.Fixed32());
  header.record_count = static_cast<int32_t>(decoder.Fixed32());
  if (length < static_cast<int32_t>(kBatchHeaderBytes - kLengthEnd)) {
    return NotAcceptable(fmt::format("length field {}", length));
  }
  header.size_bytes = static_cast<size_t>(length) + kLengthEnd;
  if (header.size_bytes > bytes.size()) return CutOff(header.size_bytes, bytes.size());
  if ((header.attributes & ~kKnownAttributes) != 0 || !IsKnownCodec(header.attributes)) {
    return NotAcceptable(
        fmt::format("attributes {:#x}; compression must be none, lz4 or zstd", header.attributes));
  }
  if (header.record_count < 1 || header.last_offset_delta != header.record_count - 1) {
    return NotAcceptable(fmt::format("{} records with a last offset delta of {}",
                                     header.record_count, header.last_offset_delta));
  }
  if (header.base_timestamp_ms < kNoTimestamp || header.max_timestamp_ms < kNoTimestamp) {
    return NotAcceptable("negative timestamp");
  }
  return header;
}

absl::StatusOr<BatchHeader> ValidateBatch(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() > bytes_max) {
    return NotAcceptable(fmt::format("{} bytes, more than the {} allowed; send smaller batches",
                                     bytes.size(), bytes_max));
  }
  ASSIGN_OR_RETURN(BatchHeader header, ParseBatchHeader(bytes));
  if (header.size_bytes != bytes.size()) {
    return NotAcceptable(
        fmt::format("{} bytes after the batch", bytes.size() - header.size_bytes));
  }
  const uint32_t crc = base::Crc32c(bytes.substr(kCrcBegin));
  if (crc != header.crc) {
    return absl::DataLossError(fmt::format(
        "record batch is damaged: its CRC-32C is {:#010x}, {:#010x} expected", crc, header.crc));
  }
  return header;
}

absl::Status ValidateRecords(std::string_view batch, const DecompressLimits& limits) {
  ASSIGN_OR_RETURN(RecordReader reader, RecordReader::Open(batch, limits));
  Record record;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader.Next(record));
    if (!more) return absl::OkStatus();
    if (record.timestamp_ms > reader.header().max_timestamp_ms) {
      return NotAcceptable(fmt::format("record {} is later than the batch's maximum timestamp",
                                       record.offset - reader.header().base_offset));
    }
  }
}

void PatchBatch(std::string& batch, int64_t base_offset, int32_t leader_epoch) {
  CHECK(batch.size() >= kBatchHeaderBytes);
  std::string fields;
  base::Encoder(fields).Fixed64(static_cast<uint64_t>(base_offset));
  batch.replace(0, 8, fields);
  fields.clear();
  base::Encoder(fields).Fixed32(static_cast<uint32_t>(leader_epoch));
  batch.replace(kLengthEnd, 4, fields);
}

absl::StatusOr<std::string_view> TakeBatch(std::string_view& bytes) {
  ASSIGN_OR_RETURN(const BatchHeader header, ParseBatchHeader(bytes));
  const std::string_view batch = bytes.substr(0, header.size_bytes);
  bytes.remove_prefix(header.size_bytes);
  return batch;
}

size_t RecordBytesMax(const Record& record) {
  constexpr size_t kLengthBytesMax = 5;
  return kLengthBytesMax + BodyBytes(record, INT64_MAX, INT32_MAX);
}

BatchBuilder::BatchBuilder(const Options& options) : options_(options) { Clear(); }

void BatchBuilder::Clear() {
  buffer_.assign(kBatchHeaderBytes, '\0');
  count_ = 0;
  base_timestamp_ms_ = 0;
  max_timestamp_ms_ = kNoTimestamp;
}

absl::Status BatchBuilder::Append(const Record& record) {
  if (record.timestamp_ms < kNoTimestamp) {
    return absl::InvalidArgumentError(
        fmt::format("record timestamp {} is negative", record.timestamp_ms));
  }
  const int64_t base_timestamp_ms = empty() ? record.timestamp_ms : base_timestamp_ms_;
  const int64_t timestamp_delta = record.timestamp_ms - base_timestamp_ms;
  const size_t body_bytes = BodyBytes(record, timestamp_delta, count_);
  const size_t record_bytes = SignedBytes(static_cast<int64_t>(body_bytes)) + body_bytes;
  if (buffer_.size() + record_bytes > options_.bytes_max) {
    if (empty() || kBatchHeaderBytes + RecordBytesMax(record) > options_.bytes_max) {
      return absl::InvalidArgumentError(
          fmt::format("record of {} bytes is larger than a batch may be ({} bytes)", record_bytes,
                      options_.bytes_max));
    }
    return absl::ResourceExhaustedError("record batch is full");
  }
  base::Encoder encoder(buffer_);
  encoder.Signed(static_cast<int64_t>(body_bytes));
  EncodeBody(record, timestamp_delta, count_, encoder);
  base_timestamp_ms_ = base_timestamp_ms;
  max_timestamp_ms_ = std::max(max_timestamp_ms_, record.timestamp_ms);
  ++count_;
  return absl::OkStatus();
}

absl::StatusOr<std::string> BatchBuilder::Finish() {
  CHECK(!empty());
  std::string batch;
  Compression compression = options_.compression;
  if (compression != Compression::kNone) {
    batch.assign(kBatchHeaderBytes, '\0');
    const std::string_view records = std::string_view(buffer_).substr(kBatchHeaderBytes);
    RETURN_IF_ERROR(Compress(compression, options_.zstd_level, records, batch));
  }
  if (compression == Compression::kNone || batch.size() >= buffer_.size()) {
    compression = Compression::kNone;
    batch = std::move(buffer_);
  }
  std::string covered;
  base::Encoder(covered)
      .Fixed16(static_cast<uint16_t>(compression))
      .Fixed32(static_cast<uint32_t>(count_ - 1))
      .Fixed64(static_cast<uint64_t>(base_timestamp_ms_))
      .Fixed64(static_cast<uint64_t>(max_timestamp_ms_))
      .Fixed64(UINT64_MAX)   // no producer id
      .Fixed16(UINT16_MAX)   // no producer epoch
      .Fixed32(UINT32_MAX)   // no sequence
      .Fixed32(static_cast<uint32_t>(count_));
  batch.replace(kCrcBegin, covered.size(), covered);
  const uint32_t crc = base::Crc32c(std::string_view(batch).substr(kCrcBegin));
  std::string front;
  base::Encoder(front)
      .Fixed64(0)
      .Fixed32(static_cast<uint32_t>(batch.size() - kLengthEnd))
      .Fixed32(UINT32_MAX)  // leader epoch -1
      .Fixed8(kMagic)
      .Fixed32(crc);
  batch.replace(0, front.size(), front);
  Clear();
  return batch;
}

absl::StatusOr<RecordReader> RecordReader::Open(std::string_view batch,
                                                const DecompressLimits& limits) {
  ASSIGN_OR_RETURN(const BatchHeader header, ParseBatchHeader(batch));
  RecordReader reader(header, batch.substr(0, header.size_bytes));
  if (header.compression() != Compression::kNone) {
    const std::string_view records = reader.batch_.substr(kBatchHeaderBytes);
    RETURN_IF_ERROR(Decompress(header.compression(), records, limits, reader.decompressed_));
  }
  return reader;
}

std::string_view RecordReader::payload() const {
  if (header_.compression() == Compression::kNone) return batch_.substr(kBatchHeaderBytes);
  return decompressed_;
}

absl::Status RecordReader::Damaged(std::string_view what) const {
  return absl::DataLossError(fmt::format("record {} of {} in a batch is damaged: {}",
                                         records_read_ + 1, header_.record_count, what));
}

absl::StatusOr<bool> RecordReader::Next(Record& record) {
  const std::string_view rest = payload().substr(position_);
  if (records_read_ == header_.record_count) {
    if (!rest.empty()) return Damaged("bytes after the last record");
    return false;
  }
  base::Decoder decoder(rest);
  const int64_t length = decoder.Signed();
  if (!decoder.ok() || length < 0 || static_cast<uint64_t>(length) > decoder.remaining()) {
    return Damaged("its length goes beyond the batch");
  }
  RETURN_IF_ERROR(ReadRecord(decoder.Raw(static_cast<size_t>(length)), record));
  position_ += rest.size() - decoder.remaining();
  ++records_read_;
  return true;
}

absl::Status RecordReader::ReadRecord(std::string_view bytes, Record& record) {
  base::Decoder decoder(bytes);
  decoder.Fixed8();  // attributes: none is defined
  const int64_t timestamp_delta = decoder.Signed();
  const int64_t offset_delta = decoder.Signed();
  if (offset_delta != records_read_) return Damaged("its offset is out of order");
  if (__builtin_add_overflow(header_.base_timestamp_ms, timestamp_delta, &record.timestamp_ms)) {
    return Damaged("its timestamp overflows");
  }
  record.offset = header_.base_offset + offset_delta;
  if (!DecodeNullable(decoder, record.key)) return Damaged("its key");
  if (!DecodeNullable(decoder, record.value)) return Damaged("its value");
  const int64_t header_count = decoder.Signed();
  // A header takes two bytes at least, so a count beyond that is a lie.
  if (header_count < 0 || static_cast<uint64_t>(header_count) > decoder.remaining() / 2) {
    return Damaged("its header count");
  }
  headers_.clear();
  for (int64_t i = 0; i < header_count; ++i) {
    std::optional<std::string_view> key;
    Header& header = headers_.emplace_back();
    if (!DecodeNullable(decoder, key) || !key) return Damaged("the key of a header");
    if (!DecodeNullable(decoder, header.value)) return Damaged("the value of a header");
    header.key = *key;
  }
  record.headers = headers_;
  return decoder.Done() ? absl::OkStatus() : Damaged("its length");
}

}  // namespace bellwether::record
