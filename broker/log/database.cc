#include "broker/log/database.h"

#include <algorithm>

#include "base/check.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/status.h"
#include "base/torn_tail.h"
#include "rocksdb/cache.h"
#include "rocksdb/env.h"
#include "rocksdb/listener.h"
#include "rocksdb/table.h"

namespace bellwether::broker {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// More level-0 files than a slice can ever have: nothing is compacted, so nothing may stall.
constexpr int kNeverTrigger = 1 << 30;

absl::Status Convert(const rocksdb::Status& status, std::string_view path,
                     std::string_view action) {
  if (status.ok()) return absl::OkStatus();
  const std::string message =
      fmt::format("cannot {} log database '{}': {}", action, path, status.ToString());
  if (status.IsCorruption()) {
    return absl::DataLossError(
        message + "; the folder is damaged: restore it from a copy, or move it away to start empty");
  }
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(message + "; free some space");
  if (status.IsIOError() && message.find("lock") != std::string::npos) {
    return absl::FailedPreconditionError(message + "; stop the other process that uses it");
  }
  if (status.IsInvalidArgument()) return absl::FailedPreconditionError(message);
  return absl::InternalError(message + "; check the disk and the folder's permissions");
}

// Any background error means that something written is not where it should be.
class ErrorListener : public rocksdb::EventListener {
 public:
  ErrorListener(std::string path, std::function<void(const absl::Status&)> on_error)
      : path_(std::move(path)), on_error_(std::move(on_error)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    on_error_(Convert(*status, path_, "write in the background to"));
  }

 private:
  const std::string path_;
  const std::function<void(const absl::Status&)> on_error_;
};

rocksdb::DBOptions MakeDbOptions(const LogOptions& options) {
  rocksdb::DBOptions db;
  if (options.env != nullptr) db.env = options.env;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.paranoid_checks = true;
  // A crash may leave an incomplete record at the end of the WAL; anything else wrong fails Open.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.max_background_jobs = 2;
  db.max_total_wal_size = 512 * kMiB;
  db.db_write_buffer_size = 256 * kMiB;
  db.max_open_files = 1024;
  db.bytes_per_sync = kMiB;
  db.wal_bytes_per_sync = 512 << 10;
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.max_log_file_size = 4 * kMiB;
  db.keep_log_file_num = 2;
  return db;
}

// Small families that are overwritten all the time: ordinary leveled compaction.
rocksdb::ColumnFamilyOptions MakeMetadataOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.compression = rocksdb::kNoCompression;
  family.write_buffer_size = 8 * kMiB;
  return family;
}

// Slices are written once, read in order and dropped whole: level 0 only, never compacted.
rocksdb::ColumnFamilyOptions MakeSliceOptions(const LogOptions& options,
                                              const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 64 << 10;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.compression = rocksdb::kNoCompression;  // batches come compressed or not, as produced
  family.write_buffer_size = options.write_buffer_bytes;
  family.max_write_buffer_number = 4;
  family.disable_auto_compactions = true;
  family.level0_file_num_compaction_trigger = kNeverTrigger;
  family.level0_slowdown_writes_trigger = kNeverTrigger;
  family.level0_stop_writes_trigger = kNeverTrigger;
  family.soft_pending_compaction_bytes_limit = 0;
  family.hard_pending_compaction_bytes_limit = 0;
  return family;
}

}  // namespace

absl::StatusOr<bool> Database::IsAt(const std::string& path) {
  const auto names = base::ListFolder(path);
  if (absl::IsNotFound(names.status())) return false;
  RETURN_IF_ERROR(names.status());
  if (std::find(names->begin(), names->end(), "CURRENT") != names->end()) return true;
  for (const std::string& name : *names) {
    // These are made after CURRENT.
    if (!name.ends_with(".sst") && !name.ends_with(".log")) continue;
    return Convert(rocksdb::Status::Corruption(fmt::format("{} is there but CURRENT is not", name)),
                   path, "open");
  }
  return false;
}

absl::StatusOr<std::shared_ptr<Database>> Database::Open(
    const LogOptions& options, LogMetrics& metrics,
    std::function<void(const absl::Status&)> on_background_error) {
  RETURN_IF_ERROR(base::CreateFolder(options.path));
  rocksdb::DBOptions db_options = MakeDbOptions(options);
  db_options.listeners.push_back(
      std::make_shared<ErrorListener>(options.path, std::move(on_background_error)));

  std::vector<std::string> names = {rocksdb::kDefaultColumnFamilyName, kDirectoryFamily};
  ASSIGN_OR_RETURN(const bool exists, IsAt(options.path));
  if (exists) {
    std::vector<std::string> all;
    RETURN_IF_ERROR(Convert(rocksdb::DB::ListColumnFamilies(db_options, options.path, &all),
                            options.path, "read the manifest of"));
    for (std::string& name : all) {
      if (IsSliceFamilyName(name)) names.push_back(std::move(name));
    }
  }

  const auto cache = rocksdb::NewLRUCache(32 * kMiB);
  const rocksdb::ColumnFamilyOptions slice_options = MakeSliceOptions(options, cache);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) {
    descriptors.emplace_back(
        name, IsSliceFamilyName(name) ? slice_options : MakeMetadataOptions(cache));
  }
  std::shared_ptr<Database> database(new Database(options.path, metrics, slice_options));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status opened =
      rocksdb::DB::Open(db_options, options.path, descriptors, &handles, &db);
  if (opened.IsCorruption()) {
    ASSIGN_OR_RETURN(const auto folder, base::OpenFolder(options.path));
    ASSIGN_OR_RETURN(const uint64_t cut, base::CutTornTails(*folder));
    if (cut > 0) {
      LOG_WARN("an unfinished write was cut off the database's end path={} bytes={}", options.path,
               cut);
      opened = rocksdb::DB::Open(db_options, options.path, descriptors, &handles, &db);
    }
  }
  RETURN_IF_ERROR(Convert(opened, options.path, "open"));
  database->db_.reset(db);
  database->DestroyHandle(handles[0]);  // the default family has a handle of its own
  database->directory_ = handles[1];
  for (size_t i = 2; i < handles.size(); ++i) {
    database->found_[SliceIdOfFamilyName(names[i])] = handles[i];
  }
  return database;
}

Database::~Database() {
  if (db_ == nullptr) return;
  for (const auto& [id, family] : found_) DestroyHandle(family);
  DestroyHandle(directory_);
  const rocksdb::Status status = db_->Close();
  if (!status.ok()) LOG_ERROR("cannot close log database path={} error={}", path_, status.ToString());
}

absl::Status Database::Write(rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions options;
  options.sync = true;
  const absl::Duration begin = base::SystemClock().Monotonic();
  const rocksdb::Status status = db_->Write(options, &batch);
  metrics_.sync_duration.Observe(base::SystemClock().Monotonic() - begin);
  metrics_.syncs.Add();
  return ToStatus(status, "write to");
}

std::vector<SliceId> Database::FoundSlices() const {
  std::vector<SliceId> ids;
  for (const auto& [id, family] : found_) ids.push_back(id);
  return ids;
}

rocksdb::ColumnFamilyHandle* Database::TakeFound(SliceId id) {
  const auto found = found_.find(id);
  if (found == found_.end()) return nullptr;
  rocksdb::ColumnFamilyHandle* family = found->second;
  found_.erase(found);
  return family;
}

absl::StatusOr<rocksdb::ColumnFamilyHandle*> Database::CreateSliceFamily(SliceId id) {
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  RETURN_IF_ERROR(ToStatus(db_->CreateColumnFamily(slice_options_, SliceFamilyName(id), &handle),
                           "create a slice in"));
  return handle;
}

absl::Status Database::DropFamily(rocksdb::ColumnFamilyHandle* family) {
  return ToStatus(db_->DropColumnFamily(family), "drop a slice of");
}

void Database::DestroyHandle(rocksdb::ColumnFamilyHandle* family) {
  const rocksdb::Status status = db_->DestroyColumnFamilyHandle(family);
  CHECK(status.ok(), "{}", status.ToString());
}

absl::Status Database::Flush(rocksdb::ColumnFamilyHandle* family) {
  return ToStatus(db_->Flush(rocksdb::FlushOptions(), family), "flush a slice of");
}

std::unique_ptr<rocksdb::Iterator> Database::NewIterator(
    const rocksdb::ReadOptions& options, rocksdb::ColumnFamilyHandle* family) const {
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family));
}

absl::Status Database::ForEach(
    rocksdb::ColumnFamilyHandle* family,
    const std::function<absl::Status(std::string_view key, std::string_view value)>& visit) const {
  const auto iterator = NewIterator(rocksdb::ReadOptions(), family);
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    RETURN_IF_ERROR(visit(View(iterator->key()), View(iterator->value())));
  }
  return ToStatus(iterator->status(), "read");
}

absl::Status Database::ToStatus(const rocksdb::Status& status, std::string_view action) const {
  return Convert(status, path_, action);
}

}  // namespace bellwether::broker
