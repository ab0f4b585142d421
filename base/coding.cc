#include "base/coding.h"

namespace bellwether::base {
namespace {

template <typename T>
void AppendBigEndian(std::string& out, T value) {
  char bytes[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
  }
  out.append(bytes, sizeof(T));
}

uint64_t ReadBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace

Encoder& Encoder::Fixed8(uint8_t value) {
  out_.push_back(static_cast<char>(value));
  return *this;
}
Encoder& Encoder::Fixed16(uint16_t value) {
  AppendBigEndian(out_, value);
  return *this;
}
Encoder& Encoder::Fixed32(uint32_t value) {
  AppendBigEndian(out_, value);
  return *this;
}
Encoder& Encoder::Fixed64(uint64_t value) {
  AppendBigEndian(out_, value);
  return *this;
}
Encoder& Encoder::Varint(uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
  return *this;
}
Encoder& Encoder::Signed(int64_t value) {
  return Varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}
Encoder& Encoder::String(std::string_view value) {
  Varint(value.size());
  out_.append(value);
  return *this;
}
Encoder& Encoder::Raw(std::string_view value) {
  out_.append(value);
  return *this;
}

std::string_view Decoder::Take(size_t bytes) {
  if (!ok_ || bytes > rest_.size()) {
    ok_ = false;
    return {};
  }
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

uint8_t Decoder::Fixed8() { return static_cast<uint8_t>(ReadBigEndian(Take(1))); }
uint16_t Decoder::Fixed16() { return static_cast<uint16_t>(ReadBigEndian(Take(2))); }
uint32_t Decoder::Fixed32() { return static_cast<uint32_t>(ReadBigEndian(Take(4))); }
uint64_t Decoder::Fixed64() { return ReadBigEndian(Take(8)); }

uint64_t Decoder::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::string_view byte = Take(1);
    if (!ok_) return 0;
    const uint64_t group = static_cast<uint8_t>(byte[0]);
    if (shift == 63 && group > 1) break;  // above 64 bits
    value |= (group & 0x7f) << shift;
    if (group < 0x80) return value;
  }
  ok_ = false;
  return 0;
}

int64_t Decoder::Signed() {
  const uint64_t zigzag = Varint();
  return static_cast<int64_t>(zigzag >> 1) ^ -static_cast<int64_t>(zigzag & 1);
}

std::string_view Decoder::String() {
  const uint64_t size = Varint();
  return Take(size);
}

std::string_view Decoder::Raw(size_t bytes) { return Take(bytes); }

}  // namespace bellwether::base
