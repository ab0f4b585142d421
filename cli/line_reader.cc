#include "cli/line_reader.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace bellwether::cli {

absl::StatusOr<std::optional<std::string_view>> LineReader::Next() {
  line_.clear();
  while (true) {
    const size_t newline = unused_.find('\n');
    const std::string_view part = unused_.substr(0, newline);
    if (line_.size() + part.size() > line_bytes_max_) {
      return absl::InvalidArgumentError(
          fmt::format("a line of the input is longer than {} bytes; split it", line_bytes_max_));
    }
    line_ += part;
    unused_.remove_prefix(part.size());
    if (newline != std::string_view::npos) {
      unused_.remove_prefix(1);
      return std::string_view(line_);
    }
    const ssize_t size = read(fileno(file_), read_, sizeof(read_));
    if (size < 0) {
      if (errno == EINTR) continue;
      return absl::InternalError(
          fmt::format("cannot read the input: {}; give one that can be read", std::strerror(errno)));
    }
    if (size == 0) {
      if (line_.empty()) return std::nullopt;
      return std::string_view(line_);
    }
    unused_ = std::string_view(read_, static_cast<size_t>(size));
  }
}

}  // namespace bellwether::cli
