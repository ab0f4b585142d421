#include "tests/support/allocated_bytes.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local uint64_t allocated_bytes = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  allocated_bytes += bytes;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace bellwether::tests {

uint64_t AllocatedBytes() { return allocated_bytes; }

}  // namespace bellwether::tests
