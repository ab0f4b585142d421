#include "coord/snapshot/saved_snapshot.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/folder.h"
#include "base/status.h"
#include "coord/storage/snapshot_file.h"
#include "coord/tree/snapshot_codec.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

absl::StatusOr<std::unique_ptr<tree::StateMachine>> Load(SnapshotFileReader& reader,
                                                         const std::string& path) {
  tree::SnapshotLoader loader;
  absl::Status taken;
  while (taken.ok()) {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> record, reader.Next());
    if (!record.has_value()) break;
    taken = loader.Add(*record);
  }
  auto state = loader.Finish();
  if (state.ok()) return state;
  return base::Annotate(state.status(), fmt::format("snapshot '{}'", path));
}

}  // namespace

absl::StatusOr<SavedSnapshot> LoadSnapshotFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<base::File> file, base::OpenFile(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<SnapshotFileReader> reader,
                   SnapshotFileReader::Open(std::move(file)));
  SavedSnapshot saved;
  ASSIGN_OR_RETURN(saved.state, Load(*reader, path));
  SnapshotSummary& summary = saved.summary;
  summary.index = reader->meta().index.value();
  summary.term = reader->meta().term.value();
  summary.zxid = saved.state->zxid().value();
  summary.ensemble_id = saved.state->ensemble_id();
  summary.feature_level = saved.state->feature_level();
  summary.znodes = saved.state->znode_count();
  summary.data_bytes = saved.state->data_bytes();
  summary.sessions = saved.state->session_count();
  summary.ephemerals = saved.state->ephemeral_count();
  summary.digest = saved.state->digest();
  summary.file_bytes = reader->file_bytes();
  return saved;
}

absl::StatusOr<SnapshotSummary> VerifySavedSnapshot(const std::string& path) {
  ASSIGN_OR_RETURN(const SavedSnapshot saved, LoadSnapshotFile(path));
  return saved.summary;
}

}  // namespace bellwether::coord
