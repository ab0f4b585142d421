#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bellwether::coord {

// What two servers say to each other on a framed connection: in each direction a preamble, then records of
//   length of the payload (4 bytes, big-endian), CRC-32C of all that follows (4), kind (1), payload.

enum class RecordKind : uint8_t {
  kBatch = 1,  // a PeerBatch; an empty one only says that the speaker lives
  kEnd = 2,    // the last one: why the stream ends
};

// Not how HTTP/2 begins, from either side.
inline constexpr std::string_view kPreamble{"BWPEER\0\1", 8};
inline constexpr size_t kRecordPayloadMax = 8 << 20;

// Appends room for a record's head, and returns where it is. The payload is then appended, and the
// record closed.
size_t BeginRecord(std::string& out);
void CloseRecord(std::string& out, size_t begin, RecordKind kind);

// The payload of kEnd: a code and a message. Not OK, whatever comes.
std::string EncodeEnd(const absl::Status& reason);
absl::Status DecodeEnd(std::string_view payload);

struct Record {
  RecordKind kind;
  std::string_view payload;
};

// Cuts what comes on a connection, in pieces of any size, into records. Nobody vouches for the bytes:
// memory grows only as they come, up to one record and a piece. Knows nothing of payloads. Not
// thread-safe.
class RecordDecoder {
 public:
  void Append(std::string_view bytes);

  // The next record, valid until the next call; nothing until all of it has come. INVALID_ARGUMENT
  // when what came is not one: then no further one is to be asked for.
  absl::StatusOr<std::optional<Record>> Next();

  // The preamble has come: this is the protocol.
  bool begun() const { return begun_; }

  // That it holds on to.
  size_t memory_bytes() const { return buffer_.capacity(); }

 private:
  std::string_view rest() const { return std::string_view(buffer_).substr(taken_); }

  bool begun_ = false;
  std::string buffer_;
  size_t taken_ = 0;  // of buffer_
};

}  // namespace bellwether::coord
