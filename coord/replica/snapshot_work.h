#pragma once

#include <atomic>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/pacer.h"
#include "coord/replica/snapshot_store.h"

namespace bellwether::coord {

// What those who work on the snapshot executor have to know of those who wait for it. Thread-safe.
struct SnapshotWork {
  std::atomic<bool> stopped = false;  // no more snapshots are taken, and what is being written ends
  std::atomic<int> queued = 0;        // posted there, and not begun
  std::atomic<int> saves = 0;         // clients who wait for a snapshot that is new enough
};

// Writes a snapshot in the background: ends when that is stopped, and rests as long as nobody waits.
// All that it is given outlives it.
class BackgroundWriter : public SnapshotWriter {
 public:
  BackgroundWriter(SnapshotWriter& writer, base::Pacer& pacer, const SnapshotWork& work)
      : writer_(writer), pacer_(pacer), work_(work) {}

  // CANCELLED: stopped.
  absl::Status Append(std::string_view record) override {
    if (work_.stopped) return absl::CancelledError("the server is stopping");
    if (work_.queued == 0 && work_.saves == 0) pacer_.Rest();
    return writer_.Append(record);
  }

  absl::StatusOr<SnapshotInfo> Commit() override { return writer_.Commit(); }

 private:
  SnapshotWriter& writer_;
  base::Pacer& pacer_;
  const SnapshotWork& work_;
};

}  // namespace bellwether::coord
