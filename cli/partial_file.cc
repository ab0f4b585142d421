#include "cli/partial_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

constexpr std::string_view kPartial = ".partial-";
constexpr int kAttempts = 10;  // to make it and lock it
constexpr int kLookAgainMs = 20;  // whether it is unlocked

// Of `name`, of whichever process.
bool IsPartialOf(std::string_view name, std::string_view file) {
  if (!file.starts_with(name)) return false;
  file.remove_prefix(name.size());
  if (!file.starts_with(kPartial) || file.size() == kPartial.size()) return false;
  return std::all_of(file.begin() + kPartial.size(), file.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// Unless somebody holds it locked. Removed before it is unlocked: see PartialFile::Open.
void RemoveAbandoned(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return;
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  ::close(file);
}

// Whether the open file is the one that has this name now.
bool IsAt(int file, const std::string& path) {
  struct stat open_file = {}, named = {};
  return ::fstat(file, &open_file) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

}  // namespace

absl::Status OnOwnDisk(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::InternalError(status.message());
}

absl::Status ExistsError(const std::string& file) {
  return absl::AlreadyExistsError(
      fmt::format("'{}' exists; choose another name, or give --force to replace it", file));
}

absl::StatusOr<std::unique_ptr<PartialFile>> PartialFile::Create(const std::string& path) {
  const std::filesystem::path place(path);
  const std::string parent = place.has_parent_path() ? place.parent_path().string() : ".";
  const absl::Status found = base::ListFolder(parent).status();  // opening would create it
  if (absl::IsNotFound(found)) {
    return absl::NotFoundError(
        fmt::format("there is no folder '{}'; create it, or name a file elsewhere", parent));
  }
  RETURN_IF_ERROR(found);
  ASSIGN_OR_RETURN(std::unique_ptr<base::Folder> folder, base::OpenFolder(parent));
  std::unique_ptr<PartialFile> partial(
      new PartialFile(place.filename().string(), std::move(folder)));
  partial->RemoveLeftovers();
  RETURN_IF_ERROR(OnOwnDisk(partial->Open()));
  return partial;
}

PartialFile::PartialFile(std::string name, std::unique_ptr<base::Folder> folder)
    : name_(std::move(name)),
      partial_name_(fmt::format("{}{}{}", name_, kPartial, ::getpid())),
      folder_(std::move(folder)) {}

PartialFile::~PartialFile() {
  if (lock_ >= 0 && !published_) folder_->Remove(partial_name_).IgnoreError();
  if (lock_ >= 0) ::close(lock_);
}

// As far as that is possible; what stays takes room, and nothing else.
void PartialFile::RemoveLeftovers() {
  const absl::StatusOr<std::vector<std::string>> names = folder_->List();
  if (!names.ok()) return;
  for (const std::string& file : *names) {
    if (IsPartialOf(name_, file)) RemoveAbandoned(folder_->Path(file));
  }
}

// Another process may take the file for a leftover before it is locked; then it is made once more. Where
// files can't be locked none is taken for that. What is in it is touched only when it is this one's: in a
// container, on a shared volume, another process may have the same number.
absl::Status PartialFile::Open() {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int file = ::open(path().c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return base::FileError("create", path(), errno);
    const bool held = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!held && IsAt(file, path())) {
      lock_ = file;
      ASSIGN_OR_RETURN(file_, folder_->Open(partial_name_, base::Folder::Mode::kCreate));
      return absl::OkStatus();
    }
    ::close(file);
    ::poll(nullptr, 0, kLookAgainMs);  // who only looks whether it is a leftover is soon done
  }
  return absl::UnavailableError(fmt::format(
      "another save to '{}' is under way; try again later", folder_->Path(name_)));
}

absl::Status PartialFile::Append(std::string_view bytes) { return OnOwnDisk(file_->Append(bytes)); }

absl::Status PartialFile::Sync() { return OnOwnDisk(file_->Sync()); }

absl::Status PartialFile::Publish(bool replace) {
  const std::string place = folder_->Path(name_);
  if (replace) {
    RETURN_IF_ERROR(OnOwnDisk(folder_->Rename(partial_name_, name_)));
  } else if (::renameat2(AT_FDCWD, path().c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) != 0) {
    const int error = errno;
    if (error == EEXIST) return ExistsError(place);
    return OnOwnDisk(base::FileError("rename to", place, error));
  }
  published_ = true;
  return OnOwnDisk(folder_->Sync());
}

}  // namespace bellwether::cli
