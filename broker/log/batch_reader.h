#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/log/directory.h"

namespace bellwether::broker {

// Reads batches of one partition from the database (the tail pool has the recent ones). Iterators
// are bounded to the stretch, don't fill the block cache and live only as long as a call. Checks
// the CRC of every batch and that none is missing. Thread-safe.
class BatchReader {
 public:
  // `name` is how errors call the partition.
  BatchReader(const Database& database, PartitionUid uid, std::string name)
      : database_(database), uid_(uid), name_(std::move(name)) {}

  // Batches of the stretches, which are contiguous, from the one that holds the first offset on:
  // at most `bytes_max`, but at least one. DATA_LOSS names partition and offset.
  absl::StatusOr<std::vector<BatchRef>> Read(std::span<const SliceRange> ranges,
                                             size_t bytes_max) const;

  // The first record of the stretches with a timestamp of at least `timestamp_ms`.
  absl::StatusOr<std::optional<OffsetAndTimestamp>> Find(std::span<const SliceRange> ranges,
                                                         int64_t timestamp_ms) const;

 private:
  // Calls `visit(bytes, header)` for each batch from the one that holds range.first_offset to
  // range.last_offset, until it returns false. Returns whether it never did.
  template <typename Visit>
  absl::StatusOr<bool> ForEachBatch(const SliceRange& range, Visit visit) const;
  absl::Status Damaged(Offset offset, std::string_view what) const;

  const Database& database_;
  const PartitionUid uid_;
  const std::string name_;
};

}  // namespace bellwether::broker
