#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "coord/replica/log_store.h"
#include "coord/storage/entry_cache.h"
#include "coord/storage/free_space.h"
#include "coord/storage/log_check.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace bellwether::coord {

struct RocksLogStoreOptions {
  std::string folder;                      // created when missing; this store's alone
  size_t cache_bytes_max = 16 << 20;       // of the newest entries, in memory
  // Of one table in memory: what is written to one file of the log, and deleted with it. Together
  // with a piece of write-ahead log that is allocated ahead it must fit into the reserve.
  size_t memtable_bytes = 8 << 20;
  uint64_t free_bytes_reserve = 64 << 20;  // of the disk; see EntryKind
  // The database failed while nobody waited for a write, and every later write will fail: the
  // server must stop. Called on a thread of the database, perhaps more than once; may be empty.
  std::function<void(absl::Status)> on_fatal;
  rocksdb::Env* env = nullptr;  // null: the operating system's; outlives the store
};

// The LogStore on RocksDB (formats: log_format.h). One thread writes: everything asked for during
// a sync goes into the next WriteBatch, so one fsync serves many rounds. Term and vote are also in a
// small file, written after the database and before `done`; a file that is ahead of the database at
// open means that the database lost something. Opening reads and checks the whole log. Files are
// never rewritten; those that hold only compacted entries are deleted whole, oldest first.
// Must not know what entries mean.
// Threads: LogStore's; `done` is posted to `executor`. The store outlives the replica's use of it;
// its destructor finishes what was asked and joins the thread.
// Limits: requests that wait for the disk are bounded by their owner (the core's windows).
class RocksLogStore : public LogStore {
 public:
  // `executor`, `clock` and `metrics` outlive the store. Errors name the folder, the entry if it is
  // one, and the next step: DATA_LOSS (damaged), FAILED_PRECONDITION (in use by another process),
  // PERMISSION_DENIED, UNIMPLEMENTED (a later format).
  static absl::StatusOr<std::unique_ptr<RocksLogStore>> Open(const RocksLogStoreOptions& options,
                                                             base::Executor& executor,
                                                             base::Clock& clock,
                                                             base::Metrics& metrics);
  ~RocksLogStore() override;

  // LogStore
  std::optional<raft::HardState> InitialHardState() const override { return initial_hard_state_; }
  std::string InitialFormation() const override { return initial_formation_; }
  void Persist(PersistRequest request, Done done) override;
  absl::Status RoomFor(EntryKind kind) const override;
  absl::Duration WritingFor() const override;
  uint64_t Bytes() const override;

  // raft::LogReader
  raft::LogIndex FirstIndex() const override { return first_index_; }
  raft::LogIndex LastIndex() const override { return last_index_; }
  absl::StatusOr<raft::Term> TermAt(raft::LogIndex index) override;
  std::vector<raft::EntryPtr> MembershipEntries() override { return memberships_; }
  absl::StatusOr<std::vector<raft::EntryPtr>> Read(raft::LogIndex begin, raft::LogIndex end,
                                                   size_t bytes_max) override;

 private:
  struct Write {
    PersistRequest request;
    Done done;
  };
  // A write not yet durable, and the last entry that is durable once it is.
  struct Outstanding {
    uint64_t number;
    raft::LogIndex last_index;
  };
  class ErrorListener;

  RocksLogStore(RocksLogStoreOptions options, base::Executor& executor, base::Clock& clock,
                base::Metrics& metrics);

  absl::Status OpenDatabase();
  absl::Status LoadMeta();
  // Of one record of the meta family, without its checksum; nullopt when there is none.
  absl::StatusOr<std::optional<std::string>> ReadMeta(const char* key) const;
  absl::Status LoadEntries();
  void Keep(raft::EntryPtr entry);
  std::string VoteFile() const { return options_.folder + "/vote"; }

  // On the log thread.
  void RunLogThread();
  // From any thread. The first failure is the last.
  void SetFailure(const absl::Status& failure);
  absl::Status WriteAll(const std::vector<Write>& writes);
  rocksdb::Status AddToBatch(const PersistRequest& request, rocksdb::WriteBatch& batch);
  rocksdb::Status AddEntries(const PersistRequest& request, rocksdb::WriteBatch& batch);
  // Frees files whose entries the log no longer has.
  absl::Status DeleteCompactedFiles();
  // False when the oldest one holds an entry of the log.
  absl::StatusOr<bool> DeleteOldestFile();

  // On the executor: what the request does to the log in memory.
  void Reset(raft::LogIndex to);
  void Truncate(raft::LogIndex from);
  void Compact(raft::LogIndex to);
  // On the executor, after write `number` ended.
  void OnWritten(uint64_t number);
  absl::Status ReadFromDisk(raft::LogIndex begin, raft::LogIndex end, size_t bytes_max,
                            size_t& bytes, std::vector<raft::EntryPtr>& out) const;
  absl::Status CantRead(std::string_view part, const rocksdb::Status& why) const;

  // Constant after Open.
  const RocksLogStoreOptions options_;
  const LogCheck check_;
  base::Executor& executor_;
  base::Clock& clock_;
  base::Histogram& sync_seconds_;
  base::Counter& syncs_;
  base::Counter& entries_written_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;     // owned by db_
  rocksdb::ColumnFamilyHandle* entries_ = nullptr;  // likewise
  std::optional<raft::HardState> initial_hard_state_;
  std::string initial_formation_;

  // Owned by the executor.
  mutable FreeSpace free_space_;  // asked for by const RoomFor
  EntryCache cache_;
  raft::LogIndex first_index_{1};  // as Persist was told, all three
  raft::LogIndex last_index_;
  std::vector<raft::EntryPtr> memberships_;
  raft::LogIndex durable_;     // last entry of last_index_'s log that is durable
  uint64_t last_number_ = 0;
  std::deque<Outstanding> outstanding_;
  absl::Duration began_;  // of the first of them that the log thread writes, on clock_
  // Posted completions do nothing to this object once it is gone: they share this flag with it.
  const std::shared_ptr<bool> alive_;

  // Owned by the log thread.
  raft::LogIndex written_first_index_;
  raft::LogIndex written_last_index_;
  raft::LogIndex files_first_index_;  // files that end before it are gone

  base::Mutex mutex_;
  base::CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);  // final
  std::vector<Write> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<base::Thread> thread_;  // absent when Open failed
};

}  // namespace bellwether::coord
