// Snapshots for clients, who keep them as files: one of the state as of now, and its pieces.

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "coord/replica/reasons.h"
#include "coord/replica/replica_driver.h"

namespace bellwether::coord {
namespace {

constexpr int kSavesMax = 64;
constexpr int kPiecesMax = 16;  // read, or waiting for their turn, at a time
constexpr size_t kPieceBytesMax = 1 << 20;
constexpr int64_t kPieceBytesPerSecond = 64 << 20;

absl::Status Replaced() {
  return absl::NotFoundError(
      "this server keeps the snapshot no longer, newer ones took its place; save it again");
}

absl::Status Busy(std::string_view message) {
  return base::ErrorWithReason(absl::StatusCode::kResourceExhausted, kReasonBusy, message);
}

absl::Status Stopping() { return absl::UnavailableError("this server is stopping"); }

}  // namespace

// From any thread.
void ReplicaDriver::SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done) {
  auto answer = [this, done = std::move(done)](absl::StatusOr<SnapshotInfo> info) mutable {
    --snapshot_work_->saves;
    done(std::move(info));
  };
  if (snapshot_work_->saves.fetch_add(1) >= kSavesMax) {
    return answer(Busy(
        "too many snapshots are asked of this server at once; try again, or ask another one"));
  }
  RequestRead("", [this, answer = std::move(answer)](absl::StatusOr<LogIndex> index) mutable {
    if (absl::IsResourceExhausted(index.status())) {
      return answer(Busy(base::StdView(index.status().message())));
    }
    if (!index.ok()) return answer(index.status());
    if (!running_ || snapshot_work_->stopped) return answer(Stopping());
    snapshot_callers_.push_back({*index, deps_.clock.Monotonic(), std::move(answer)});
    ServeSnapshotCallers();
  });
}

void ReplicaDriver::StopSnapshots() {
  snapshot_work_->stopped = true;
  FailSnapshotCallers(Stopping());
}

void ReplicaDriver::ServeSnapshotCallers() {
  if (snapshot_callers_.empty() || core_ == nullptr) return;
  const absl::Duration now = deps_.clock.Monotonic();
  const std::optional<SnapshotInfo> newest = deps_.snapshots.Newest();
  const bool held_back = OlderIsRead(now);
  bool wanted = false;
  bool unchecked = false;
  std::vector<SnapshotCaller> callers;
  callers.swap(snapshot_callers_);
  for (SnapshotCaller& caller : callers) {
    if (newest.has_value() && newest->meta.index >= caller.at_least) {
      if (newest->meta.index != whole_snapshot_) {
        unchecked = true;
        snapshot_callers_.push_back(std::move(caller));
        continue;
      }
      chunk_asked_ = now;  // soon
      SnapshotReaders& readers = snapshot_readers_[newest->meta.index];
      ++readers.clients;
      readers.last_piece = now;
      caller.done(*newest);
    } else {
      wanted |= applied_told_ >= caller.at_least &&
                (!held_back || now - caller.asked > options_.save_held_back_max);
      snapshot_callers_.push_back(std::move(caller));
    }
  }
  if (unchecked) CheckSnapshot(*newest);
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
    if (applied_told_ >= caller.at_least || now - caller.asked < options_.save_catch_up_max) {
      snapshot_callers_.push_back(std::move(caller));
    } else {
      caller.done(absl::UnavailableError(
          "this server is too far behind to take a snapshot of now; ask another one"));
    }
  }
}

bool ReplicaDriver::OlderIsRead(absl::Duration now) {
  std::erase_if(snapshot_readers_, [this, now](const auto& entry) {
    const SnapshotReaders& readers = entry.second;
    if (readers.asked > 0) return false;  // it may wait long, while a newer snapshot is written
    return (readers.clients == 0 && readers.servers.empty()) ||
           now - readers.last_piece > options_.save_silent_max;
  });
  const std::optional<SnapshotInfo> newest = deps_.snapshots.Newest();
  return newest.has_value() && !snapshot_readers_.empty() &&
         snapshot_readers_.begin()->first < newest->meta.index;
}

ReplicaDriver::SnapshotReaders& ReplicaDriver::NotePieceAsked(LogIndex index) {
  SnapshotReaders& readers = snapshot_readers_[index];
  ++readers.asked;
  readers.last_piece = chunk_asked_ = deps_.clock.Monotonic();
  return readers;
}

ReplicaDriver::SnapshotReaders& ReplicaDriver::NotePieceRead(LogIndex index) {
  SnapshotReaders& readers = snapshot_readers_[index];
  --readers.asked;
  readers.last_piece = chunk_asked_ = deps_.clock.Monotonic();
  return readers;
}

void ReplicaDriver::NotePiece(LogIndex index, uint64_t offset,
                              const absl::StatusOr<std::string>& piece) {
  SnapshotReaders& readers = NotePieceRead(index);
  const std::optional<SnapshotInfo> newest = deps_.snapshots.Newest();
  const bool is_end = !piece.ok() || piece->size() < kPieceBytesMax ||
                      (newest.has_value() && newest->meta.index == index &&
                       offset + piece->size() >= newest->file_bytes);
  if (!is_end) return;
  readers.clients = std::max(0, readers.clients - 1);
  NoteReadToTheEnd(index);
}

// Who begins to read it again may do so because it was not what its sums say.
void ReplicaDriver::NoteReadToTheEnd(LogIndex index) {
  if (index == whole_snapshot_) whole_snapshot_ = LogIndex();
}

// From any thread.
void ReplicaDriver::ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                                 absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  if (pieces_.fetch_add(1) >= kPiecesMax) {
    --pieces_;
    return done(Busy(
        "too many clients save snapshots of this server at once; try again, or ask another one"));
  }
  PostSelf([index](ReplicaDriver& driver) { driver.NotePieceAsked(index); });
  PostSnapshotWork([&store = deps_.snapshots, &executor = deps_.executor, weak = weak_from_this(),
                    index, term, offset, done = std::move(done)]() mutable {
    executor.Post([weak, index, offset, done = std::move(done),
                   piece = store.ReadBytes(index, term, offset, kPieceBytesMax)]() mutable {
      const std::shared_ptr<ReplicaDriver> self = weak.lock();
      if (self == nullptr) return done(Stopping());
      self->NotePiece(index, offset, piece);
      self->ServeSnapshotCallers();
      self->AnswerPiece(std::move(piece), std::move(done));
    });
  });
}

// Each piece takes its share of the time, so that saving leaves disk and network to the ensemble.
void ReplicaDriver::AnswerPiece(absl::StatusOr<std::string> piece,
                                absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  const absl::Duration now = deps_.clock.Monotonic();
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
