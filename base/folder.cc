#include "base/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

class DiskFile : public File {
 public:
  DiskFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~DiskFile() override { close(fd_); }
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;

  absl::Status Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = write(fd_, bytes.data(), bytes.size());
      if (n < 0) {
        if (errno == EINTR) continue;
        return FileError("write", path_, errno);
      }
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAt(uint64_t offset, size_t bytes_max, std::string& out) override {
    out.resize(bytes_max);
    size_t filled = 0;
    while (filled < bytes_max) {
      const ssize_t n = pread(fd_, out.data() + filled, bytes_max - filled,
                              static_cast<off_t>(offset + filled));
      if (n < 0) {
        if (errno == EINTR) continue;
        return FileError("read", path_, errno);
      }
      if (n == 0) break;
      filled += static_cast<size_t>(n);
    }
    out.resize(filled);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    struct stat info;
    if (fstat(fd_, &info) != 0) return FileError("ask for the size of", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::Status Truncate(uint64_t bytes) override {
    if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0) return FileError("cut", path_, errno);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (fsync(fd_) != 0) return FileError("sync", path_, errno);
    return absl::OkStatus();
  }

  const std::string& path() const override { return path_; }

 private:
  const std::string path_;
  const int fd_;
};

absl::StatusOr<std::unique_ptr<File>> OpenAs(const std::string& path, Folder::Mode mode) {
  int flags = O_RDONLY;
  if (mode == Folder::Mode::kAppend) flags = O_RDWR | O_APPEND;
  if (mode == Folder::Mode::kCreate) flags = O_RDWR | O_APPEND | O_CREAT | O_TRUNC;
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) {
    return FileError(mode == Folder::Mode::kCreate ? "create" : "open", path, errno);
  }
  return std::make_unique<DiskFile>(path, fd);
}

class DiskFolder : public Folder {
 public:
  explicit DiskFolder(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& name, Mode mode) override {
    return OpenAs(Path(name), mode);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(Path(from).c_str(), Path(to).c_str()) == 0) return absl::OkStatus();
    return FileError("rename to", Path(to), errno);
  }

  absl::Status Remove(const std::string& name) override {
    if (unlink(Path(name).c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    return FileError("remove", Path(name), errno);
  }

  absl::StatusOr<std::vector<std::string>> List() override { return ListFolder(path_); }
  absl::Status Sync() override { return SyncFolder(path_); }
  absl::StatusOr<uint64_t> FreeBytes() override { return base::FreeBytes(path_); }
  std::string Path(const std::string& name) const override {
    return fmt::format("{}/{}", path_, name);
  }

 private:
  const std::string path_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Folder>> OpenFolder(const std::string& path) {
  RETURN_IF_ERROR(CreateFolder(path));
  return std::make_unique<DiskFolder>(path);
}

absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path) {
  return OpenAs(path, Folder::Mode::kRead);
}

}  // namespace bellwether::base
