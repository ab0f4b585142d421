#pragma once

#include <cstdint>

namespace bellwether::tests {

// All bytes that this thread ever allocated with new, freed ones included. Whoever links this has
// the whole program's operator new replaced by one that counts.
uint64_t AllocatedBytes();

}  // namespace bellwether::tests
