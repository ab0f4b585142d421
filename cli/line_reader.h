#pragma once

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bellwether::cli {

// Reads lines of any bytes. The last one may lack its newline; an empty line is a line. Gives each
// as soon as it can be read.
class LineReader {
 public:
  static constexpr size_t kLineBytesMax = size_t{64} << 20;

  // Not owned; nothing was read from it with stdio.
  explicit LineReader(std::FILE* file, size_t line_bytes_max = kLineBytesMax)
      : file_(file), line_bytes_max_(line_bytes_max) {}
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its newline, valid until the next call; nullopt at the end. Errors, after
  // which no call makes sense: INVALID_ARGUMENT for a longer line; INTERNAL.
  absl::StatusOr<std::optional<std::string_view>> Next();

 private:
  std::FILE* const file_;
  const size_t line_bytes_max_;
  std::string line_;            // the part of it that came before what is in read_
  std::string_view unused_;     // of read_
  char read_[65536];
};

}  // namespace bellwether::cli
