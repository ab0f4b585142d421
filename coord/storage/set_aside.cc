#include "coord/storage/set_aside.h"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr size_t kKept = 2;

// Those that are there, by number.
absl::StatusOr<std::map<uint64_t, std::string>> DamagedLogs(const std::filesystem::path& log) {
  const std::string prefix = log.filename().string() + ".damaged-";
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   base::ListFolder(log.parent_path().string()));
  std::map<uint64_t, std::string> found;
  for (const std::string& name : names) {
    if (!name.starts_with(prefix)) continue;
    uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) {
      found.emplace(number, (log.parent_path() / name).string());
    }
  }
  return found;
}

}  // namespace

absl::StatusOr<std::string> SetLogAside(const std::string& log) {
  ASSIGN_OR_RETURN(auto damaged, DamagedLogs(log));
  const uint64_t number = damaged.empty() ? 1 : damaged.rbegin()->first + 1;
  std::string aside = fmt::format("{}.damaged-{}", log, number);
  if (std::rename(log.c_str(), aside.c_str()) != 0) return base::FileError("move", log, errno);
  RETURN_IF_ERROR(base::SyncFolder(std::filesystem::path(log).parent_path().string()));
  damaged.emplace(number, aside);
  for (; damaged.size() > kKept; damaged.erase(damaged.begin())) {
    std::error_code error;
    std::filesystem::remove_all(damaged.begin()->second, error);
    if (error) {
      LOG_WARN("an old damaged log stays path={} error=\"{}\"", damaged.begin()->second,
               error.message());
    }
  }
  return aside;
}

}  // namespace bellwether::coord
