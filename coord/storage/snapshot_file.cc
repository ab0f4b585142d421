#include "coord/storage/snapshot_file.h"

#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "fmt/format.h"
#include "zstd.h"

namespace bellwether::coord {
namespace {

constexpr std::string_view kMagic = "BELLSNAP";
constexpr uint8_t kFormatVersion = 1;
constexpr int kPackLevel = 1;
constexpr size_t kSumBytes = 4;
constexpr size_t kHeaderFrontBytes = 13;  // magic, format, length of the body
constexpr size_t kHeaderBodyBytesMax = 1 << 20;

constexpr uint8_t kChunk = 1;
constexpr uint8_t kEnd = 2;
constexpr size_t kChunkFrontBytes = 13;
constexpr size_t kEndBytes = 17;

constexpr size_t kVarintBytesMax = 10;
constexpr size_t kRawBytesMax = kSnapshotChunkBytes + kSnapshotRecordBytesMax + kVarintBytesMax;
constexpr size_t kPackedBytesMax = ZSTD_COMPRESSBOUND(kRawBytesMax);

}  // namespace

// --- Writing

// A compression context, kept for all chunks.
class SnapshotFileWriter::Packer {
 public:
  Packer() : context_(ZSTD_createCCtx()) { CHECK(context_ != nullptr, "out of memory"); }
  ~Packer() { ZSTD_freeCCtx(context_); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  std::string Pack(std::string_view raw) {
    std::string packed(ZSTD_compressBound(raw.size()), '\0');
    const size_t bytes = ZSTD_compressCCtx(context_, packed.data(), packed.size(), raw.data(),
                                           raw.size(), kPackLevel);
    CHECK(!ZSTD_isError(bytes), "zstd: {}", ZSTD_getErrorName(bytes));
    packed.resize(bytes);
    return packed;
  }

 private:
  ZSTD_CCtx* const context_;
};

SnapshotFileWriter::SnapshotFileWriter(base::File& file)
    : file_(file), packer_(std::make_unique<Packer>()) {}

SnapshotFileWriter::~SnapshotFileWriter() = default;

absl::Status SnapshotFileWriter::WriteHeader(const raft::SnapshotMeta& meta) {
  std::string body;
  base::Encoder(body)
      .Fixed64(meta.index.value())
      .Fixed64(meta.term.value())
      .Raw(raft::Encode(meta.membership));
  if (body.size() > kHeaderBodyBytesMax) {
    return absl::InvalidArgumentError(fmt::format("a membership of {} bytes, at most {} fit",
                                                  body.size(), kHeaderBodyBytesMax));
  }
  std::string header;
  base::Encoder(header)
      .Raw(kMagic)
      .Fixed8(kFormatVersion)
      .Fixed32(static_cast<uint32_t>(body.size()))
      .Raw(body);
  return WritePiece(std::move(header));
}

absl::Status SnapshotFileWriter::Append(std::string_view record) {
  if (record.size() > kSnapshotRecordBytesMax) {
    return absl::InvalidArgumentError(fmt::format("a record of {} bytes, at most {} fit",
                                                  record.size(), kSnapshotRecordBytesMax));
  }
  base::Encoder(raw_).String(record);
  ++chunk_records_;
  return raw_.size() < kSnapshotChunkBytes ? absl::OkStatus() : WriteChunk();
}

absl::Status SnapshotFileWriter::WriteChunk() {
  const std::string packed = packer_->Pack(raw_);
  std::string chunk;
  chunk.reserve(kChunkFrontBytes + packed.size() + kSumBytes);
  base::Encoder(chunk)
      .Fixed8(kChunk)
      .Fixed32(chunk_records_)
      .Fixed32(static_cast<uint32_t>(raw_.size()))
      .Fixed32(static_cast<uint32_t>(packed.size()))
      .Raw(packed);
  ++chunks_;
  records_ += chunk_records_;
  chunk_records_ = 0;
  raw_.clear();
  return WritePiece(std::move(chunk));
}

absl::Status SnapshotFileWriter::WriteEnd() {
  if (chunk_records_ > 0) RETURN_IF_ERROR(WriteChunk());
  std::string end;
  base::Encoder(end).Fixed8(kEnd).Fixed64(chunks_).Fixed64(records_);
  return WritePiece(std::move(end));
}

absl::Status SnapshotFileWriter::WritePiece(std::string piece) {
  sum_ = base::Crc32c(piece, sum_);
  base::Encoder(piece).Fixed32(sum_);
  RETURN_IF_ERROR(file_.Append(piece));
  file_bytes_ += piece.size();
  return absl::OkStatus();
}

// --- Reading

class SnapshotFileReader::Unpacker {
 public:
  Unpacker() : context_(ZSTD_createDCtx()) { CHECK(context_ != nullptr, "out of memory"); }
  ~Unpacker() { ZSTD_freeDCtx(context_); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // False when `packed` is not exactly raw_bytes bytes, packed.
  bool Unpack(std::string_view packed, size_t raw_bytes, std::string& raw) {
    raw.resize(raw_bytes);
    const size_t bytes =
        ZSTD_decompressDCtx(context_, raw.data(), raw.size(), packed.data(), packed.size());
    return !ZSTD_isError(bytes) && bytes == raw_bytes;
  }

 private:
  ZSTD_DCtx* const context_;
};

SnapshotFileReader::SnapshotFileReader(std::unique_ptr<base::File> file)
    : file_(std::move(file)), unpacker_(std::make_unique<Unpacker>()) {}

SnapshotFileReader::~SnapshotFileReader() = default;

absl::StatusOr<std::unique_ptr<SnapshotFileReader>> SnapshotFileReader::Open(
    std::unique_ptr<base::File> file) {
  std::unique_ptr<SnapshotFileReader> reader(new SnapshotFileReader(std::move(file)));
  RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

absl::Status SnapshotFileReader::ReadHeader() {
  ASSIGN_OR_RETURN(file_bytes_, file_->Size());
  std::string header;
  RETURN_IF_ERROR(ReadMore(kHeaderFrontBytes, header));
  base::Decoder front(header);
  if (front.Raw(kMagic.size()) != kMagic) return Damaged("it is no snapshot file");
  if (const uint8_t format = front.Fixed8(); format != kFormatVersion) {
    return absl::UnimplementedError(
        fmt::format("snapshot '{}' is of format {}, this program knows {}; use a newer one",
                    file_->path(), format, kFormatVersion));
  }
  const uint32_t body_bytes = front.Fixed32();
  if (body_bytes > kHeaderBodyBytesMax) return Damaged("its header is too long");
  RETURN_IF_ERROR(ReadMore(body_bytes, header));
  RETURN_IF_ERROR(ReadSum(header));
  base::Decoder body(std::string_view(header).substr(kHeaderFrontBytes));
  meta_.index = raft::LogIndex(body.Fixed64());
  meta_.term = raft::Term(body.Fixed64());
  if (!body.ok() || meta_.index == raft::LogIndex()) return Damaged("its header says nothing");
  absl::StatusOr<raft::Membership> membership = raft::DecodeMembership(body.rest());
  if (absl::IsDataLoss(membership.status())) return Damaged("its membership can't be read");
  if (!membership.ok()) {
    return base::Annotate(membership.status(), fmt::format("snapshot '{}'", file_->path()));
  }
  meta_.membership = *std::move(membership);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string_view>> SnapshotFileReader::Next() {
  while (rest_records_ == 0) {
    if (!rest_.empty()) return Damaged("a chunk holds more than its records");
    ASSIGN_OR_RETURN(const bool more, ReadPiece(piece_));
    if (!more) return std::optional<std::string_view>();
    RETURN_IF_ERROR(Unpack());
  }
  base::Decoder decoder(rest_);
  const std::string_view record = decoder.String();
  if (!decoder.ok() || record.size() > kSnapshotRecordBytesMax) {
    return Damaged("a record is cut short");
  }
  rest_ = decoder.rest();
  --rest_records_;
  return std::optional<std::string_view>(record);
}

absl::StatusOr<bool> SnapshotFileReader::SkipPiece() { return ReadPiece(piece_); }

absl::StatusOr<bool> SnapshotFileReader::ReadPiece(std::string& piece) {
  if (ended_) return false;
  piece.clear();
  RETURN_IF_ERROR(ReadMore(kChunkFrontBytes, piece));
  ASSIGN_OR_RETURN(const size_t bytes, PieceBytes(piece));
  RETURN_IF_ERROR(ReadMore(bytes - piece.size(), piece));
  RETURN_IF_ERROR(ReadSum(piece));
  if (piece[0] == kEnd) {
    RETURN_IF_ERROR(CheckEnd(piece));
    ended_ = true;
    return false;
  }
  ++chunks_;
  base::Decoder front(std::string_view(piece).substr(1));
  records_ += front.Fixed32();
  return true;
}

// Of a piece that begins so, without its sum.
absl::StatusOr<size_t> SnapshotFileReader::PieceBytes(std::string_view front) const {
  base::Decoder decoder(front);
  const uint8_t kind = decoder.Fixed8();
  if (kind == kEnd) return kEndBytes;
  if (kind != kChunk) return Damaged("an unknown piece");
  decoder.Fixed32();
  const uint32_t raw_bytes = decoder.Fixed32();
  const uint32_t packed_bytes = decoder.Fixed32();
  if (raw_bytes > kRawBytesMax || packed_bytes > kPackedBytesMax) {
    return Damaged("a chunk is too long");
  }
  return kChunkFrontBytes + packed_bytes;
}

absl::Status SnapshotFileReader::CheckEnd(std::string_view piece) const {
  base::Decoder decoder(piece.substr(1));
  const uint64_t chunks = decoder.Fixed64();
  const uint64_t records = decoder.Fixed64();
  if (chunks != chunks_ || records != records_) return Damaged("its end names other counts");
  if (position_ != file_bytes_) return Damaged("something follows its end");
  return absl::OkStatus();
}

absl::Status SnapshotFileReader::Unpack() {
  base::Decoder decoder(std::string_view(piece_).substr(1));
  rest_records_ = decoder.Fixed32();
  const uint32_t raw_bytes = decoder.Fixed32();
  decoder.Fixed32();
  if (!unpacker_->Unpack(decoder.rest(), raw_bytes, raw_)) {
    return Damaged("a chunk can't be unpacked");
  }
  rest_ = raw_;
  return absl::OkStatus();
}

absl::Status SnapshotFileReader::ReadMore(size_t bytes, std::string& out) {
  if (bytes > file_bytes_ - position_) return Damaged("it is cut short");
  RETURN_IF_ERROR(file_->ReadAt(position_, bytes, read_));
  if (read_.size() != bytes) return Damaged("it is cut short");
  out.append(read_);
  position_ += bytes;
  return absl::OkStatus();
}

absl::Status SnapshotFileReader::ReadSum(std::string_view piece) {
  std::string stored;
  RETURN_IF_ERROR(ReadMore(kSumBytes, stored));
  sum_ = base::Crc32c(piece, sum_);
  if (base::Decoder(stored).Fixed32() != sum_) return Damaged("a checksum is wrong");
  whole_bytes_ = position_;
  return absl::OkStatus();
}

absl::Status SnapshotFileReader::Damaged(std::string_view why) const {
  return absl::DataLossError(
      fmt::format("snapshot '{}' is damaged at byte {} of {}: {}; use another one", file_->path(),
                  position_, file_bytes_, why));
}

// --- Verifying

absl::StatusOr<SnapshotInfo> VerifySnapshot(SnapshotFileReader& reader) {
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> record, reader.Next());
    if (!record.has_value()) return SnapshotInfo{reader.meta(), reader.file_bytes()};
  }
}

absl::StatusOr<SnapshotInfo> VerifySnapshotFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<base::File> file, base::OpenFile(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<SnapshotFileReader> reader,
                   SnapshotFileReader::Open(std::move(file)));
  return VerifySnapshot(*reader);
}

}  // namespace bellwether::coord
