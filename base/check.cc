#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace bellwether::base {

void CheckFailed(const char* file, int line, const char* condition, std::string_view detail) {
  fmt::print(stderr, "CHECK failed: {} at {}:{} {}\n", condition, file, line, detail);
  std::fflush(stderr);
  std::abort();
}

}  // namespace bellwether::base
