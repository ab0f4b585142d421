#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bellwether::base {

// Small whole files, written so that a crash at any point leaves the old or the new content.
// Errors name the path, the system's reason and the next step.

// The bytes of a file. NOT_FOUND when there is none; RESOURCE_EXHAUSTED above `bytes_max`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max = 64 << 20);

// Temporary file, fsync, rename, fsync of the folder.
absl::Status WriteFileDurably(const std::string& path, std::string_view content);

// Creates the folder and its parents, durable when this returns.
absl::Status CreateFolder(const std::string& path);

absl::Status SyncFolder(const std::string& path);

// Bytes an unprivileged writer may still use on the file system of `path`.
absl::StatusOr<uint64_t> FreeBytes(const std::string& path);

// True for a folder without entries; NOT_FOUND when there is none.
absl::StatusOr<bool> IsEmptyFolder(const std::string& path);

}  // namespace bellwether::base
