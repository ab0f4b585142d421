#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/folder.h"

namespace bellwether::base {

// After a loss of power the last write of a RocksDB log file, which was under way and not yet synced,
// may be there with the right length and holes where pages never reached the disk. RocksDB takes that
// for damage and does not open. This cuts such a write off, at the end of the newest write-ahead log
// and of the manifest in force, and returns the bytes cut; 0: there was nothing to cut.
//
// A bad record is the last write's exactly when no later write begins behind it, as long as every
// write is synced before the next one begins. So what was durable is never cut unless the last
// durable write itself is damaged, which looks the same; damage anywhere else is left for RocksDB to
// report.
// Requires: every write to the database is synced, and no process has it open.
absl::StatusOr<uint64_t> CutTornTails(Folder& database);

}  // namespace bellwether::base
