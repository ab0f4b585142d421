#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "broker/log/keys.h"
#include "broker/log/log.h"
#include "broker/log/slice.h"

namespace bellwether::broker {

// What one slice holds of one partition, with its sparse time index.
struct DirectoryEntry {
  SliceRef slice;
  EntryStats stats;
  std::vector<IndexPoint> points;  // ascending offsets, all within the entry
};

// A stretch of one slice to read, offsets inclusive.
struct SliceRange {
  SliceRef slice;
  Offset first_offset;
  Offset last_offset;
};

// Where the batches of one partition are: its entries, oldest first. Not thread-safe. Pure: what
// is here is what the directory family says.
//
// Invariant: entries are contiguous; no slice has two of them.
class Directory {
 public:
  // Appends at the end. Requires: it begins where the last entry ends, and its slice is new here.
  void AddEntry(DirectoryEntry entry);
  // Replaces the numbers of the last entry and adds points to it.
  void ExtendLast(const EntryStats& stats, const std::vector<IndexPoint>& points);

  const std::deque<DirectoryEntry>& entries() const { return entries_; }
  bool Holds(const Slice& slice) const;
  // Bytes of the batches from `log_start` on.
  uint64_t BytesFrom(Offset log_start) const;

  // Stretches to read from `offset` on, in order, until they hold `bytes_wanted`.
  std::vector<SliceRange> RangesFrom(Offset offset, uint64_t bytes_wanted) const;
  // Stretches that together hold every record with a timestamp of at least `timestamp_ms` at or
  // above `log_start`, in order.
  std::vector<SliceRange> RangesForTimestamp(int64_t timestamp_ms, Offset log_start) const;

  // The log start that retention asks for: the time rule gives up batches whose own and all
  // earlier timestamps are before now - retention_ms; the size rule keeps at least retention_bytes.
  // Moves by whole entries and index points; never below `log_start`.
  Offset RetentionStart(const PartitionConfig& config, Offset log_start, int64_t now_ms) const;

  // Removes and returns the entries wholly below `log_start`.
  std::vector<DirectoryEntry> RemoveBelow(Offset log_start);

 private:
  Offset TimeStart(int64_t cutoff_ms, Offset log_start) const;
  Offset SizeStart(uint64_t retention_bytes, Offset log_start) const;
  // Bytes of the first entry that are below `log_start`.
  uint64_t BytesBelow(Offset log_start) const;

  std::deque<DirectoryEntry> entries_;
};

}  // namespace bellwether::broker
