#include "base/uuid.h"

#include "base/coding.h"
#include "base/random.h"
#include "fmt/format.h"

namespace bellwether::base {

Uuid Uuid::FromRandom(uint64_t high, uint64_t low) {
  return Uuid((high & ~0xf000ULL) | 0x4000ULL, (low & ~(3ULL << 62)) | (2ULL << 62));
}

Uuid Uuid::Generate() { return FromRandom(SystemRandom(), SystemRandom()); }

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  uint64_t words[2] = {0, 0};
  int digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return std::nullopt;
      continue;
    }
    int digit;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else {
      return std::nullopt;
    }
    words[digits / 16] = words[digits / 16] << 4 | static_cast<uint64_t>(digit);
    ++digits;
  }
  return Uuid(words[0], words[1]);
}

std::optional<Uuid> Uuid::FromBytes(std::string_view bytes) {
  if (bytes.size() != 16) return std::nullopt;
  Decoder decoder(bytes);
  const uint64_t high = decoder.Fixed64();
  return Uuid(high, decoder.Fixed64());
}

std::string Uuid::ToString() const {
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high_ >> 32, high_ >> 16 & 0xffff,
                     high_ & 0xffff, low_ >> 48, low_ & 0xffffffffffffULL);
}

std::string Uuid::Bytes() const {
  std::string bytes;
  Encoder(bytes).Fixed64(high_).Fixed64(low_);
  return bytes;
}

}  // namespace bellwether::base
