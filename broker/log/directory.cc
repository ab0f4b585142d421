#include "broker/log/directory.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace bellwether::broker {

void Directory::AddEntry(DirectoryEntry entry) {
  CHECK(entries_.empty() ||
        entries_.back().stats.last_offset + 1 == entry.stats.first_offset);
  entries_.push_back(std::move(entry));
}

void Directory::ExtendLast(const EntryStats& stats, const std::vector<IndexPoint>& points) {
  DirectoryEntry& last = entries_.back();
  last.stats = stats;
  last.points.insert(last.points.end(), points.begin(), points.end());
}

bool Directory::Holds(const Slice& slice) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const DirectoryEntry& entry) { return entry.slice.get() == &slice; });
}

uint64_t Directory::BytesBelow(Offset log_start) const {
  if (entries_.empty()) return 0;
  for (const IndexPoint& point : entries_.front().points) {
    if (point.offset == log_start) return point.bytes_before;
  }
  return 0;
}

uint64_t Directory::BytesFrom(Offset log_start) const {
  uint64_t bytes = 0;
  for (const DirectoryEntry& entry : entries_) bytes += entry.stats.bytes;
  return bytes - BytesBelow(log_start);
}

std::vector<SliceRange> Directory::RangesFrom(Offset offset, uint64_t bytes_wanted) const {
  std::vector<SliceRange> ranges;
  auto entry = std::partition_point(
      entries_.begin(), entries_.end(),
      [&](const DirectoryEntry& candidate) { return candidate.stats.last_offset < offset; });
  for (uint64_t bytes = 0; entry != entries_.end(); ++entry) {
    ranges.push_back({entry->slice, std::max(entry->stats.first_offset, offset),
                      entry->stats.last_offset});
    // Of the first entry an unknown part is below `offset`: it doesn't count.
    if (ranges.size() > 1) bytes += entry->stats.bytes;
    if (bytes >= bytes_wanted) break;
  }
  return ranges;
}

std::vector<SliceRange> Directory::RangesForTimestamp(int64_t timestamp_ms,
                                                      Offset log_start) const {
  std::vector<SliceRange> ranges;
  for (const DirectoryEntry& entry : entries_) {
    if (entry.stats.max_timestamp_ms < timestamp_ms) continue;
    Offset first = entry.stats.first_offset;
    for (const IndexPoint& point : entry.points) {
      if (point.max_timestamp_before_ms >= timestamp_ms) break;
      first = point.offset;
    }
    ranges.push_back({entry.slice, std::max(first, log_start), entry.stats.last_offset});
  }
  return ranges;
}

Offset Directory::RetentionStart(const PartitionConfig& config, Offset log_start,
                                 int64_t now_ms) const {
  Offset start = log_start;
  if (config.retention_ms >= 0) {
    start = std::max(start, TimeStart(now_ms - config.retention_ms, log_start));
  }
  if (config.retention_bytes >= 0) {
    start = std::max(start, SizeStart(static_cast<uint64_t>(config.retention_bytes), log_start));
  }
  return start;
}

Offset Directory::TimeStart(int64_t cutoff_ms, Offset log_start) const {
  Offset start = log_start;
  for (const DirectoryEntry& entry : entries_) {
    if (entry.stats.max_timestamp_ms < cutoff_ms) {
      start = entry.stats.last_offset + 1;
      continue;
    }
    for (const IndexPoint& point : entry.points) {
      if (point.max_timestamp_before_ms < cutoff_ms) start = std::max(start, point.offset);
    }
    break;
  }
  return start;
}

Offset Directory::SizeStart(uint64_t retention_bytes, Offset log_start) const {
  const uint64_t total = BytesFrom(log_start);
  if (total <= retention_bytes) return log_start;
  // Bytes that may go, counted from the beginning of the first entry.
  uint64_t excess = total - retention_bytes + BytesBelow(log_start);
  Offset start = log_start;
  for (const DirectoryEntry& entry : entries_) {
    if (entry.stats.bytes <= excess) {
      excess -= entry.stats.bytes;
      start = entry.stats.last_offset + 1;
      continue;
    }
    for (const IndexPoint& point : entry.points) {
      if (point.bytes_before <= excess) start = std::max(start, point.offset);
    }
    break;
  }
  return start;
}

std::vector<DirectoryEntry> Directory::RemoveBelow(Offset log_start) {
  std::vector<DirectoryEntry> removed;
  while (!entries_.empty() && entries_.front().stats.last_offset < log_start) {
    removed.push_back(std::move(entries_.front()));
    entries_.pop_front();
  }
  return removed;
}

}  // namespace bellwether::broker
