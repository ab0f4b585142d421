#pragma once

#include <string>
#include <string_view>

#include "fmt/format.h"

namespace bellwether::base {

// Writes the message to stderr with the place and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view detail);

}  // namespace bellwether::base

// CHECK(condition) or CHECK(condition, "format {}", argument): a belief of the programmer, kept in
// release builds. Never on input from network, disk or user.
#define CHECK(condition, ...)                                         \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      ::bellwether::base::CheckFailed(__FILE__, __LINE__, #condition, \
                                      ::fmt::format("" __VA_ARGS__)); \
    }                                                                 \
  } while (false)
