#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/folder.h"

namespace bellwether::cli {

// A file of the user's in the making: beside its place, as NAME.partial-PID, locked until it is destroyed.
// Destroyed without Publish it leaves nothing behind. A process that is killed does, which whoever makes
// that file next removes: what nobody holds locked. Not thread-safe.
class PartialFile {
 public:
  // Errors: NOT_FOUND: there is no such folder; UNAVAILABLE: a process of the same number, in another
  // container, makes that file; those of base::FileError.
  static absl::StatusOr<std::unique_ptr<PartialFile>> Create(const std::string& path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // Errors: of the user's own disk, OnOwnDisk.
  absl::Status Append(std::string_view bytes);
  // The bytes are durable. Errors likewise.
  absl::Status Sync();
  std::string path() const { return folder_->Path(partial_name_); }

  // In its place, durably; instead of what is there only with `replace`, else ALREADY_EXISTS.
  absl::Status Publish(bool replace);

 private:
  PartialFile(std::string name, std::unique_ptr<base::Folder> folder);
  void RemoveLeftovers();
  absl::Status Open();

  const std::string name_;
  const std::string partial_name_;
  const std::unique_ptr<base::Folder> folder_;
  std::unique_ptr<base::File> file_;
  int lock_ = -1;  // a descriptor of the file, which is this one's then
  bool published_ = false;
};

// What the user's own disk refused: when it is full that is a failure, which nobody should take for a busy
// server's answer and try again.
absl::Status OnOwnDisk(const absl::Status& status);

// ALREADY_EXISTS, for a file that is not to be replaced.
absl::Status ExistsError(const std::string& file);

}  // namespace bellwether::cli
