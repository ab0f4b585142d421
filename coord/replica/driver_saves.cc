// Snapshots for clients, who keep them as files: one of the state as of now, and its pieces.

#include <algorithm>
#include <utility>

#include "coord/replica/replica_driver.h"

namespace bellwether::coord {
namespace {

constexpr int kSavesMax = 64;
constexpr int kPiecesMax = 16;  // read, or waiting for their turn, at a time
constexpr size_t kPieceBytesMax = 1 << 20;
constexpr int64_t kPieceBytesPerSecond = 64 << 20;
// For this server to apply what was committed when a snapshot was asked for.
constexpr absl::Duration kCatchUpMax = absl::Seconds(5);

absl::Status Replaced() {
  return absl::NotFoundError(
      "this server keeps the snapshot no longer, newer ones took its place; save it again");
}

absl::Status Stopping() { return absl::UnavailableError("this server is stopping"); }

}  // namespace

// From any thread.
void ReplicaDriver::SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done) {
  auto answer = [this, done = std::move(done)](absl::StatusOr<SnapshotInfo> info) mutable {
    --saves_;
    done(std::move(info));
  };
  if (saves_.fetch_add(1) >= kSavesMax) {
    return answer(absl::ResourceExhaustedError(
        "too many snapshots are asked of this server at once; try again, or ask another one"));
  }
  RequestRead("", [this, answer = std::move(answer)](absl::StatusOr<LogIndex> index) mutable {
    if (!index.ok()) return answer(index.status());
    if (!running_) return answer(Stopping());
    snapshot_callers_.push_back(
        {*index, deps_.clock.Monotonic() + kCatchUpMax, std::move(answer)});
    ServeSnapshotCallers();
  });
}

void ReplicaDriver::ServeSnapshotCallers() {
  if (snapshot_callers_.empty() || core_ == nullptr) return;
  const std::optional<SnapshotInfo> newest = deps_.snapshots.Newest();
  bool wanted = false;
  std::vector<SnapshotCaller> callers;
  callers.swap(snapshot_callers_);
  for (SnapshotCaller& caller : callers) {
    if (newest.has_value() && newest->meta.index >= caller.at_least) {
      chunk_asked_ = deps_.clock.Monotonic();  // soon
      caller.done(*newest);
    } else {
      wanted |= applied_told_ >= caller.at_least;
      snapshot_callers_.push_back(std::move(caller));
    }
  }
  if (wanted && !taking_snapshot_) TakeSnapshot();
}

void ReplicaDriver::FailSnapshotCallers(const absl::Status& status) {
  std::vector<SnapshotCaller> callers;
  callers.swap(snapshot_callers_);
  for (SnapshotCaller& caller : callers) caller.done(status);
}

void ReplicaDriver::ExpireSnapshotCallers(absl::Duration now) {
  std::vector<SnapshotCaller> callers;
  callers.swap(snapshot_callers_);
  for (SnapshotCaller& caller : callers) {
    if (applied_told_ >= caller.at_least || now < caller.deadline) {
      snapshot_callers_.push_back(std::move(caller));
    } else {
      caller.done(absl::UnavailableError(
          "this server is too far behind to take a snapshot of now; ask another one"));
    }
  }
}

// From any thread.
void ReplicaDriver::ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                                 absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  if (pieces_.fetch_add(1) >= kPiecesMax) {
    --pieces_;
    return done(absl::ResourceExhaustedError(
        "too many clients save snapshots of this server at once; try again, or ask another one"));
  }
  deps_.snapshot_executor.Post([&store = deps_.snapshots, &executor = deps_.executor,
                                weak = weak_from_this(), index, term, offset,
                                done = std::move(done)]() mutable {
    executor.Post([weak, done = std::move(done),
                   piece = store.ReadBytes(index, term, offset, kPieceBytesMax)]() mutable {
      const std::shared_ptr<ReplicaDriver> self = weak.lock();
      if (self == nullptr) return done(Stopping());
      self->AnswerPiece(std::move(piece), std::move(done));
    });
  });
}

// Each piece takes its share of the time, so that saving leaves disk and network to the ensemble.
void ReplicaDriver::AnswerPiece(absl::StatusOr<std::string> piece,
                                absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  const absl::Duration now = deps_.clock.Monotonic();
  chunk_asked_ = now;
  const absl::Duration turn = std::max(now, next_piece_);
  const int64_t bytes = piece.ok() ? static_cast<int64_t>(piece->size()) : 0;
  next_piece_ = turn + absl::Seconds(1) * bytes / kPieceBytesPerSecond;
  deps_.executor.RunAfter(turn - now, [weak = weak_from_this(), piece = std::move(piece),
                                       done = std::move(done)]() mutable {
    const std::shared_ptr<ReplicaDriver> self = weak.lock();
    if (self != nullptr) --self->pieces_;
    if (self == nullptr || !self->running_) return done(Stopping());
    if (absl::IsNotFound(piece.status())) piece = Replaced();
    done(std::move(piece));
  });
}

}  // namespace bellwether::coord
