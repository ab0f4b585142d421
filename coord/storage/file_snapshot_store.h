#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/folder.h"
#include "base/mutex.h"
#include "coord/raft/log_reader.h"
#include "coord/replica/snapshot_store.h"
#include "coord/storage/snapshot_file.h"

namespace bellwether::coord {

struct FileSnapshotStoreOptions {
  // Below this much free disk no snapshot grows: less than the log's reserve, because a snapshot
  // makes room there, and more than nothing, because a log that can't write stops its server.
  uint64_t free_bytes_reserve = 32 << 20;
};

// A snapshot that was found damaged. It is kept under another name for people to look at.
struct DamagedSnapshot {
  raft::LogIndex index;
  raft::Term term;
  std::string path;  // where it is now
  absl::Status why;
};

// The SnapshotStore over one folder:
//
//   snapshot-INDEX-TERM    whole and durable; the newest two are kept
//   writing-INDEX-TERM     being written; removed at open
//   receiving-INDEX-TERM   as far as it was received, at most one; cut at open to what is whole
//   damaged-INDEX-TERM     set aside at open or by Check; the newest two are kept
//
// Whether a server may go on without a damaged one is for the caller to say (CheckReaches).
// Threads and fault model: SnapshotStore's.
class FileSnapshotStore : public SnapshotStore {
 public:
  // Opens what is there: checks the sums of the newest snapshot and sets it aside when they are
  // wrong, until one is whole. `folder` outlives the store and is its alone. Errors: of reading and
  // renaming; UNIMPLEMENTED (a later format).
  static absl::StatusOr<std::unique_ptr<FileSnapshotStore>> Open(
      const FileSnapshotStoreOptions& options, base::Folder& folder);

  // What Open set aside, newest first.
  const std::vector<DamagedSnapshot>& damaged() const { return damaged_; }

  std::optional<SnapshotInfo> Newest() const override;
  absl::StatusOr<std::unique_ptr<SnapshotWriter>> Create(const raft::SnapshotMeta& meta) override;
  absl::Status Check(raft::LogIndex index, raft::Term term,
                     absl::FunctionRef<bool()> stopped) override;
  absl::StatusOr<std::unique_ptr<SnapshotReader>> Open(raft::LogIndex index,
                                                       raft::Term term) override;
  absl::StatusOr<std::string> ReadBytes(raft::LogIndex index, raft::Term term, uint64_t offset,
                                        size_t bytes_max) override;
  uint64_t ReceivedBytes(raft::LogIndex index, raft::Term term) override;
  absl::Status AppendReceived(raft::LogIndex index, raft::Term term, uint64_t offset,
                              std::string_view bytes) override;
  absl::StatusOr<SnapshotInfo> FinishReceived(raft::LogIndex index, raft::Term term) override;

 private:
  class Writer;

  // (index, term), in the order in which snapshots replace each other.
  struct Name {
    raft::LogIndex index;
    raft::Term term;

    friend auto operator<=>(const Name&, const Name&) = default;
  };
  struct Receiving {
    Name name;
    uint64_t bytes;
    uint64_t synced;  // of them
    std::unique_ptr<base::File> file;
  };

  FileSnapshotStore(const FileSnapshotStoreOptions& options, base::Folder& folder)
      : options_(options), folder_(folder) {}

  static std::string FileName(std::string_view kind, const Name& name);
  // The files called KIND-INDEX-TERM, oldest first.
  static std::vector<Name> NamesOf(std::string_view kind, const std::vector<std::string>& files);

  absl::Status Load();
  // Of these, or none; those that are newer and damaged are set aside and added to `damaged`.
  // CANCELLED: `stopped`.
  absl::Status LoadNewest(std::vector<Name> names, std::vector<DamagedSnapshot>& damaged,
                          absl::FunctionRef<bool()> stopped);
  absl::Status LoadReceiving(const std::vector<Name>& names);
  absl::StatusOr<DamagedSnapshot> SetAside(const Name& name, const absl::Status& why);
  // The newest one is no longer there.
  absl::Status ReplaceNewest(absl::FunctionRef<bool()> stopped);
  // The folder after one was set aside, which `is_newest` or not.
  absl::Status TidyUp(bool is_newest, absl::FunctionRef<bool()> stopped);
  // At its first piece; DATA_LOSS also when the file is of another snapshot than its name says.
  absl::StatusOr<std::unique_ptr<SnapshotFileReader>> OpenReader(std::string_view kind,
                                                                 const Name& name);
  // Without unpacking anything. CANCELLED: `stopped`.
  absl::StatusOr<SnapshotInfo> CheckSums(const Name& name, absl::FunctionRef<bool()> stopped);
  // How much of the one being received has its sums; DATA_LOSS: nothing.
  absl::StatusOr<uint64_t> WholeBytes(const Name& name);
  // All but the newest `kept`.
  absl::Status RemoveOlder(std::string_view kind, size_t kept);

  absl::Status CheckRoom() const;
  // A whole and synced file becomes the snapshot of this name.
  absl::StatusOr<SnapshotInfo> Publish(std::string_view kind, const Name& name,
                                       SnapshotInfo info);
  absl::Status BeginReceiving(const Name& name);
  absl::Status ForgetReceiving();
  absl::StatusOr<SnapshotInfo> VerifyReceived(const Name& name);

  const FileSnapshotStoreOptions options_;
  base::Folder& folder_;
  std::vector<DamagedSnapshot> damaged_;  // constant after Open
  std::optional<Receiving> receiving_;
  mutable base::Mutex mutex_;
  std::optional<SnapshotInfo> newest_ ABSL_GUARDED_BY(mutex_);
};

// Whether a log that begins at `log_first` goes on where the newest snapshot ends, so that nothing
// of the state is missing; DATA_LOSS that names `folder` and the gap otherwise (R29).
absl::Status CheckReaches(const SnapshotStore& snapshots, raft::LogIndex log_first,
                          std::string_view folder);
// Likewise, and that the terms don't fall there.
absl::Status CheckReaches(const SnapshotStore& snapshots, raft::LogReader& log,
                          std::string_view folder);

}  // namespace bellwether::coord
