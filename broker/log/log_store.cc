#include "broker/log/log_store.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "base/thread_executor.h"
#include "broker/log/committer.h"
#include "broker/log/loader.h"
#include "broker/log/slice_chains.h"

namespace bellwether::broker {
namespace {

constexpr uint64_t kSliceBytesMin = uint64_t{1} << 30;
// A class's share of the disk is an eighth, and a slice a sixteenth of that.
constexpr uint64_t kSlicesPerDisk = uint64_t{kRetentionClasses} * 16;
// Partitions are created, configured and deleted by writes of about this size, between appends.
constexpr size_t kChangeBytesMax = size_t{1} << 20;

absl::Status CheckConfig(const PartitionConfig& config) {
  if (config.retention_ms < -1 || config.retention_bytes < -1) {
    return absl::InvalidArgumentError(
        fmt::format("retention.ms {} and retention.bytes {} must be -1 (keep) or more",
                    config.retention_ms, config.retention_bytes));
  }
  return absl::OkStatus();
}

// LogStore over RocksDB. The destructor stops the threads; partitions still held elsewhere answer
// NOT_FOUND then and must not be appended to.
class RocksLogStore final : public LogStore {
 public:
  explicit RocksLogStore(LogOptions options)
      : options_(std::move(options)), metrics_(*options_.metrics), maker_("log-slices") {}
  ~RocksLogStore() override;

  absl::Status Start();

  std::vector<absl::Status> CreatePartitions(const std::vector<PartitionSpec>& wanted) override;
  std::vector<absl::Status> ConfigurePartitions(const std::vector<PartitionSpec>& wanted) override;
  std::vector<absl::Status> DeletePartitions(const std::vector<TopicPartition>& ids) override;
  std::shared_ptr<PartitionLog> Find(TopicPartition id) const override { return FindStored(id); }
  std::vector<std::shared_ptr<PartitionLog>> Partitions() const override;
  absl::StatusOr<RetentionResult> RunRetention(absl::Time now) override;
  void Stop() override;

 private:
  using PartitionRef = std::shared_ptr<StoredPartition>;  // shared with readers, see PartitionLog
  struct Advance {
    PartitionRef partition;
    Offset log_start;
  };

  void OnBackgroundError(const absl::Status& status);
  void MakeChains(uint64_t free_bytes);
  void MakeCommitter();
  void Add(StoredPartition::State state);
  PartitionRef FindStored(TopicPartition id) const;
  std::vector<PartitionRef> AllStored() const;
  absl::Status Write(rocksdb::WriteBatch& batch);

  // Checks configurations, and makes the first slices of their classes.
  std::vector<absl::Status> PrepareClasses(const std::vector<PartitionSpec>& wanted);

  // Writes changes on the committer, between its rounds: `change` gets the index of the first one
  // that is not written yet, writes some, and returns the index after them. Those with an outcome
  // that is not OK are left out.
  using Change = absl::FunctionRef<size_t(size_t begin, std::vector<absl::Status>& outcomes)>;
  std::vector<absl::Status> WriteInPieces(std::vector<absl::Status> outcomes, Change change);

  // On the committer.
  size_t CreateSome(const std::vector<PartitionSpec>& wanted, size_t begin,
                    std::vector<absl::Status>& outcomes);
  size_t ConfigureSome(const std::vector<PartitionSpec>& wanted, size_t begin,
                       std::vector<absl::Status>& outcomes);
  size_t DeleteSome(const std::vector<TopicPartition>& ids, size_t begin,
                    std::vector<absl::Status>& outcomes);
  void Forget(StoredPartition& partition, const std::vector<DirectoryEntry>& entries);
  absl::Status RetainNow(int64_t now_ms, RetentionResult& result, std::vector<SliceRef>& dead);

  void DeleteEntries(PartitionUid uid, const std::vector<DirectoryEntry>& entries,
                     rocksdb::WriteBatch& batch);

  const LogOptions options_;
  LogMetrics metrics_;
  std::shared_ptr<Database> database_;  // shared: see Database
  base::ThreadExecutor maker_;
  std::unique_ptr<SliceChains> chains_;
  std::unique_ptr<Committer> committer_;
  PartitionUid next_uid_;  // the committer's

  mutable base::Mutex mutex_;
  std::map<TopicPartition, PartitionRef> partitions_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status background_error_ ABSL_GUARDED_BY(mutex_);
};

RocksLogStore::~RocksLogStore() {
  Stop();
  for (const PartitionRef& partition : AllStored()) {
    for (auto& wake : partition->MarkDeleted()) wake();
  }
}

absl::Status RocksLogStore::Start() {
  ASSIGN_OR_RETURN(database_,
                   Database::Open(options_, metrics_, [this](const absl::Status& status) {
                     maker_.Post([this, status] { OnBackgroundError(status); });
                   }));
  ASSIGN_OR_RETURN(LoadedStore loaded, LoadStore(database_));
  ASSIGN_OR_RETURN(const uint64_t free_bytes, base::FreeBytes(options_.path));
  next_uid_ = loaded.next_uid;
  MakeChains(free_bytes);
  chains_->Restore(std::move(loaded.slices));
  MakeCommitter();
  for (StoredPartition::State& state : loaded.partitions) {
    const int retention_class = RetentionClassOf(state.record.config.retention_ms);
    Add(std::move(state));
    RETURN_IF_ERROR(chains_->EnsureClass(retention_class));
  }
  committer_->Start();
  base::MutexLock lock(mutex_);
  started_ = background_error_.ok();
  return background_error_;
}

void RocksLogStore::OnBackgroundError(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    background_error_ = status;
    if (!started_) return;
  }
  committer_->Fail(status);
}

void RocksLogStore::MakeChains(uint64_t free_bytes) {
  SliceChains::Options options;
  options.slice_duration = [fixed = options_.slice_duration](int retention_class) {
    return fixed ? *fixed : DefaultSliceDuration(retention_class);
  };
  options.slice_bytes_max = options_.slice_bytes_max != 0
                                ? options_.slice_bytes_max
                                : std::max(kSliceBytesMin, free_bytes / kSlicesPerDisk);
  options.clock = options_.clock;
  chains_ = std::make_unique<SliceChains>(std::move(options), database_, metrics_, maker_);
}

void RocksLogStore::MakeCommitter() {
  Committer::Options options;
  options.queue_bytes_max = options_.append_queue_bytes_max;
  options.round_bytes_max = options_.round_bytes_max;
  options.index_interval_bytes = options_.index_interval_bytes;
  options.tail_bytes_max = options_.tail_bytes_max;
  options.disk_reserve_bytes = options_.disk_reserve_bytes;
  options.free_bytes = options_.free_bytes;
  if (!options.free_bytes) {
    options.free_bytes = [path = options_.path] { return base::FreeBytes(path); };
  }
  options.path = options_.path;
  options.clock = options_.clock;
  options.on_fatal = options_.on_fatal;
  committer_ = std::make_unique<Committer>(std::move(options), *database_, *chains_, metrics_);
}

void RocksLogStore::Add(StoredPartition::State state) {
  const TopicPartition id = state.record.id;
  auto partition = std::make_shared<StoredPartition>(std::move(state), *database_, metrics_,
                                                     *committer_, options_.batch_bytes_max);
  base::MutexLock lock(mutex_);
  partitions_[id] = std::move(partition);
  metrics_.partitions.Set(static_cast<int64_t>(partitions_.size()));
}

RocksLogStore::PartitionRef RocksLogStore::FindStored(TopicPartition id) const {
  base::MutexLock lock(mutex_);
  const auto found = partitions_.find(id);
  return found == partitions_.end() ? nullptr : found->second;
}

std::vector<RocksLogStore::PartitionRef> RocksLogStore::AllStored() const {
  base::MutexLock lock(mutex_);
  std::vector<PartitionRef> all;
  for (const auto& [id, partition] : partitions_) all.push_back(partition);
  return all;
}

std::vector<std::shared_ptr<PartitionLog>> RocksLogStore::Partitions() const {
  const std::vector<PartitionRef> all = AllStored();
  return {all.begin(), all.end()};
}

absl::Status RocksLogStore::Write(rocksdb::WriteBatch& batch) {
  const absl::Status written = database_->Write(batch);
  if (written.ok()) return written;
  committer_->Fail(written);
  return base::UnknownOutcome(written.code(), base::StdView(written.message()));
}

std::vector<absl::Status> RocksLogStore::PrepareClasses(const std::vector<PartitionSpec>& wanted) {
  std::vector<absl::Status> outcomes;
  for (const PartitionSpec& spec : wanted) {
    absl::Status outcome = CheckConfig(spec.config);
    if (outcome.ok()) outcome = chains_->EnsureClass(RetentionClassOf(spec.config.retention_ms));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

std::vector<absl::Status> RocksLogStore::WriteInPieces(std::vector<absl::Status> outcomes,
                                                       Change change) {
  size_t next = 0;
  while (next < outcomes.size()) {
    const absl::Status ran = committer_->Run([&] {
      next = change(next, outcomes);
      return absl::OkStatus();
    });
    if (ran.ok()) continue;
    for (; next < outcomes.size(); ++next) outcomes[next].Update(ran);
  }
  return outcomes;
}

std::vector<absl::Status> RocksLogStore::CreatePartitions(
    const std::vector<PartitionSpec>& wanted) {
  const absl::Status disk = committer_->CheckDisk();
  if (!disk.ok()) return std::vector<absl::Status>(wanted.size(), disk);
  return WriteInPieces(PrepareClasses(wanted),
                       [&](size_t begin, std::vector<absl::Status>& outcomes) {
                         return CreateSome(wanted, begin, outcomes);
                       });
}

size_t RocksLogStore::CreateSome(const std::vector<PartitionSpec>& wanted, size_t begin,
                                 std::vector<absl::Status>& outcomes) {
  absl::flat_hash_map<TopicPartition, size_t> created;  // to the index
  PartitionUid next_uid = next_uid_;
  std::vector<StoredPartition::State> states;
  rocksdb::WriteBatch batch;
  size_t end = begin;
  for (; end < wanted.size() && batch.GetDataSize() < kChangeBytesMax; ++end) {
    if (!outcomes[end].ok()) continue;
    const PartitionSpec& spec = wanted[end];
    if (FindStored(spec.id) != nullptr || !created.emplace(spec.id, end).second) {
      outcomes[end] = absl::AlreadyExistsError(
          fmt::format("partition {} is already here", spec.id.ToString()));
      continue;
    }
    StoredPartition::State state;
    state.record = {.id = spec.id, .uid = next_uid, .config = spec.config};
    batch.Put(database_->metadata(), PartitionKey(spec.id), EncodePartition(state.record));
    batch.Put(database_->metadata(), LogKey(next_uid),
              EncodeLog({.uid = next_uid, .log_start = Offset(0), .log_end = Offset(0)}));
    states.push_back(std::move(state));
    ++next_uid;
  }
  if (states.empty()) return end;
  batch.Put(database_->metadata(), CountersKey(), EncodeCounters(next_uid));
  const absl::Status written = Write(batch);
  for (const auto& [id, index] : created) outcomes[index] = written;
  if (!written.ok()) return end;
  next_uid_ = next_uid;
  for (StoredPartition::State& state : states) {
    LOG_INFO("partition created partition={} uid={}", state.record.id.ToString(), state.record.uid);
    Add(std::move(state));
  }
  return end;
}

std::vector<absl::Status> RocksLogStore::DeletePartitions(
    const std::vector<TopicPartition>& ids) {
  return WriteInPieces(std::vector<absl::Status>(ids.size()),
                       [&](size_t begin, std::vector<absl::Status>& outcomes) {
                         return DeleteSome(ids, begin, outcomes);
                       });
}

void RocksLogStore::DeleteEntries(PartitionUid uid, const std::vector<DirectoryEntry>& entries,
                                  rocksdb::WriteBatch& batch) {
  for (const DirectoryEntry& entry : entries) {
    batch.Delete(database_->directory(), EntryKey(uid, entry.slice->id));
    for (const IndexPoint& point : entry.points) {
      batch.Delete(database_->directory(), PointKey(uid, entry.slice->id, point.offset));
    }
  }
}

size_t RocksLogStore::DeleteSome(const std::vector<TopicPartition>& ids, size_t begin,
                                 std::vector<absl::Status>& outcomes) {
  struct Deletion {
    PartitionRef partition;
    std::vector<DirectoryEntry> entries;
  };
  std::map<size_t, Deletion> deletions;  // by index
  absl::flat_hash_set<TopicPartition> seen;
  rocksdb::WriteBatch batch;
  size_t end = begin;
  for (; end < ids.size() && batch.GetDataSize() < kChangeBytesMax; ++end) {
    PartitionRef partition = FindStored(ids[end]);
    if (partition == nullptr || !seen.insert(ids[end]).second) {
      outcomes[end] =
          absl::NotFoundError(fmt::format("partition {} is not here", ids[end].ToString()));
      continue;
    }
    const PartitionUid uid = partition->uid();
    batch.Delete(database_->metadata(), PartitionKey(ids[end]));
    batch.Delete(database_->metadata(), LogKey(uid));
    for (const EpochStart& epoch : partition->epochs()) {
      batch.Delete(database_->metadata(), EpochKey(uid, epoch.epoch));
    }
    std::vector<DirectoryEntry> entries = partition->EntriesBelow(partition->offsets().log_end);
    DeleteEntries(uid, entries, batch);
    deletions[end] = {std::move(partition), std::move(entries)};
  }
  if (deletions.empty()) return end;
  const absl::Status written = Write(batch);
  for (const auto& [index, deletion] : deletions) {
    outcomes[index] = written;
    if (written.ok()) Forget(*deletion.partition, deletion.entries);
  }
  return end;
}

void RocksLogStore::Forget(StoredPartition& partition,
                           const std::vector<DirectoryEntry>& entries) {
  {
    base::MutexLock lock(mutex_);
    partitions_.erase(partition.id());
    metrics_.partitions.Set(static_cast<int64_t>(partitions_.size()));
  }
  for (const DirectoryEntry& entry : entries) --entry.slice->live_entries;
  for (auto& wake : partition.MarkDeleted()) wake();
  LOG_INFO("partition deleted partition={} uid={}", partition.id().ToString(), partition.uid());
}

std::vector<absl::Status> RocksLogStore::ConfigurePartitions(
    const std::vector<PartitionSpec>& wanted) {
  return WriteInPieces(PrepareClasses(wanted),
                       [&](size_t begin, std::vector<absl::Status>& outcomes) {
                         return ConfigureSome(wanted, begin, outcomes);
                       });
}

size_t RocksLogStore::ConfigureSome(const std::vector<PartitionSpec>& wanted, size_t begin,
                                    std::vector<absl::Status>& outcomes) {
  std::map<size_t, PartitionRef> changed;  // by index
  rocksdb::WriteBatch batch;
  size_t end = begin;
  for (; end < wanted.size() && batch.GetDataSize() < kChangeBytesMax; ++end) {
    if (!outcomes[end].ok()) continue;
    const auto& [id, config] = wanted[end];
    PartitionRef partition = FindStored(id);
    if (partition == nullptr) {
      outcomes[end] = absl::NotFoundError(fmt::format("partition {} is not here", id.ToString()));
      continue;
    }
    if (partition->config() == config) continue;
    batch.Put(database_->metadata(), PartitionKey(id),
              EncodePartition({.id = id, .uid = partition->uid(), .config = config}));
    changed[end] = std::move(partition);
  }
  if (changed.empty()) return end;
  const absl::Status written = Write(batch);
  for (const auto& [index, partition] : changed) {
    outcomes[index] = written;
    if (written.ok()) partition->SetConfig(wanted[index].config);
  }
  return end;
}

absl::StatusOr<RetentionResult> RocksLogStore::RunRetention(absl::Time now) {
  RetentionResult result;
  std::vector<SliceRef> dead;
  RETURN_IF_ERROR(
      committer_->Run([&] { return RetainNow(absl::ToUnixMillis(now), result, dead); }));
  for (const SliceRef& slice : dead) {
    RETURN_IF_ERROR(database_->DropFamily(slice->family()));
    LOG_INFO("slice dropped slice={} class={}", slice->id, slice->retention_class);
    metrics_.slices_dropped.Add();
    ++result.slices_dropped;
  }
  return result;
}

absl::Status RocksLogStore::RetainNow(int64_t now_ms, RetentionResult& result,
                                      std::vector<SliceRef>& dead) {
  std::vector<Advance> advances;
  rocksdb::WriteBatch batch;
  for (const PartitionRef& partition : AllStored()) {
    const LogOffsets offsets = partition->offsets();
    const Offset log_start = partition->RetentionStart(now_ms);
    if (log_start <= offsets.log_start) continue;
    CHECK(log_start <= offsets.high_watermark);
    const PartitionUid uid = partition->uid();
    const std::vector<DirectoryEntry> entries = partition->EntriesBelow(log_start);
    batch.Put(database_->metadata(), LogKey(uid),
              EncodeLog({.uid = uid, .log_start = log_start, .log_end = offsets.log_end}));
    DeleteEntries(uid, entries, batch);
    for (const LeaderEpoch epoch : partition->EpochsBelow(log_start)) {
      batch.Delete(database_->metadata(), EpochKey(uid, epoch));
    }
    for (const DirectoryEntry& entry : entries) --entry.slice->live_entries;
    advances.push_back({partition, log_start});
  }
  dead = chains_->TakeDead(now_ms);
  for (const SliceRef& slice : dead) batch.Delete(database_->metadata(), SliceKey(slice->id));
  if (batch.Count() == 0) return absl::OkStatus();
  RETURN_IF_ERROR(Write(batch));
  for (const Advance& advance : advances) advance.partition->AdvanceLogStart(advance.log_start);
  result.partitions_advanced = static_cast<int>(advances.size());
  return absl::OkStatus();
}

void RocksLogStore::Stop() {
  if (committer_ != nullptr) committer_->Stop();
  maker_.Stop();
  for (const PartitionRef& partition : AllStored()) {
    for (auto& wake : partition->TakeWaits()) wake();
  }
}

}  // namespace

absl::StatusOr<bool> LogStore::IsAt(const std::string& path) {
  return Database::IsAt(path);
}

absl::StatusOr<std::unique_ptr<LogStore>> LogStore::Open(LogOptions options) {
  if (options.metrics == nullptr || options.clock == nullptr || !options.on_fatal ||
      options.path.empty()) {
    return absl::InvalidArgumentError("log store options lack path, metrics, clock or on_fatal");
  }
  const std::string path = options.path;
  auto store = std::make_unique<RocksLogStore>(std::move(options));
  const absl::Status started = store->Start();
  if (!started.ok()) {
    return base::Annotate(started, fmt::format("cannot open the logs in '{}'", path));
  }
  return store;
}

}  // namespace bellwether::broker
