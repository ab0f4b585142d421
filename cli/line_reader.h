#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bellwether::cli {

// Reads lines of any bytes. The last one may lack its newline; an empty line is a line.
class LineReader {
 public:
  // Not owned.
  explicit LineReader(std::FILE* file) : file_(file) {}
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its newline, valid until the next call; nullopt at the end.
  absl::StatusOr<std::optional<std::string_view>> Next();

 private:
  std::FILE* const file_;
  char* line_ = nullptr;  // getline's
  size_t capacity_ = 0;
};

}  // namespace bellwether::cli
