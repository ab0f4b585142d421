#include "cli/line_reader.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "fmt/format.h"

namespace bellwether::cli {

LineReader::~LineReader() { std::free(line_); }

absl::StatusOr<std::optional<std::string_view>> LineReader::Next() {
  const ssize_t size = getline(&line_, &capacity_, file_);
  if (size < 0) {
    if (std::ferror(file_) != 0) {
      return absl::InternalError(fmt::format("cannot read the input: {}", std::strerror(errno)));
    }
    return std::nullopt;
  }
  std::string_view line(line_, static_cast<size_t>(size));
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  return line;
}

}  // namespace bellwether::cli
