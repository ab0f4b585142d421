#include "client/snapshot_download.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/errors.h"

namespace bellwether::client {
namespace {

constexpr absl::Duration kPauseFirst = absl::Milliseconds(100);
constexpr absl::Duration kPauseMax = absl::Seconds(1);

// This server can't take a snapshot, or its disk is full; another one may.
bool IsUnable(const absl::Status& status) {
  return absl::IsUnavailable(status) ||
         (absl::IsResourceExhausted(status) && ReasonOf(status) != "busy");
}

// The piece at `offset` of the snapshot that `before` is of.
absl::StatusOr<SnapshotPiece> ReadPiece(SnapshotServers& servers, const SnapshotPiece& before,
                                        uint64_t offset, absl::Duration timeout) {
  const absl::Duration deadline = servers.Now() + timeout;
  const bool is_first = offset == 0;
  size_t unable = 0;  // servers
  for (absl::Duration pause = kPauseFirst;; pause = std::min(2 * pause, kPauseMax)) {
    auto piece = servers.Read(before.index, before.term, offset, deadline - servers.Now());
    const bool busy = ReasonOf(piece.status()) == "busy";
    const bool others_may_be_able =
        is_first && IsUnable(piece.status()) && ++unable < servers.count();
    const bool late = servers.Now() + pause >= deadline;
    if (absl::IsNotFound(piece.status())) {  // newer ones took its place
      return absl::UnavailableError(piece.status().message());
    }
    if (late || (!busy && !others_may_be_able)) return piece;
    servers.Sleep(pause);
    if (is_first) servers.UseNext();
  }
}

}  // namespace

absl::StatusOr<uint64_t> DownloadSnapshot(
    SnapshotServers& servers, absl::FunctionRef<absl::Status(std::string_view piece)> sink,
    absl::Duration timeout) {
  ASSIGN_OR_RETURN(SnapshotPiece piece, ReadPiece(servers, {}, 0, timeout));
  const uint64_t file_bytes = piece.file_bytes;
  uint64_t received = 0;
  while (!piece.bytes.empty()) {
    received += piece.bytes.size();
    RETURN_IF_ERROR(sink(piece.bytes));
    if (received >= file_bytes) break;
    ASSIGN_OR_RETURN(piece, ReadPiece(servers, piece, received, timeout));
  }
  if (received == file_bytes) return file_bytes;
  return absl::DataLossError(absl::StrCat("the server sent ", received, " bytes of a snapshot of ",
                                          file_bytes, "; save it again"));
}

}  // namespace bellwether::client
