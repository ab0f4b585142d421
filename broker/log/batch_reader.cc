#include "broker/log/batch_reader.h"

#include <limits>
#include <memory>
#include <utility>

#include "base/status.h"
#include "rocksdb/iterator.h"

namespace bellwether::broker {
namespace {

// The first record of a batch, at or above `first`, that is not before the timestamp.
absl::StatusOr<std::optional<OffsetAndTimestamp>> FindInBatch(std::string_view batch, Offset first,
                                                              int64_t timestamp_ms) {
  ASSIGN_OR_RETURN(record::RecordReader reader, record::RecordReader::Open(batch));
  record::Record record;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader.Next(record));
    if (!more) return std::nullopt;
    if (record.timestamp_ms >= timestamp_ms && record.offset >= first.value()) {
      return OffsetAndTimestamp{Offset(record.offset), record.timestamp_ms};
    }
  }
}

}  // namespace

absl::Status BatchReader::Damaged(Offset offset, std::string_view what) const {
  return absl::DataLossError(
      fmt::format("partition {} is damaged at offset {}: {}; its data from there on can't be read: "
                  "restore the data folder from a copy, or delete the topic",
                  name_, offset, what));
}

template <typename Visit>
absl::StatusOr<bool> BatchReader::ForEachBatch(const SliceRange& range, Visit visit) const {
  const std::string lower = BatchKey(uid_, Offset(0));
  const std::string upper = BatchKey(uid_, range.last_offset + 1);
  const rocksdb::Slice lower_bound = lower;
  const rocksdb::Slice upper_bound = upper;
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower_bound;
  options.iterate_upper_bound = &upper_bound;
  options.fill_cache = false;
  options.total_order_seek = true;
  const auto iterator = database_.NewIterator(options, range.slice->family());

  Offset expected = range.first_offset;
  for (iterator->SeekForPrev(BatchKey(uid_, expected)); iterator->Valid(); iterator->Next()) {
    const std::string_view bytes = View(iterator->value());
    const absl::StatusOr<record::BatchHeader> header =
        record::ValidateBatch(bytes, std::numeric_limits<size_t>::max());
    if (!header.ok()) return Damaged(expected, base::StdView(header.status().message()));
    const bool holds_expected = header->base_offset <= expected.value() &&
                                header->last_offset() >= expected.value() &&
                                header->last_offset() <= range.last_offset.value();
    const bool contiguous =
        expected == range.first_offset || header->base_offset == expected.value();
    if (!holds_expected || !contiguous ||
        View(iterator->key()) != BatchKey(uid_, Offset(header->base_offset))) {
      return Damaged(expected, "its batch is missing");
    }
    ASSIGN_OR_RETURN(const bool more, visit(bytes, *header));
    if (!more) return false;
    expected = Offset(header->next_offset());
  }
  RETURN_IF_ERROR(database_.ToStatus(iterator->status(), "read"));
  if (expected != range.last_offset + 1) return Damaged(expected, "its batch is missing");
  return true;
}

absl::StatusOr<std::vector<BatchRef>> BatchReader::Read(std::span<const SliceRange> ranges,
                                                        size_t bytes_max) const {
  std::vector<BatchRef> batches;
  size_t bytes_read = 0;
  for (const SliceRange& range : ranges) {
    ASSIGN_OR_RETURN(
        const bool more,
        ForEachBatch(range,
                     [&](std::string_view bytes,
                         const record::BatchHeader&) -> absl::StatusOr<bool> {
                       if (!batches.empty() && bytes_read + bytes.size() > bytes_max) return false;
                       batches.push_back(std::make_shared<const std::string>(bytes));
                       bytes_read += bytes.size();
                       return bytes_read < bytes_max;
                     }));
    if (!more) break;
  }
  return batches;
}

absl::StatusOr<std::optional<OffsetAndTimestamp>> BatchReader::Find(
    std::span<const SliceRange> ranges, int64_t timestamp_ms) const {
  std::optional<OffsetAndTimestamp> found;
  for (const SliceRange& range : ranges) {
    ASSIGN_OR_RETURN(
        const bool more,
        ForEachBatch(range,
                     [&](std::string_view bytes,
                         const record::BatchHeader& header) -> absl::StatusOr<bool> {
                       if (header.max_timestamp_ms < timestamp_ms) return true;
                       auto in_batch = FindInBatch(bytes, range.first_offset, timestamp_ms);
                       if (!in_batch.ok()) {
                         return Damaged(Offset(header.base_offset),
                                        base::StdView(in_batch.status().message()));
                       }
                       found = *in_batch;
                       return !found.has_value();
                     }));
    if (!more) break;
  }
  return found;
}

}  // namespace bellwether::broker
