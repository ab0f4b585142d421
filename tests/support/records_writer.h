#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coord/replica/snapshot_store.h"

namespace bellwether::coord {

// Keeps the records of a snapshot in memory.
class RecordsWriter : public SnapshotWriter {
 public:
  absl::Status Append(std::string_view record) override {
    records.emplace_back(record);
    return absl::OkStatus();
  }
  absl::StatusOr<SnapshotInfo> Commit() override { return SnapshotInfo(); }

  std::vector<std::string> records;
};

}  // namespace bellwether::coord
