#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/coord_types.h"

namespace bellwether::client {

// The servers that a snapshot may be had from, one of which is in use, and time.
class SnapshotServers {
 public:
  virtual ~SnapshotServers() = default;
  virtual size_t count() const = 0;
  // The next one, round and round.
  virtual void UseNext() = 0;
  // A piece from the one in use; index 0: the first one of a snapshot of now.
  virtual absl::StatusOr<SnapshotPiece> Read(uint64_t index, uint64_t term, uint64_t offset,
                                             absl::Duration timeout) = 0;
  virtual absl::Duration Now() = 0;  // monotonic
  virtual void Sleep(absl::Duration duration) = 0;
};

// As Coord::SaveSnapshot. A server that is busy is asked again, after a pause, until the piece's time is
// up. The first piece may be any server's: of one that can't serve, as with a full disk, or is busy,
// the next is asked; the others are of the same server.
absl::StatusOr<uint64_t> DownloadSnapshot(
    SnapshotServers& servers, absl::FunctionRef<absl::Status(std::string_view piece)> sink,
    absl::Duration timeout);

}  // namespace bellwether::client
