#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/data_dir.h"
#include "coord/replica/transport.h"
#include "coord/snapshot/saved_snapshot.h"

namespace bellwether::coord {

// Which data folder is made of which snapshot file.
struct RestoreOptions {
  std::string file;
  std::string data_dir;
  uint32_t id = 0;                   // of the server that will use the folder
  std::vector<PeerAddress> servers;  // the ensemble to be, sorted by id, this server too
};

struct RestoreReport {
  SnapshotSummary from;      // what the file holds
  SnapshotSummary restored;  // what the folder begins with; its ensemble has no id yet
};

// Makes a data folder from which a server begins with the state of a snapshot file: without
// sessions and ephemerals, at a zxid higher by 2^40, of an ensemble that is yet to form. Every
// server of that is restored, from the same file, for the same servers. What the folder was before
// must be nothing, or an unfinished restore. A crash at any point leaves nothing, a folder that no
// server starts from, or the whole.
// Errors: those of LoadSnapshotFile and DataDir::Open; FAILED_PRECONDITION: the folder is used, or
// the state can't be restored by this release; RESOURCE_EXHAUSTED: the disk is full.
absl::StatusOr<RestoreReport> RestoreDataFolder(const RestoreOptions& options);

// FAILED_PRECONDITION when a restore into this folder was not finished.
absl::Status CheckNotRestoring(const base::DataDir& data_dir);

}  // namespace bellwether::coord
