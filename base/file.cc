#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

// Closes on destruction.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

absl::Status FileError(std::string_view action, const std::string& path, int error) {
  const std::string message =
      fmt::format("cannot {} '{}': {}", action, path, std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message + "; give this user access or choose another path");
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message + "; free some space on that disk");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::UnavailableError(message +
                                    "; this may pass: try again, or raise the limits of this user");
    case EEXIST:
    case ENOTDIR:
      return absl::FailedPreconditionError(message + "; choose another path");
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  const Descriptor file(path, O_RDONLY);
  if (file.fd() < 0) return FileError("open", path, errno);
  return ReadToEnd(file.fd(), path, bytes_max);
}

absl::StatusOr<std::string> ReadToEnd(int fd, const std::string& name, size_t bytes_max) {
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0) {
      if (errno == EINTR) continue;
      return FileError("read", name, errno);
    }
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
    if (content.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          fmt::format("'{}' is larger than {} bytes; give a smaller one", name, bytes_max));
    }
  }
}

absl::Status WriteFileDurably(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.fd() < 0) return FileError("create", temporary, errno);
    for (std::string_view rest = content; !rest.empty();) {
      const ssize_t n = write(file.fd(), rest.data(), rest.size());
      if (n < 0) {
        if (errno == EINTR) continue;
        return FileError("write", temporary, errno);
      }
      rest.remove_prefix(static_cast<size_t>(n));
    }
    if (fsync(file.fd()) != 0) return FileError("sync", temporary, errno);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return FileError("rename to", path, errno);
  return SyncFolder(ParentOf(path));
}

absl::Status CreateFolder(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return absl::OkStatus();
  const std::string parent = ParentOf(path);
  if (parent != path && parent != ".") RETURN_IF_ERROR(CreateFolder(parent));
  if (mkdir(path.c_str(), 0755) != 0) {
    const int reason = errno;
    const bool made_by_another =
        reason == EEXIST && std::filesystem::is_directory(path, error);
    if (!made_by_another) return FileError("create the folder", path, reason);
  }
  return SyncFolder(parent);
}

absl::Status SyncFolder(const std::string& path) {
  const Descriptor folder(path, O_RDONLY | O_DIRECTORY);
  if (folder.fd() < 0) return FileError("open the folder", path, errno);
  if (fsync(folder.fd()) != 0) return FileError("sync the folder", path, errno);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FreeBytes(const std::string& path) {
  struct statvfs info;
  if (statvfs(path.c_str(), &info) != 0) return FileError("ask for free space of", path, errno);
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  std::vector<std::string> names;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return FileError("list", path, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace bellwether::base
