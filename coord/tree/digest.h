#pragma once

#include <cstdint>
#include <string_view>

namespace bellwether::coord::tree {

// A 64-bit hash of a sequence of numbers and byte strings, the same on every machine and in every
// build; for comparing replicas, not against an adversary. A digest of a set is the sum of its
// members' hashes, so that members can be added and taken out in any order.
class Hasher {
 public:
  // The seed tells kinds of members apart.
  explicit Hasher(uint64_t seed) : state_(Mix(seed + kIncrement, kMultiplier)) {}

  Hasher& Number(uint64_t value) {
    state_ = Mix(state_ ^ value, kMultiplier) + value + kIncrement;
    return *this;
  }
  // Its length counts: ("ab", "c") and ("a", "bc") differ.
  Hasher& Bytes(std::string_view bytes);

  uint64_t Finish() const { return Mix(state_, kMultiplier ^ (state_ >> 32)); }

 private:
  static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  // Keeps a run of zeros from leaving the state where it is.
  static constexpr uint64_t kIncrement = 0xd1342543de82ef95;

  // Both halves of the 128-bit product, folded.
  static uint64_t Mix(uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  uint64_t state_;
};

}  // namespace bellwether::coord::tree
