#include "coord/peer/framing.h"

#include <algorithm>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kHeadBytes = kLengthBytes + kChecksumBytes + 1;

// A buffer that was larger is given back when it is empty.
constexpr size_t kKeptBytes = 256 << 10;

// A reason is for people to read.
constexpr size_t kReasonBytesMax = 4096;

// From the kind on.
uint32_t ChecksumOf(std::string_view record) {
  return base::Crc32c(record.substr(kLengthBytes + kChecksumBytes));
}

}  // namespace

size_t BeginRecord(std::string& out) {
  const size_t begin = out.size();
  out.append(kHeadBytes, '\0');
  return begin;
}

void CloseRecord(std::string& out, size_t begin, RecordKind kind) {
  out[begin + kHeadBytes - 1] = static_cast<char>(kind);
  std::string head;
  base::Encoder(head)
      .Fixed32(static_cast<uint32_t>(out.size() - begin - kHeadBytes))
      .Fixed32(ChecksumOf(std::string_view(out).substr(begin)));
  out.replace(begin, head.size(), head);
}

std::string EncodeEnd(const absl::Status& reason) {
  std::string payload;
  base::Encoder(payload)
      .Fixed32(static_cast<uint32_t>(reason.code()))
      .Raw(base::StdView(reason.message()).substr(0, kReasonBytesMax));
  return payload;
}

absl::Status DecodeEnd(std::string_view payload) {
  base::Decoder decoder(payload);
  const uint32_t code = decoder.Fixed32();
  const std::string_view message = decoder.rest().substr(0, kReasonBytesMax);
  const bool known = decoder.ok() && code > 0 &&
                     code <= static_cast<uint32_t>(absl::StatusCode::kUnauthenticated);
  return absl::Status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                      base::AbslView(message));
}

void RecordDecoder::Append(std::string_view bytes) {
  if (taken_ == buffer_.size()) {
    buffer_.clear();
    if (buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
  } else {
    buffer_.erase(0, taken_);  // less than a record, unless whoever asks leaves some
  }
  taken_ = 0;
  buffer_.append(bytes);
}

absl::StatusOr<std::optional<Record>> RecordDecoder::Next() {
  if (!begun_) {
    const size_t n = std::min(rest().size(), kPreamble.size());
    if (rest().substr(0, n) != kPreamble.substr(0, n)) {
      return absl::InvalidArgumentError("what came is not of a server's framed stream");
    }
    if (n < kPreamble.size()) return std::nullopt;
    begun_ = true;
    taken_ += n;
  }
  if (rest().size() < kHeadBytes) return std::nullopt;
  base::Decoder head(rest());
  const size_t length = head.Fixed32();
  const uint32_t checksum = head.Fixed32();
  const auto kind = static_cast<RecordKind>(head.Fixed8());
  if (length > kRecordPayloadMax) {
    return absl::InvalidArgumentError(
        fmt::format("a record of {} bytes; at most {}", length, kRecordPayloadMax));
  }
  if (kind != RecordKind::kBatch && kind != RecordKind::kEnd) {
    return absl::InvalidArgumentError("a record of an unknown kind");
  }
  if (head.remaining() < length) return std::nullopt;
  const std::string_view record = rest().substr(0, kHeadBytes + length);
  if (ChecksumOf(record) != checksum) {
    return absl::InvalidArgumentError("a record whose checksum is wrong");
  }
  taken_ += record.size();
  return Record{kind, record.substr(kHeadBytes)};
}

}  // namespace bellwether::coord
