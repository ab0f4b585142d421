#pragma once

#include <cstdint>

namespace bellwether::base {

// A small fast generator (xoshiro256**, Blackman and Vigna 2018): the same seed gives the same
// numbers on every machine. Not for secrets. Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t Next();

  // Uniform in [0, bound). Requires: bound > 0.
  uint64_t Below(uint64_t bound);

  // Uniform in [first, last], both inclusive. Requires: first <= last.
  int64_t Between(int64_t first, int64_t last);

  // True with the given probability in [0, 1].
  bool Chance(double probability);

 private:
  uint64_t state_[4];
};

// 64 bits from the operating system, for seeds and unique ids.
uint64_t SystemRandom();

}  // namespace bellwether::base
