#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/log/keys.h"
#include "broker/log/log.h"
#include "broker/log/log_metrics.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"

namespace bellwether::broker {

// The RocksDB of a data folder: the only place that sets its options and turns its statuses into
// ours. Thread-safe. Shared by the store and the slices, so that it closes after the last reader's
// slice is gone.
class Database {
 public:
  // Opens or creates the database. `on_background_error` is called under RocksDB's lock: it must
  // only post. Errors name the folder and the next step.
  static absl::StatusOr<std::shared_ptr<Database>> Open(
      const LogOptions& options, LogMetrics& metrics,
      std::function<void(const absl::Status&)> on_background_error);
  // Whether there is a database in the folder, so that Open won't make one. Errors: DATA_LOSS when
  // there are only pieces of one, which RocksDB would delete; PERMISSION_DENIED.
  static absl::StatusOr<bool> IsAt(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::ColumnFamilyHandle* metadata() const { return db_->DefaultColumnFamily(); }
  rocksdb::ColumnFamilyHandle* directory() const { return directory_; }

  // Writes and syncs: durable when this returns OK, unknown otherwise.
  absl::Status Write(rocksdb::WriteBatch& batch);

  // The slice families found when opening and not yet taken.
  std::vector<SliceId> FoundSlices() const;
  // The handle of a found family, now the caller's; nullptr when there is none. While opening only.
  rocksdb::ColumnFamilyHandle* TakeFound(SliceId id);

  absl::StatusOr<rocksdb::ColumnFamilyHandle*> CreateSliceFamily(SliceId id);
  // The family's files go when its handle and its readers are gone.
  absl::Status DropFamily(rocksdb::ColumnFamilyHandle* family);
  void DestroyHandle(rocksdb::ColumnFamilyHandle* family);
  // Writes the family's memtable to a file; waits.
  absl::Status Flush(rocksdb::ColumnFamilyHandle* family);

  std::unique_ptr<rocksdb::Iterator> NewIterator(const rocksdb::ReadOptions& options,
                                                 rocksdb::ColumnFamilyHandle* family) const;
  // Every key and value of a family, in order, until `visit` fails.
  absl::Status ForEach(
      rocksdb::ColumnFamilyHandle* family,
      const std::function<absl::Status(std::string_view key, std::string_view value)>& visit) const;

  // A failure of RocksDB, with the folder and the next step.
  absl::Status ToStatus(const rocksdb::Status& status, std::string_view action) const;

 private:
  Database(std::string path, LogMetrics& metrics, rocksdb::ColumnFamilyOptions slice_options)
      : path_(std::move(path)), metrics_(metrics), slice_options_(std::move(slice_options)) {}

  const std::string path_;
  LogMetrics& metrics_;
  const rocksdb::ColumnFamilyOptions slice_options_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* directory_ = nullptr;
  std::map<SliceId, rocksdb::ColumnFamilyHandle*> found_;
};

inline std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace bellwether::broker
