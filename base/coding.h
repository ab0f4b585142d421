#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bellwether::base {

// Appends values to a string. Fixed-width integers are big-endian, so that keys sort by value;
// varints are base-128, low group first (as protobuf's); strings carry a varint length.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  Encoder& Fixed8(uint8_t value);
  Encoder& Fixed16(uint16_t value);
  Encoder& Fixed32(uint32_t value);
  Encoder& Fixed64(uint64_t value);
  Encoder& Varint(uint64_t value);
  Encoder& Signed(int64_t value);  // zigzag varint
  Encoder& String(std::string_view value);
  Encoder& Raw(std::string_view value);

 private:
  std::string& out_;
};

// Reads what Encoder wrote, from bytes that nobody vouches for: after the first value that is not
// there, every read returns zero or an empty view and ok() is false. Never allocates. Views point
// into the input.
class Decoder {
 public:
  explicit Decoder(std::string_view input) : rest_(input) {}

  uint8_t Fixed8();
  uint16_t Fixed16();
  uint32_t Fixed32();
  uint64_t Fixed64();
  uint64_t Varint();
  int64_t Signed();
  std::string_view String();
  std::string_view Raw(size_t bytes);

  bool ok() const { return ok_; }
  // True when everything was read and was there.
  bool Done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }
  size_t remaining() const { return rest_.size(); }

 private:
  std::string_view Take(size_t bytes);

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace bellwether::base
