#include "coord/restore.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/metrics.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "base/thread_executor.h"
#include "coord/replica/formation.h"
#include "coord/service/feature_levels.h"
#include "coord/storage/file_snapshot_store.h"
#include "coord/storage/rocks_log_store.h"
#include "coord/tree/snapshot_codec.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// There while the folder is being made, as its first file and its last to go.
constexpr char kMarker[] = "restoring";
constexpr char kSnapshots[] = "snapshots";
constexpr char kLog[] = "raft";
// The restored state stands for the first entry of the new ensemble's log.
constexpr raft::LogIndex kRestoredIndex{1};
constexpr raft::Term kRestoredTerm{1};

absl::StatusOr<bool> HasMarker(const base::DataDir& data_dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, base::ListFolder(data_dir.path()));
  return std::find(names.begin(), names.end(), kMarker) != names.end();
}

absl::Status Used(const std::string& folder) {
  return absl::FailedPreconditionError(
      fmt::format("data folder '{}' was used before; restore into an empty one, and move this one "
                  "away if it is no longer needed",
                  folder));
}

// OK: there is no such folder, or it holds nothing but what comes with opening it, or it holds a
// restore that was not finished.
absl::Status CheckUnused(const std::string& folder) {
  const absl::StatusOr<std::vector<std::string>> names = base::ListFolder(folder);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  RETURN_IF_ERROR(names.status());
  if (std::find(names->begin(), names->end(), kMarker) != names->end()) return absl::OkStatus();
  const bool unused = std::all_of(names->begin(), names->end(), [](const std::string& name) {
    return name == "LOCK" || name == "identity.json" || name == "identity.json.tmp" ||
           name == fmt::format("{}.tmp", kMarker) || name == "lost+found";
  });
  return unused ? absl::OkStatus() : Used(folder);
}

// Checked before anything is put into a folder that may be somebody's, and again once it is locked.
absl::StatusOr<std::unique_ptr<base::DataDir>> OpenUnused(const RestoreOptions& options) {
  RETURN_IF_ERROR(CheckUnused(options.data_dir));
  ASSIGN_OR_RETURN(std::unique_ptr<base::DataDir> data_dir,
                   base::DataDir::Open(options.data_dir, "coord", options.id));
  RETURN_IF_ERROR(CheckUnused(options.data_dir));
  if (!data_dir->identity().ensemble_id.IsNil()) return Used(options.data_dir);
  return data_dir;
}

absl::Status RemoveAll(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return base::FileError("remove", path, error.value());
  return absl::OkStatus();
}

absl::Status CheckFeatureLevel(uint32_t level) {
  if (level >= kSupportedFeatureLevels.min && level <= kSupportedFeatureLevels.max) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      fmt::format("the snapshot is of feature level {} and this build supports only {} to {}; "
                  "restore it with a release that supports level {}",
                  level, kSupportedFeatureLevels.min, kSupportedFeatureLevels.max, level));
}

absl::Status WriteState(const RestoreOptions& options, const std::string& folder_path,
                        const tree::StateMachine& state) {
  ASSIGN_OR_RETURN(const std::unique_ptr<base::Folder> folder, base::OpenFolder(folder_path));
  ASSIGN_OR_RETURN(const auto store, FileSnapshotStore::Open({}, *folder));
  raft::SnapshotMeta meta;
  meta.index = kRestoredIndex;
  meta.term = kRestoredTerm;
  for (const PeerAddress& server : options.servers) {
    meta.membership.members.push_back({server.id, server.address});
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<SnapshotWriter> writer, store->Create(meta));
  RETURN_IF_ERROR(tree::WriteSnapshot(
      state, [&writer](std::string_view record) { return writer->Append(record); }));
  return writer->Commit().status();
}

// A log that begins behind the snapshot, and remembers what the folder is.
absl::Status WriteLog(const std::string& folder, base::Uuid restore_id) {
  base::Metrics metrics;
  base::ThreadExecutor executor("restore");
  RocksLogStoreOptions options;
  options.folder = folder;
  ASSIGN_OR_RETURN(const auto log,
                   RocksLogStore::Open(options, executor, base::SystemClock(), metrics));
  const auto written = base::Rendezvous<absl::Status>::Make();
  executor.Post([&log, written, restore_id] {
    PersistRequest request;
    request.reset_to = kRestoredIndex;
    request.formation = Formation::EncodeRestored(restore_id);
    log->Persist(std::move(request),
                 [written](absl::Status status) { written->Set(std::move(status)); });
  });
  absl::Status status = written->Wait();
  executor.Stop();
  RETURN_IF_ERROR(status);
  return base::SyncFolder(folder);  // the database's own folder in it
}

SnapshotSummary SummaryOf(const tree::StateMachine& state) {
  SnapshotSummary summary;
  summary.index = kRestoredIndex.value();
  summary.term = kRestoredTerm.value();
  summary.zxid = state.zxid().value();
  summary.feature_level = state.feature_level();
  summary.znodes = state.znode_count();
  summary.data_bytes = state.data_bytes();
  summary.digest = state.digest();
  return summary;
}

}  // namespace

absl::StatusOr<RestoreReport> RestoreDataFolder(const RestoreOptions& options) {
  RETURN_IF_ERROR(CheckUnused(options.data_dir));  // first, since a large file takes its time
  ASSIGN_OR_RETURN(SavedSnapshot saved, LoadSnapshotFile(options.file));
  tree::StateMachine& state = *saved.state;
  RETURN_IF_ERROR(CheckFeatureLevel(state.feature_level()));
  // The ensemble's first leader gives it its id, as to every new one, so that no two ensembles that
  // were restored from one file are taken for the same.
  RETURN_IF_ERROR(state.StartNewEnsemble(base::Uuid()));
  const RestoreReport report{saved.summary, SummaryOf(state)};

  ASSIGN_OR_RETURN(const auto data_dir, OpenUnused(options));
  RETURN_IF_ERROR(base::WriteFileDurably(data_dir->File(kMarker), options.file + "\n"));
  RETURN_IF_ERROR(RemoveAll(data_dir->File(kSnapshots)));
  RETURN_IF_ERROR(RemoveAll(data_dir->File(kLog)));
  RETURN_IF_ERROR(WriteState(options, data_dir->File(kSnapshots), state));
  // Two servers may form an ensemble when their states are equal: that is what these say.
  const base::Uuid restore_id(static_cast<uint64_t>(report.restored.zxid), report.restored.digest);
  RETURN_IF_ERROR(WriteLog(data_dir->File(kLog), restore_id));
  ASSIGN_OR_RETURN(const std::unique_ptr<base::Folder> folder,
                   base::OpenFolder(data_dir->path()));
  RETURN_IF_ERROR(folder->Remove(kMarker));
  RETURN_IF_ERROR(folder->Sync());
  return report;
}

absl::Status CheckNotRestoring(const base::DataDir& data_dir) {
  ASSIGN_OR_RETURN(const bool unfinished, HasMarker(data_dir));
  if (!unfinished) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("a restore into data folder '{}' was not finished; run `bell-coord restore` "
                  "again, or empty the folder",
                  data_dir.path()));
}

}  // namespace bellwether::coord
