#include "coord/storage/rocks_log_store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/status.h"
#include "base/torn_tail.h"
#include "coord/storage/log_format.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/listener.h"
#include "rocksdb/write_batch.h"

namespace bellwether::coord {
namespace {

constexpr const char* kHardStateKey = "hard_state";
constexpr const char* kFormationKey = "formation";
constexpr const char* kLogStartKey = "log_start";

std::string_view ViewOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Also of a file that is gone.
bool IsDamage(const rocksdb::Status& status) {
  return status.IsCorruption() ||
         status.ToString().find("No such file or directory") != std::string::npos;
}

// A status of RocksDB in our terms: what was attempted, on which folder, what to do.
absl::Status FromRocks(const rocksdb::Status& status, std::string_view action,
                       const std::string& folder) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  const std::string what = fmt::format("cannot {} the log in '{}': {}", action, folder, text);
  if (IsDamage(status)) return absl::DataLossError(fmt::format("{}; {}", what, kRejoinStep));
  if (text.find("LOCK") != std::string::npos || text.find("lock hold") != std::string::npos) {
    return absl::FailedPreconditionError(what + "; another process uses this folder: stop it first");
  }
  if (text.find("Permission denied") != std::string::npos ||
      text.find("Read-only file system") != std::string::npos) {
    return absl::PermissionDeniedError(what + "; give this user write access to the folder");
  }
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(what + "; free some space");
  return absl::InternalError(what + "; check the disk");
}

rocksdb::Options DatabaseOptions(const RocksLogStoreOptions& store) {
  rocksdb::Options options;
  if (store.env != nullptr) options.env = store.env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_bgerror_resume_count = 0;  // what failed in the background is never tried again
  // Only an incomplete tail is tolerated: damage before it fails the open.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.paranoid_checks = true;
  options.max_background_jobs = 2;
  options.bytes_per_sync = 1 << 20;  // else a flush's only sync keeps the log's waiting
  options.max_total_wal_size = 4 * store.memtable_bytes;  // all that compaction can't give back
  options.max_open_files = 256;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 4 << 20;
  options.avoid_unnecessary_blocking_io = true;
  return options;
}

rocksdb::ColumnFamilyOptions EntriesFamilyOptions(const RocksLogStoreOptions& store) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = store.memtable_bytes;
  options.compression = rocksdb::kNoCompression;
  // Keys only grow, so files hardly overlap and nothing is gained by rewriting them. All stay in
  // level 0, where the oldest file may be deleted as a whole.
  options.disable_auto_compactions = true;
  options.level0_slowdown_writes_trigger = 1 << 20;
  options.level0_stop_writes_trigger = 1 << 20;
  options.soft_pending_compaction_bytes_limit = 0;
  options.hard_pending_compaction_bytes_limit = 0;
  return options;
}

rocksdb::ColumnFamilyOptions MetaFamilyOptions() {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 1 << 20;
  return options;
}

}  // namespace

// Any background error means that something written is not where it should be. Part of a store,
// which closes the database before it ends.
class RocksLogStore::ErrorListener : public rocksdb::EventListener {
 public:
  explicit ErrorListener(RocksLogStore& store) : store_(store) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    const absl::Status failure =
        FromRocks(*error, "write in the background to", store_.options_.folder);
    store_.SetFailure(failure);
    if (store_.options_.on_fatal) store_.options_.on_fatal(failure);
  }

 private:
  RocksLogStore& store_;
};

RocksLogStore::RocksLogStore(RocksLogStoreOptions options, base::Executor& executor,
                             base::Clock& clock, base::Metrics& metrics)
    : options_(std::move(options)),
      check_(options_.folder),
      executor_(executor),
      clock_(clock),
      sync_seconds_(metrics.AddHistogram("bell_raft_log_sync_seconds",
                                         "One synced write of the Raft log.")),
      syncs_(metrics.AddCounter("bell_raft_log_syncs_total", "Synced writes of the Raft log.")),
      entries_written_(metrics.AddCounter("bell_raft_log_entries_written_total",
                                          "Entries written to the Raft log.")),
      free_space_(clock, [this] { return base::FreeBytes(options_.folder); }),
      cache_(options_.cache_bytes_max),
      alive_(std::make_shared<bool>(true)) {}

RocksLogStore::~RocksLogStore() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    wake_.Signal();
  }
  thread_.reset();
  for (rocksdb::ColumnFamilyHandle* family : {meta_, entries_}) {
    if (family != nullptr) db_->DestroyColumnFamilyHandle(family);
  }
  db_.reset();  // whose threads may still report an error
}

absl::StatusOr<std::unique_ptr<RocksLogStore>> RocksLogStore::Open(
    const RocksLogStoreOptions& options, base::Executor& executor, base::Clock& clock,
    base::Metrics& metrics) {
  RETURN_IF_ERROR(base::CreateFolder(options.folder));
  std::unique_ptr<RocksLogStore> store(new RocksLogStore(options, executor, clock, metrics));
  RETURN_IF_ERROR(store->OpenDatabase());
  RETURN_IF_ERROR(store->LoadMeta());
  RETURN_IF_ERROR(store->LoadEntries());
  store->thread_.emplace("raft-log", [raw = store.get()] { raw->RunLogThread(); });
  return store;
}

// --- Opening

absl::Status RocksLogStore::OpenDatabase() {
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, MetaFamilyOptions()},
      {"entries", EntriesFamilyOptions(options_)},
  };
  const std::string folder = options_.folder + "/db";
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Options options = DatabaseOptions(options_);
  options.listeners.push_back(std::make_shared<ErrorListener>(*this));
  rocksdb::Status status = rocksdb::DB::Open(options, folder, families, &handles, &db);
  if (status.IsCorruption()) {
    ASSIGN_OR_RETURN(const std::unique_ptr<base::Folder> database, base::OpenFolder(folder));
    const absl::StatusOr<uint64_t> cut = base::CutTornTails(*database);
    if (!cut.ok() && !absl::IsNotFound(cut.status())) return cut.status();
    if (cut.value_or(0) > 0) {  // else it is damage, as of a file that names another one
      LOG_WARN("an unfinished write was cut off the log's end folder={} bytes={}", folder, *cut);
      status = rocksdb::DB::Open(options, folder, families, &handles, &db);
    }
  }
  RETURN_IF_ERROR(FromRocks(status, "open", options_.folder));
  db_.reset(db);
  meta_ = handles[0];
  entries_ = handles[1];
  return absl::OkStatus();
}

absl::Status RocksLogStore::LoadMeta() {
  LogRecords records;
  ASSIGN_OR_RETURN(records.hard_state, ReadMeta(kHardStateKey));
  ASSIGN_OR_RETURN(records.formation, ReadMeta(kFormationKey));
  ASSIGN_OR_RETURN(records.log_start, ReadMeta(kLogStartKey));
  absl::StatusOr<std::string> vote = base::ReadFile(VoteFile());
  if (vote.ok()) {
    records.vote_file = *std::move(vote);
  } else if (!absl::IsNotFound(vote.status())) {  // a crash before the first one
    return vote.status();
  }
  ASSIGN_OR_RETURN(LogBeginning beginning, check_.Records(records));
  initial_hard_state_ = beginning.hard_state;
  initial_formation_ = std::move(beginning.formation);
  first_index_ = beginning.first;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> RocksLogStore::ReadMeta(const char* key) const {
  std::string record;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), meta_, key, &record);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(FromRocks(status, "read", options_.folder));
  return std::optional<std::string>(std::move(record));
}

absl::Status RocksLogStore::LoadEntries() {
  rocksdb::ReadOptions read_options;
  read_options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(read_options, entries_));
  last_index_ = first_index_ - 1;
  const raft::Term recorded =
      initial_hard_state_.has_value() ? initial_hard_state_->term : raft::Term();
  raft::Term last_term;
  for (iterator->Seek(EncodeEntryKey(first_index_)); iterator->Valid(); iterator->Next()) {
    ASSIGN_OR_RETURN(raft::Entry entry,
                     check_.Entry({last_index_ + 1, last_term, recorded}, ViewOf(iterator->key()),
                                  ViewOf(iterator->value())));
    last_term = entry.term;
    Keep(std::make_shared<const raft::Entry>(std::move(entry)));
    cache_.Evict(last_index_);
  }
  if (!iterator->status().ok()) {
    return CantRead(fmt::format("entry {}", last_index_ + 1), iterator->status());
  }
  durable_ = last_index_;
  written_first_index_ = first_index_;
  written_last_index_ = last_index_;
  return absl::OkStatus();
}

void RocksLogStore::Keep(raft::EntryPtr entry) {
  CHECK(entry->index == last_index_ + 1);
  last_index_ = entry->index;
  if (entry->type == raft::EntryType::kMembership) memberships_.push_back(entry);
  cache_.Append(std::move(entry));
}

absl::Status RocksLogStore::CantRead(std::string_view part, const rocksdb::Status& why) const {
  if (IsDamage(why)) return check_.Damaged(part, absl::DataLossError(why.ToString()));
  return FromRocks(why, "read", options_.folder);
}

// --- Writing

void RocksLogStore::Persist(PersistRequest request, Done done) {
  if (request.reset_to != raft::LogIndex()) Reset(request.reset_to);
  if (request.truncate_from != raft::LogIndex()) Truncate(request.truncate_from);
  for (const raft::EntryPtr& entry : request.entries) {
    Keep(entry);
    free_space_.OnWritten(raft::EntryBytes(*entry));
  }
  if (request.compact_to >= first_index_) Compact(request.compact_to);
  if (outstanding_.empty()) began_ = clock_.Monotonic();
  outstanding_.push_back({++last_number_, last_index_});
  Write write{std::move(request), [this, alive = std::weak_ptr<bool>(alive_),
                                   number = last_number_,
                                   done = std::move(done)](absl::Status status) mutable {
                if (alive.expired()) return;
                if (status.ok()) OnWritten(number);
                done(std::move(status));
              }};
  base::MutexLock lock(mutex_);
  queue_.push_back(std::move(write));
  if (queue_.size() == 1) wake_.Signal();
}

void RocksLogStore::Reset(raft::LogIndex to) {
  CHECK(to + 1 >= first_index_);
  cache_.Clear();
  memberships_.clear();
  first_index_ = to + 1;
  last_index_ = to;
  durable_ = to;
  for (Outstanding& write : outstanding_) write.last_index = raft::LogIndex();
}

// What is rewritten is not durable when the older write of the same index ends (R16).
void RocksLogStore::Truncate(raft::LogIndex from) {
  CHECK(from >= first_index_ && from <= last_index_ + 1);
  const raft::LogIndex kept = from - 1;
  cache_.TruncateFrom(from);
  while (!memberships_.empty() && memberships_.back()->index >= from) memberships_.pop_back();
  last_index_ = kept;
  durable_ = std::min(durable_, kept);
  for (Outstanding& write : outstanding_) write.last_index = std::min(write.last_index, kept);
}

void RocksLogStore::Compact(raft::LogIndex to) {
  CHECK(to <= last_index_);
  cache_.CompactTo(to);
  std::erase_if(memberships_, [to](const raft::EntryPtr& entry) { return entry->index <= to; });
  first_index_ = to + 1;
}

void RocksLogStore::OnWritten(uint64_t number) {
  while (!outstanding_.empty() && outstanding_.front().number <= number) {
    durable_ = std::max(durable_, outstanding_.front().last_index);
    outstanding_.pop_front();
  }
  began_ = clock_.Monotonic();
  cache_.Evict(durable_);
}

void RocksLogStore::RunLogThread() {
  while (true) {
    std::vector<Write> writes;
    absl::Status status;
    {
      base::MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) wake_.Wait(mutex_);
      if (queue_.empty()) return;
      writes.swap(queue_);
      status = failure_;
    }
    if (status.ok()) status = WriteAll(writes);
    executor_.Post([writes = std::move(writes), status]() mutable {
      for (Write& write : writes) write.done(status);
    });
    if (status.ok()) status = DeleteCompactedFiles();
    SetFailure(status);
  }
}

void RocksLogStore::SetFailure(const absl::Status& failure) {
  base::MutexLock lock(mutex_);
  failure_.Update(failure);
}

absl::Status RocksLogStore::WriteAll(const std::vector<Write>& writes) {
  rocksdb::WriteBatch batch;
  const raft::HardState* hard_state = nullptr;
  for (const Write& write : writes) {
    RETURN_IF_ERROR(FromRocks(AddToBatch(write.request, batch), "write", options_.folder));
    if (write.request.hard_state.has_value()) hard_state = &*write.request.hard_state;
  }
  rocksdb::WriteOptions write_options;
  write_options.sync = true;
  const absl::Duration start = clock_.Monotonic();
  const rocksdb::Status status = db_->Write(write_options, &batch);
  sync_seconds_.Observe(clock_.Monotonic() - start);
  syncs_.Add();
  RETURN_IF_ERROR(FromRocks(status, "write", options_.folder));
  if (hard_state == nullptr) return absl::OkStatus();
  return base::WriteFileDurably(VoteFile(), EncodeHardState(*hard_state));
}

rocksdb::Status RocksLogStore::AddToBatch(const PersistRequest& request,
                                          rocksdb::WriteBatch& batch) {
  const raft::LogIndex first_before = written_first_index_;
  rocksdb::Status status = AddEntries(request, batch);
  if (written_first_index_ != first_before && status.ok()) {
    status = batch.Put(meta_, kLogStartKey, EncodeLogStart(written_first_index_));
  }
  if (request.hard_state.has_value() && status.ok()) {
    status = batch.Put(meta_, kHardStateKey, EncodeHardState(*request.hard_state));
  }
  if (request.formation.has_value() && status.ok()) {
    status = batch.Put(meta_, kFormationKey, EncodeRecord(*request.formation));
  }
  return status;
}

rocksdb::Status RocksLogStore::AddEntries(const PersistRequest& request,
                                          rocksdb::WriteBatch& batch) {
  rocksdb::Status status;
  // What lies before the start need not be deleted, only what lies behind it.
  raft::LogIndex kept = written_last_index_;
  if (request.reset_to != raft::LogIndex()) kept = std::min(kept, request.reset_to);
  if (request.truncate_from != raft::LogIndex()) kept = std::min(kept, request.truncate_from - 1);
  for (; written_last_index_ > kept && status.ok(); written_last_index_ = written_last_index_ - 1) {
    status = batch.Delete(entries_, EncodeEntryKey(written_last_index_));
  }
  if (request.reset_to != raft::LogIndex()) {
    written_first_index_ = request.reset_to + 1;
    written_last_index_ = request.reset_to;
  }
  for (const raft::EntryPtr& entry : request.entries) {
    const std::string key = EncodeEntryKey(entry->index);
    if (status.ok()) status = batch.Put(entries_, key, EncodeEntryValue(key, *entry));
    written_last_index_ = entry->index;
    entries_written_.Add();
  }
  written_first_index_ = std::max(written_first_index_, request.compact_to + 1);
  return status;
}

// One after the other, each of which takes some milliseconds, while nobody waits for a write.
absl::Status RocksLogStore::DeleteCompactedFiles() {
  while (files_first_index_ != written_first_index_) {
    ASSIGN_OR_RETURN(const bool deleted, DeleteOldestFile());
    if (!deleted) files_first_index_ = written_first_index_;
    base::MutexLock lock(mutex_);
    if (!queue_.empty()) break;
  }
  return absl::OkStatus();
}

// Only level 0 is in use and only its oldest file may go, so that no deletion of an entry is lost
// while the entry is still there.
absl::StatusOr<bool> RocksLogStore::DeleteOldestFile() {
  rocksdb::ColumnFamilyMetaData family;
  db_->GetColumnFamilyMetaData(entries_, &family);
  const auto& files = family.levels[0].files;  // newest first
  if (files.empty() || files.back().largestkey >= EncodeEntryKey(written_first_index_)) {
    return false;
  }
  RETURN_IF_ERROR(FromRocks(db_->DeleteFile(files.back().name), "compact", options_.folder));
  return true;
}

absl::Status RocksLogStore::RoomFor(EntryKind kind) const {
  const uint64_t reserve = options_.free_bytes_reserve;
  const uint64_t wanted = kind == EntryKind::kUpkeep ? reserve / 2 : reserve;
  ASSIGN_OR_RETURN(const uint64_t free_bytes, free_space_.Bytes(wanted));
  if (free_bytes >= wanted) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("the disk of '{}' is nearly full ({} bytes free, {} are kept in reserve); free "
                  "some space, writing then goes on by itself",
                  options_.folder, free_bytes, reserve));
}

absl::Duration RocksLogStore::WritingFor() const {
  return outstanding_.empty() ? absl::ZeroDuration() : clock_.Monotonic() - began_;
}

uint64_t RocksLogStore::Bytes() const {
  uint64_t files = 0;
  uint64_t memory = 0;  // is in the write-ahead log on disk
  db_->GetIntProperty(entries_, rocksdb::DB::Properties::kTotalSstFilesSize, &files);
  db_->GetIntProperty(entries_, rocksdb::DB::Properties::kSizeAllMemTables, &memory);
  return files + memory;
}

// --- Reading

absl::StatusOr<raft::Term> RocksLogStore::TermAt(raft::LogIndex index) {
  ASSIGN_OR_RETURN(const std::vector<raft::EntryPtr> entries, Read(index, index + 1, 0));
  return entries.front()->term;
}

absl::StatusOr<std::vector<raft::EntryPtr>> RocksLogStore::Read(raft::LogIndex begin,
                                                                raft::LogIndex end,
                                                                size_t bytes_max) {
  CHECK(begin >= first_index_ && begin < end && end <= last_index_ + 1);
  std::vector<raft::EntryPtr> out;
  size_t bytes = 0;
  const raft::LogIndex cached = cache_.empty() ? last_index_ + 1 : cache_.first_index();
  if (begin < cached) {
    RETURN_IF_ERROR(ReadFromDisk(begin, std::min(end, cached), bytes_max, bytes, out));
    if (out.back()->index + 1 < std::min(end, cached)) return out;  // the bound was reached
  }
  for (raft::LogIndex index = begin + out.size(); index < end; ++index) {
    raft::EntryPtr entry = cache_.Find(index);
    bytes += raft::EntryBytes(*entry);
    if (bytes > bytes_max && !out.empty()) break;
    out.push_back(std::move(entry));
  }
  return out;
}

absl::Status RocksLogStore::ReadFromDisk(raft::LogIndex begin, raft::LogIndex end,
                                         size_t bytes_max, size_t& bytes,
                                         std::vector<raft::EntryPtr>& out) const {
  rocksdb::ReadOptions read_options;
  read_options.fill_cache = false;
  const std::string end_key = EncodeEntryKey(end);
  const rocksdb::Slice upper_bound(end_key);
  read_options.iterate_upper_bound = &upper_bound;
  std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(read_options, entries_));
  iterator->Seek(EncodeEntryKey(begin));
  for (raft::LogIndex index = begin; index < end; ++index, iterator->Next()) {
    if (!iterator->Valid()) {
      const std::string part = fmt::format("entry {}", index);
      if (!iterator->status().ok()) return CantRead(part, iterator->status());
      return check_.Damaged(part, absl::DataLossError("it is missing"));
    }
    ASSIGN_OR_RETURN(raft::Entry entry,
                     check_.Entry({index}, ViewOf(iterator->key()), ViewOf(iterator->value())));
    const size_t entry_bytes = raft::EntryBytes(entry);
    if (!out.empty() && bytes + entry_bytes > bytes_max) return absl::OkStatus();
    bytes += entry_bytes;
    out.push_back(std::make_shared<const raft::Entry>(std::move(entry)));
  }
  return absl::OkStatus();
}

}  // namespace bellwether::coord
