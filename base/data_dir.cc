#include "base/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/status.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::base {
namespace {

constexpr int kFormat = 1;
constexpr char kIdentityFile[] = "identity.json";
constexpr char kLockFile[] = "LOCK";

// Also true for what a crash leaves of the first Open: a lock, an identity not yet renamed.
absl::StatusOr<bool> HoldsNothing(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(path));
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name == kLockFile || name == std::string(kIdentityFile) + ".tmp";
  });
}

std::string HolderOf(int fd) {
  char pid[32] = {};
  const ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
  return n > 0 ? fmt::format("process {}", std::string_view(pid, strcspn(pid, "\n")))
               : "another process";
}

}  // namespace

absl::StatusOr<Identity> ParseIdentity(const std::string& path, const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto bad = [&path](std::string_view why) {
    return absl::DataLossError(
        fmt::format("'{}' is not an identity file: {}; restore it or use another data folder",
                    path, why));
  };
  if (!json.is_object()) return bad("not a JSON object");
  const auto text_of = [&json](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
  };
  if (!json.contains("format") || !json["format"].is_number_integer()) return bad("no format");
  if (const auto format = json["format"].get<int64_t>(); format != kFormat) {
    return bad(fmt::format("format {} is unknown to this version", format));
  }
  if (!json.contains("id") || !json["id"].is_number_integer()) return bad("no id");
  Identity identity;
  identity.kind = text_of("kind");
  identity.id = json["id"].get<int64_t>();
  const auto folder_id = Uuid::Parse(text_of("folder_id"));
  if (!folder_id.has_value()) return bad("no folder_id");
  identity.folder_id = *folder_id;
  if (json.contains("ensemble_id") && !json["ensemble_id"].is_null()) {
    const auto ensemble_id = Uuid::Parse(text_of("ensemble_id"));
    if (!ensemble_id.has_value()) return bad("ensemble_id is not a uuid");
    identity.ensemble_id = *ensemble_id;
  }
  return identity;
}

std::string FormatIdentity(const Identity& identity) {
  nlohmann::ordered_json json = {{"format", kFormat}, {"kind", identity.kind}};
  json["ensemble_id"] = identity.ensemble_id.IsNil()
                            ? nlohmann::ordered_json(nullptr)
                            : nlohmann::ordered_json(identity.ensemble_id.ToString());
  json["id"] = identity.id;
  json["folder_id"] = identity.folder_id.ToString();
  return json.dump() + "\n";
}

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(const std::string& path,
                                                       std::string_view kind, int64_t id) {
  RETURN_IF_ERROR(CreateFolder(path));
  ASSIGN_OR_RETURN(const bool was_empty, HoldsNothing(path));
  const std::string lock_path = path + "/" + kLockFile;
  const int fd = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::PermissionDeniedError(
        fmt::format("cannot write in data folder '{}': {}; give this user access or choose another "
                    "--data-dir",
                    path, std::strerror(errno)));
  }
  std::unique_ptr<DataDir> dir(new DataDir(path, fd));  // private constructor
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("data folder '{}' is in use by {}; stop it or choose another --data-dir", path,
                    HolderOf(fd)));
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return absl::ResourceExhaustedError(
        fmt::format("cannot write '{}': {}; free some space", lock_path, std::strerror(errno)));
  }
  dir->was_empty_ = was_empty;
  RETURN_IF_ERROR(dir->LoadOrCreateIdentity(kind, id));
  return dir;
}

DataDir::~DataDir() { close(lock_fd_); }

std::string DataDir::File(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

absl::Status DataDir::LoadOrCreateIdentity(std::string_view kind, int64_t id) {
  const std::string file = File(kIdentityFile);
  auto text = ReadFile(file);
  if (absl::IsNotFound(text.status())) {
    identity_ = Identity{.kind = std::string(kind), .id = id, .folder_id = Uuid::Generate()};
    return WriteIdentity();
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(identity_, ParseIdentity(file, *text));
  if (identity_.kind != kind || identity_.id != id) {
    return absl::FailedPreconditionError(fmt::format(
        "data folder '{}' belongs to {} {}, not to {} {}; start it with that id or choose another "
        "--data-dir",
        path_, identity_.kind, identity_.id, kind, id));
  }
  return absl::OkStatus();
}

absl::Status DataDir::WriteIdentity() const {
  return WriteFileDurably(File(kIdentityFile), FormatIdentity(identity_));
}

absl::Status DataDir::RenewFolderId() {
  identity_.folder_id = Uuid::Generate();
  return WriteIdentity();
}

absl::Status DataDir::SetEnsembleId(Uuid ensemble_id) {
  if (identity_.ensemble_id == ensemble_id) return absl::OkStatus();
  if (!identity_.ensemble_id.IsNil()) {
    return absl::FailedPreconditionError(fmt::format(
        "data folder '{}' belongs to ensemble {}, not to {}; point this {} at its own ensemble or "
        "choose another --data-dir",
        path_, identity_.ensemble_id.ToString(), ensemble_id.ToString(), identity_.kind));
  }
  identity_.ensemble_id = ensemble_id;
  return WriteIdentity();
}

}  // namespace bellwether::base
