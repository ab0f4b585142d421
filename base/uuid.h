#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bellwether::base {

// A random 128-bit identifier (RFC 4122, version 4). All zero = none.
class Uuid {
 public:
  Uuid() = default;
  Uuid(uint64_t high, uint64_t low) : high_(high), low_(low) {}

  // Two random words made into a valid version 4 identifier.
  static Uuid FromRandom(uint64_t high, uint64_t low);
  // From the operating system's randomness.
  static Uuid Generate();
  // From 36 characters "8-4-4-4-12"; nullopt for anything else.
  static std::optional<Uuid> Parse(std::string_view text);
  // From 16 bytes as Bytes() gives; nullopt for any other length.
  static std::optional<Uuid> FromBytes(std::string_view bytes);

  std::string ToString() const;
  std::string Bytes() const;  // 16 bytes, big-endian
  bool IsNil() const { return high_ == 0 && low_ == 0; }
  uint64_t high() const { return high_; }
  uint64_t low() const { return low_; }

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine(std::move(h), id.high_, id.low_);
  }

 private:
  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

}  // namespace bellwether::base
