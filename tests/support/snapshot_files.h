#pragma once

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/folder.h"
#include "base/status.h"
#include "coord/storage/snapshot_file.h"
#include "coord/tree/snapshot_codec.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::coord {

// Snapshot files as server 1 of an ensemble writes them: of entry 17 in term 3.
inline absl::Status WriteSnapshotFile(
    const ScratchFolder& scratch, const std::string& name,
    absl::FunctionRef<absl::Status(SnapshotFileWriter&)> write_records) {
  ASSIGN_OR_RETURN(const auto folder, base::OpenFolder(scratch.path()));
  ASSIGN_OR_RETURN(const auto file, folder->Open(name, base::Folder::Mode::kCreate));
  SnapshotFileWriter writer(*file);
  raft::SnapshotMeta meta;
  meta.index = raft::LogIndex(17);
  meta.term = raft::Term(3);
  meta.membership.members = {{raft::ServerId(1), "old:1"}};
  RETURN_IF_ERROR(writer.WriteHeader(meta));
  RETURN_IF_ERROR(write_records(writer));
  return writer.WriteEnd();
}

// One that holds this state.
inline absl::Status WriteStateFile(const ScratchFolder& scratch, const std::string& name,
                                   const tree::StateView& state) {
  return WriteSnapshotFile(scratch, name, [&state](SnapshotFileWriter& writer) {
    return tree::WriteSnapshot(
        state, [&writer](std::string_view record) { return writer.Append(record); });
  });
}

}  // namespace bellwether::coord
