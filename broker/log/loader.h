#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/log/database.h"
#include "broker/log/keys.h"
#include "broker/log/slice.h"
#include "broker/log/stored_partition.h"

namespace bellwether::broker {

// What a data folder holds.
struct LoadedStore {
  PartitionUid next_uid;
  std::vector<SliceRef> slices;  // in order of id
  std::vector<StoredPartition::State> partitions;
};

// Reads metadata and directory, makes them when the database is new, finishes what a crash
// interrupted (slices made or dropped by halves), and checks that they agree with each other and
// with the last batch of every partition. Errors: DATA_LOSS, FAILED_PRECONDITION (newer format).
absl::StatusOr<LoadedStore> LoadStore(const std::shared_ptr<Database>& database);

}  // namespace bellwether::broker
