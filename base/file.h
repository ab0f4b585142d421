#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bellwether::base {

// Small whole files, written so that a crash at any point leaves the old or the new content.
// Errors name the path, the system's reason and the next step.

// What `error` (an errno) means for "cannot ACTION 'PATH'", with the next step.
absl::Status FileError(std::string_view action, const std::string& path, int error);

// The bytes of a file. NOT_FOUND when there is none; RESOURCE_EXHAUSTED above `bytes_max`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max = 64 << 20);

// The same of what can still be read from `fd`, which `name` names in errors.
absl::StatusOr<std::string> ReadToEnd(int fd, const std::string& name,
                                      size_t bytes_max = 64 << 20);

// Temporary file, fsync, rename, fsync of the folder.
absl::Status WriteFileDurably(const std::string& path, std::string_view content);

// Creates the folder and its parents, durable when this returns.
absl::Status CreateFolder(const std::string& path);

absl::Status SyncFolder(const std::string& path);

// Bytes an unprivileged writer may still use on the file system of `path`.
absl::StatusOr<uint64_t> FreeBytes(const std::string& path);

// Names of a folder's entries, sorted, without "." and ".."; NOT_FOUND when there is no such folder.
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

}  // namespace bellwether::base
