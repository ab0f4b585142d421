#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/uuid.h"

namespace bellwether::base {

// Who a data folder belongs to: DIR/identity.json.
struct Identity {
  std::string kind;     // "coord" or "broker"
  Uuid ensemble_id;     // of the ensemble (a broker: that it registers in); nil until known
  int64_t id = 0;       // server or broker id
  Uuid folder_id;       // random, made with the folder: tells a wiped disk from the old one

  friend bool operator==(const Identity&, const Identity&) = default;
};

// The text of an identity.json. Errors: DATA_LOSS that names `path`.
absl::StatusOr<Identity> ParseIdentity(const std::string& path, const std::string& text);
std::string FormatIdentity(const Identity& identity);

// A process's data folder: created when missing, locked for one process (DIR/LOCK), and checked
// to belong to this server. Thread-compatible; unlocks on destruction.
class DataDir {
 public:
  // Errors: FAILED_PRECONDITION when another process holds the folder (named by pid), when it is
  // another server's or another kind's; PERMISSION_DENIED when it can't be written;
  // DATA_LOSS when identity.json can't be read as one.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(const std::string& path,
                                                       std::string_view kind, int64_t id);
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const;

  // True when the folder held nothing before Open (but perhaps the lock of an Open that crashed).
  bool was_empty() const { return was_empty_; }

  const Identity& identity() const { return identity_; }
  // Durable when this returns. FAILED_PRECONDITION when the folder is already another ensemble's.
  absl::Status SetEnsembleId(Uuid ensemble_id);
  // The folder is another one for everyone who knew it: what it promised is lost. Durable when this
  // returns.
  absl::Status RenewFolderId();

 private:
  DataDir(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  absl::Status LoadOrCreateIdentity(std::string_view kind, int64_t id);
  absl::Status WriteIdentity() const;

  const std::string path_;
  const int lock_fd_;
  bool was_empty_ = false;
  Identity identity_;
};

}  // namespace bellwether::base
