#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/coord_types.h"

namespace bellwether::cli {

// Which znodes of a ZooKeeper ensemble are containers or have a TTL. Its servers tell no client (Z6);
// it stands in the files of their data folders: in a snapshot for each znode, in a log for each that
// was created. A znode is named by its path and the zxid of its creation, so it does not matter how
// old a file is, what was deleted since, or that a snapshot is of no single state.
class ZookeeperKinds {
 public:
  struct Kind {
    client::CreateMode mode = client::CreateMode::kPersistent;
    int64_t ttl_ms = 0;
  };

  // Reads all snapshots and logs of a folder: a server's dataDir, its version-2, or a copy of that;
  // the newest snapshot and the logs since it began are enough. A log's end may be incomplete.
  // Errors: those of base::FileError; DATA_LOSS for a file that is none of ZooKeeper's, or one that
  // is compressed.
  absl::Status ReadFolder(const std::string& folder);
  absl::Status ReadSnapshot(const std::string& path);
  absl::Status ReadLog(const std::string& path);

  // Persistent when nothing else is known.
  Kind KindOf(std::string_view path, int64_t czxid) const;

  // The files tell of every creation up to here.
  int64_t zxid() const { return zxid_; }
  size_t size() const { return kinds_.size(); }

 private:
  struct Known {
    int64_t czxid = 0;
    Kind kind;
  };

  void Note(std::string_view path, int64_t czxid, Kind kind);
  void NoteTransaction(int32_t type, std::string_view body, int64_t zxid);

  std::multimap<std::string, Known, std::less<>> kinds_;
  int64_t zxid_ = 0;
};

}  // namespace bellwether::cli
