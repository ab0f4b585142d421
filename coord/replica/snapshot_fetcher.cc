#include "coord/replica/snapshot_fetcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"

namespace bellwether::coord {

void SnapshotFetcher::Begin(ServerId from, raft::SnapshotMeta snapshot, uint64_t stored,
                            absl::Duration now) {
  job_ = Job();
  Job& job = *job_;
  job.from = from;
  job.snapshot = std::move(snapshot);
  job.stored = stored;
  job.next = now;
}

std::optional<SnapshotChunkRequest> SnapshotFetcher::Poll(uint64_t id, absl::Duration now) {
  if (!job_.has_value() || job_->storing || job_->end_seen || now < job_->next) {
    return std::nullopt;
  }
  if (job_->asked.has_value()) {
    if (now - job_->asked->at < options_.answer_timeout) return std::nullopt;
    ++job_->unanswered;
  }
  job_->asked = Asked{id, now};
  SnapshotChunkRequest request;
  request.id = id;
  request.index = job_->snapshot.index;
  request.term = job_->snapshot.term;
  request.offset = job_->stored;
  request.bytes_max = options_.chunk_bytes;
  // A pause is not caught up with.
  const absl::Duration cost = absl::Seconds(1) * options_.chunk_bytes /
                              static_cast<int64_t>(options_.bytes_per_second);
  job_->next = std::max(job_->next, now - cost) + cost;
  return request;
}

bool SnapshotFetcher::GivenUp(absl::Duration now) const {
  return job_.has_value() && job_->asked.has_value() && job_->unanswered + 1 >= options_.attempts &&
         now - job_->asked->at >= options_.answer_timeout;
}

SnapshotFetcher::Answer SnapshotFetcher::OnChunk(const SnapshotChunk& chunk) {
  if (!job_.has_value() || !job_->asked.has_value() || job_->asked->id != chunk.id) {
    return Answer::kStale;
  }
  if (!chunk.found) return Answer::kGone;
  if (chunk.data.size() > options_.chunk_bytes || base::Crc32c(chunk.data) != chunk.crc32c) {
    return Answer::kDamaged;
  }
  job_->asked.reset();
  job_->unanswered = 0;
  job_->storing = true;
  job_->end_seen = chunk.data.size() < options_.chunk_bytes;
  job_->file_bytes = chunk.file_bytes;
  return Answer::kPiece;
}

void SnapshotFetcher::OnStored(size_t bytes) {
  CHECK(job_.has_value() && job_->storing);
  job_->storing = false;
  job_->stored += bytes;
}

}  // namespace bellwether::coord
