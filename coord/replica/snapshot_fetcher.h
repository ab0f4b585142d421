#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "coord/raft/membership.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

struct SnapshotFetchOptions {
  uint32_t chunk_bytes = 1 << 20;           // of one request, at most 1 MiB
  uint64_t bytes_per_second = 64 << 20;     // how fast a snapshot is fetched at most, on average
  absl::Duration answer_timeout = absl::Seconds(1);  // then it is asked again
  int attempts = 10;                        // without an answer; then the server is given up
};

// Decides what to ask next of the server that a snapshot is fetched from: one piece at a time, in
// order, at a limited rate, again when an answer is lost. Where the bytes go is its owner's matter,
// who says when a piece is stored. Pure; not thread-safe.
//
//   Begin -> Poll (ask) -> OnChunk (kPiece: store it) -> OnStored -> Poll ... -> whole()
class SnapshotFetcher {
 public:
  explicit SnapshotFetcher(SnapshotFetchOptions options) : options_(options) {}

  // Instead of what was fetched before. `stored`: bytes that are there from an earlier attempt.
  void Begin(ServerId from, raft::SnapshotMeta snapshot, uint64_t stored, absl::Duration now);
  void Stop() { job_.reset(); }

  bool active() const { return job_.has_value(); }
  // These require active().
  ServerId from() const { return job_->from; }
  const raft::SnapshotMeta& snapshot() const { return job_->snapshot; }
  uint64_t stored() const { return job_->stored; }
  // A piece is being stored, or all are: there is nothing to ask.
  bool busy() const { return job_->storing || job_->end_seen; }
  // All pieces are stored.
  bool whole() const { return job_->end_seen && !job_->storing; }
  // Of the whole file; 0 = not known.
  uint64_t file_bytes() const { return job_->file_bytes; }

  // The request that is due now. `id`: what it will be called, if it is made.
  std::optional<SnapshotChunkRequest> Poll(uint64_t id, absl::Duration now);
  // The server did not answer `attempts` times.
  bool GivenUp(absl::Duration now) const;

  enum class Answer {
    kStale,    // not to the last request
    kPiece,    // store it behind stored(), then OnStored
    kDamaged,  // on the way: is asked again
    kGone,     // the server has no such snapshot
  };
  Answer OnChunk(const SnapshotChunk& chunk);
  // The piece that OnChunk took.
  void OnStored(size_t bytes);

 private:
  struct Asked {
    uint64_t id = 0;
    absl::Duration at;
  };
  struct Job {
    ServerId from;
    raft::SnapshotMeta snapshot;
    uint64_t stored = 0;
    uint64_t file_bytes = 0;
    std::optional<Asked> asked;
    int unanswered = 0;
    bool storing = false;
    bool end_seen = false;
    absl::Duration next;  // no request before
  };

  const SnapshotFetchOptions options_;
  std::optional<Job> job_;
};

}  // namespace bellwether::coord
