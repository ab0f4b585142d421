#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bellwether::base {

// An open file, closed on destruction. Errors name the path, the system's reason and the next step.
class File {
 public:
  virtual ~File() = default;

  // Adds to the end. RESOURCE_EXHAUSTED: the disk is full. After an error a part may be there.
  virtual absl::Status Append(std::string_view bytes) = 0;
  // Replaces `out` by the bytes from `offset`, at most bytes_max; fewer only at the file's end.
  virtual absl::Status ReadAt(uint64_t offset, size_t bytes_max, std::string& out) = 0;
  virtual absl::StatusOr<uint64_t> Size() = 0;
  // Cuts off everything from `bytes` on.
  virtual absl::Status Truncate(uint64_t bytes) = 0;
  // The bytes are durable; the file's name is after Folder::Sync.
  virtual absl::Status Sync() = 0;
  // For messages.
  virtual const std::string& path() const = 0;
};

// A folder without subfolders, as code that must survive crashes uses it: behind a seam, so that a
// simulated one can lose what was not synced. Names, also those made by Rename and Remove, are
// durable after Sync. Not thread-safe; outlives its files' users.
class Folder {
 public:
  enum class Mode { kRead, kAppend, kCreate };  // kCreate: empties one that exists

  virtual ~Folder() = default;

  // NOT_FOUND unless kCreate.
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& name, Mode mode) = 0;
  // Replaces what is at `to`, at once for everyone who looks.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // OK when there is no such file. Open ones can still be read.
  virtual absl::Status Remove(const std::string& name) = 0;
  // Sorted.
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;
  virtual absl::Status Sync() = 0;
  // Bytes an unprivileged writer may still use.
  virtual absl::StatusOr<uint64_t> FreeBytes() = 0;
  virtual std::string Path(const std::string& name) const = 0;
};

// A folder of the file system, created when missing.
absl::StatusOr<std::unique_ptr<Folder>> OpenFolder(const std::string& path);

// A file of the file system, for reading. NOT_FOUND.
absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path);

}  // namespace bellwether::base
