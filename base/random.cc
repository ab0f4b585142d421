#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace bellwether::base {
namespace {

uint64_t RotateLeft(uint64_t x, int count) { return (x << count) | (x >> (64 - count)); }

// splitmix64: spreads a seed over the state.
uint64_t Spread(uint64_t& x) {
  uint64_t z = (x += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = Spread(seed);
}

uint64_t Random::Next() {
  const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = RotateLeft(state_[3], 45);
  return result;
}

uint64_t Random::Below(uint64_t bound) {
  CHECK(bound > 0);
  return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
}

int64_t Random::Between(int64_t first, int64_t last) {
  CHECK(first <= last);
  // Unsigned, since the distance may not fit a signed integer.
  const uint64_t distance = static_cast<uint64_t>(last) - static_cast<uint64_t>(first);
  const uint64_t offset = distance == UINT64_MAX ? Next() : Below(distance + 1);
  return static_cast<int64_t>(static_cast<uint64_t>(first) + offset);
}

bool Random::Chance(double probability) {
  return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability;
}

uint64_t SystemRandom() {
  uint64_t value = 0;
  CHECK(getrandom(&value, sizeof(value), 0) == sizeof(value));
  return value;
}

}  // namespace bellwether::base
