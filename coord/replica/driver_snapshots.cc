// Snapshots: of the own state, those of other servers, and pieces for those who need one.

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/replica/replica_driver.h"

namespace bellwether::coord {
namespace {

constexpr uint32_t kChunkBytesMax = 1 << 20;
// After a failure that may pass: a full disk.
constexpr absl::Duration kRetryInterval = absl::Seconds(5);
// After the server that offered a snapshot turns out not to have it, or one that is damaged: asked anew
// it checks what it has, and takes another.
constexpr absl::Duration kGoneInterval = absl::Milliseconds(500);
// While another server fetches the newest snapshot no newer one is taken, for a while: of a state
// that changes fast it could otherwise never have a whole one.
constexpr absl::Duration kFetchedRecently = absl::Seconds(2);
constexpr uint64_t kPostponedFactor = 4;

absl::StatusOr<SnapshotInfo> Write(SnapshotStore& store, base::Pacer& pacer,
                                   const raft::SnapshotMeta& meta, const StateSnapshot& state,
                                   const SnapshotWork& work) {
  absl::StatusOr<std::unique_ptr<SnapshotWriter>> writer = store.Create(meta);
  if (!writer.ok()) return writer.status();
  BackgroundWriter background(**writer, pacer, work);
  if (absl::Status status = state.WriteTo(background); !status.ok()) return status;
  return background.Commit();
}

SnapshotChunk ReadChunk(SnapshotStore& store, const SnapshotChunkRequest& request) {
  SnapshotChunk chunk;
  chunk.id = request.id;
  absl::StatusOr<std::string> bytes =
      store.ReadBytes(request.index, request.term, request.offset,
                      std::min(request.bytes_max, kChunkBytesMax));
  if (!bytes.ok()) return chunk;
  chunk.found = true;
  chunk.data = *std::move(bytes);
  chunk.crc32c = base::Crc32c(chunk.data);
  const std::optional<SnapshotInfo> newest = store.Newest();
  if (newest.has_value() && newest->meta.index == request.index) {
    chunk.file_bytes = newest->file_bytes;
  }
  return chunk;
}

// A piece for another server, and what became of the check before the first one.
struct CheckedChunk {
  absl::Status checked;
  SnapshotChunk chunk;
};

CheckedChunk CheckAndReadChunk(SnapshotStore& store, const SnapshotChunkRequest& request,
                               const std::atomic<bool>& stopped) {
  CheckedChunk result;
  result.checked = store.Check(request.index, request.term,
                               [&stopped] { return stopped.load(); });
  if (result.checked.ok()) {
    result.chunk = ReadChunk(store, request);
  } else {
    result.chunk.id = request.id;
  }
  return result;
}

}  // namespace

// From any thread.
void ReplicaDriver::PostSnapshotWork(base::Task task) {
  ++snapshot_work_->queued;
  deps_.snapshot_executor.Post([work = snapshot_work_, task = std::move(task)]() mutable {
    --work->queued;
    task();
  });
}

// `work` runs on the snapshot executor, then `then` here unless the driver has stopped meanwhile.
template <typename Result>
void ReplicaDriver::OnSnapshotThread(absl::AnyInvocable<Result(SnapshotStore&)> work,
                                     absl::AnyInvocable<void(ReplicaDriver&, Result)> then) {
  PostSnapshotWork([&store = deps_.snapshots, &executor = deps_.executor, weak = weak_from_this(),
                    work = std::move(work), then = std::move(then)]() mutable {
    executor.Post([weak, then = std::move(then), result = work(store)]() mutable {
      std::shared_ptr<ReplicaDriver> self = weak.lock();
      if (self != nullptr && self->running_) then(*self, std::move(result));
    });
  });
}

// True when the trouble may pass; else this server stops, as nothing on its disk can be trusted.
bool ReplicaDriver::FailUnlessTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      break;
  }
  Fail(status);
  return false;
}

void ReplicaDriver::ShowSnapshot(const SnapshotInfo& newest) {
  instruments_.snapshot_index.Set(static_cast<int64_t>(newest.meta.index.value()));
  instruments_.snapshot_bytes.Set(static_cast<int64_t>(newest.file_bytes));
}

// --- The state machine gets a snapshot

// What is committed behind the snapshot waits in the applier meanwhile.
void ReplicaDriver::RestoreState(LogIndex index, Term term) {
  committed_ = index;
  log_bytes_since_snapshot_ = 0;
  applier_.BeginRestore(index);
  OnSnapshotThread<absl::StatusOr<std::unique_ptr<SnapshotReader>>>(
      [index, term](SnapshotStore& store) { return store.Open(index, term); },
      [index](ReplicaDriver& driver, absl::StatusOr<std::unique_ptr<SnapshotReader>> reader) {
        if (!reader.ok()) return driver.Fail(reader.status());
        driver.applier_.Restore(index, *std::move(reader));
      });
}

void ReplicaDriver::InstallSnapshot(const raft::SnapshotMeta& snapshot) {
  LOG_INFO("snapshot installed id={} index={} term={}", options_.id, snapshot.index, snapshot.term);
  instruments_.snapshots_installed.Add();
  RestoreState(snapshot.index, snapshot.term);
}

// --- A snapshot of the own state

void ReplicaDriver::TickSnapshots(absl::Duration now) {
  if (SnapshotDue(now)) TakeSnapshot();
  ExpireSnapshotCallers(now);
  ServeSnapshotCallers();
  snapshot_progress_.EndBefore(now - options_.fetch_silent_max);
  FetchMore(now);
}

bool ReplicaDriver::SnapshotDue(absl::Duration now) const {
  const LogIndex newest = core_->snapshot().index;
  if (snapshot_work_->stopped || taking_snapshot_ || now < next_snapshot_) return false;
  if (newest_damaged_) return true;
  if (applied_told_ <= newest) return false;
  const uint64_t factor = now - chunk_asked_ < kFetchedRecently ? kPostponedFactor : 1;
  return applied_told_.value() - newest.value() >= factor * options_.snapshot_entries ||
         log_bytes_since_snapshot_ >= factor * options_.snapshot_log_bytes;
}

void ReplicaDriver::TakeSnapshot() {
  taking_snapshot_ = true;
  applier_.TakeSnapshot([weak = weak_from_this(), &executor = deps_.executor,
                         began = deps_.clock.Monotonic()](std::unique_ptr<StateSnapshot> state) {
    executor.Post([weak, began, state = std::move(state)]() mutable {
      std::shared_ptr<ReplicaDriver> self = weak.lock();
      if (self != nullptr && self->running_) self->WriteSnapshot(std::move(state), began);
    });
  });
}

void ReplicaDriver::WriteSnapshot(std::unique_ptr<StateSnapshot> state, absl::Duration began) {
  raft::SnapshotMeta meta;
  meta.index = state->index();
  const std::optional<Term> term = core_->TermAt(meta.index);
  const LogIndex newest = core_->snapshot().index;
  const bool wanted = meta.index > newest || (newest_damaged_ && meta.index == newest);
  if (!wanted || !term.has_value()) {
    taking_snapshot_ = false;  // another server's was installed meanwhile
    ServeSnapshotCallers();
    return;
  }
  meta.term = *term;
  meta.membership = core_->MembershipAt(meta.index);
  log_bytes_since_snapshot_ = 0;
  if (MUTANT(35)) CompactLog(meta.index);
  OnSnapshotThread<absl::StatusOr<SnapshotInfo>>(
      [meta, state = std::move(state), work = snapshot_work_, share = options_.snapshot_share,
       &clock = deps_.clock](SnapshotStore& store) {
        base::Pacer pacer(share, clock);
        return Write(store, pacer, meta, *state, *work);
      },
      [meta, began](ReplicaDriver& driver, absl::StatusOr<SnapshotInfo> written) {
        driver.OnSnapshotWritten(meta, began, std::move(written));
      });
}

// The store keeps two snapshots and the log what follows the older one: so a follower that fetches
// that one can go on behind it, and a server whose newest one is damaged starts from it. When the
// newest was set aside meanwhile the older one stays the older one, and the log reaches back to it.
void ReplicaDriver::OnSnapshotWritten(const raft::SnapshotMeta& meta, absl::Duration began,
                                      absl::StatusOr<SnapshotInfo> written) {
  if (snapshot_work_->stopped && !written.ok()) return;
  taking_snapshot_ = false;
  const absl::Duration now = deps_.clock.Monotonic();
  if (!written.ok()) {
    if (!FailUnlessTransient(written.status())) return;
    LOG_WARN("no snapshot could be taken id={} index={} reason=\"{}\"", options_.id, meta.index,
             written.status());
    next_snapshot_ = now + kRetryInterval;
    FailSnapshotCallers(written.status());
    return;
  }
  LOG_INFO("snapshot taken id={} index={} bytes={} seconds={:.3f}", options_.id, meta.index,
           written->file_bytes, absl::ToDoubleSeconds(now - began));
  instruments_.snapshots_taken.Add();
  instruments_.snapshot_seconds.Observe(now - began);
  const LogIndex newest = core_->snapshot().index;
  if (meta.index >= newest) {
    const LogIndex older = std::exchange(newest_damaged_, false) ? LogIndex() : newest;
    whole_snapshot_ = meta.index;
    ShowSnapshot(*written);
    core_->OnSnapshotTaken(meta, older);
    if (older != LogIndex()) CompactLog(older);
  }
  ServeSnapshotCallers();
}

void ReplicaDriver::CompactLog(LogIndex compact_to) {
  PersistRequest request;
  request.compact_to = compact_to;
  deps_.log.Persist(std::move(request), [weak = weak_from_this()](absl::Status status) {
    std::shared_ptr<ReplicaDriver> self = weak.lock();
    if (self != nullptr && self->running_ && !status.ok()) self->Fail(std::move(status));
  });
}

// --- A snapshot of another server

// While another one is on its way, that one is as welcome.
void ReplicaDriver::OnWantedSnapshot(raft::WantedSnapshot wanted) {
  const absl::Duration now = deps_.clock.Monotonic();
  if (fetcher_.active() || fetch_beginning_) return;
  if (now < next_fetch_) return core_->OnSnapshotFailed();
  LOG_INFO("snapshot is fetched id={} from={} index={} term={}", options_.id, wanted.from,
           wanted.snapshot.index, wanted.snapshot.term);
  fetch_beginning_ = true;
  const LogIndex index = wanted.snapshot.index;
  const Term term = wanted.snapshot.term;
  OnSnapshotThread<uint64_t>(
      [index, term](SnapshotStore& store) { return store.ReceivedBytes(index, term); },
      [wanted = std::move(wanted)](ReplicaDriver& driver, uint64_t received) {
        const absl::Duration now = driver.deps_.clock.Monotonic();
        driver.fetch_beginning_ = false;
        ++driver.fetch_;
        driver.fetcher_.Begin(wanted.from, wanted.snapshot, received, now);
        driver.instruments_.snapshot_received_bytes.Set(static_cast<int64_t>(received));
        driver.FetchMore(now);
      });
}

void ReplicaDriver::FetchMore(absl::Duration now) {
  if (!fetcher_.active() || fetcher_.busy()) return;
  if (!Reachable(fetcher_.from())) return StopFetching("its server is not connected");
  if (fetcher_.GivenUp(now)) return StopFetching("its server does not answer");
  if (const auto request = fetcher_.Poll(last_chunk_id_ + 1, now)) {
    ++last_chunk_id_;
    deps_.transport.Send(fetcher_.from(), *request);
  }
}

// What was received is kept, in case the same snapshot is offered again.
void ReplicaDriver::StopFetching(std::string_view why) {
  LOG_INFO("snapshot is not fetched further id={} from={} index={} received={} reason=\"{}\"",
           options_.id, fetcher_.from(), fetcher_.snapshot().index, fetcher_.stored(), why);
  fetcher_.Stop();
  instruments_.snapshot_received_bytes.Set(0);
  core_->OnSnapshotFailed();
  RequestPump();
}

void ReplicaDriver::OnSnapshotChunk(ServerId from, SnapshotChunk chunk) {
  if (!fetcher_.active() || from != fetcher_.from()) return;
  switch (fetcher_.OnChunk(chunk)) {
    case SnapshotFetcher::Answer::kStale:
      return;
    case SnapshotFetcher::Answer::kDamaged:
      LOG_WARN("a piece of a snapshot was damaged on its way id={} from={}", options_.id, from);
      return;
    case SnapshotFetcher::Answer::kGone:
      next_fetch_ = deps_.clock.Monotonic() + kGoneInterval;
      return StopFetching("its server no longer has it");
    case SnapshotFetcher::Answer::kPiece:
      break;
  }
  const size_t bytes = chunk.data.size();
  OnSnapshotThread<absl::Status>(
      [meta = fetcher_.snapshot(), offset = fetcher_.stored(),
       data = std::move(chunk.data)](SnapshotStore& store) {
        return store.AppendReceived(meta.index, meta.term, offset, data);
      },
      [fetch = fetch_, bytes](ReplicaDriver& driver, absl::Status stored) {
        driver.OnPieceStored(fetch, bytes, std::move(stored));
      });
}

void ReplicaDriver::OnPieceStored(uint64_t fetch, size_t bytes, absl::Status stored) {
  if (!stored.ok()) {
    if (!FailUnlessTransient(stored)) return;
    next_fetch_ = deps_.clock.Monotonic() + kRetryInterval;
    if (fetcher_.active() && fetch == fetch_) StopFetching(base::StdView(stored.message()));
    return;
  }
  if (!fetcher_.active() || fetch != fetch_) return;
  fetcher_.OnStored(bytes);
  instruments_.snapshot_received_bytes.Set(static_cast<int64_t>(fetcher_.stored()));
  if (!fetcher_.whole()) return FetchMore(deps_.clock.Monotonic());
  OnSnapshotThread<absl::StatusOr<SnapshotInfo>>(
      [meta = fetcher_.snapshot()](SnapshotStore& store) {
        return store.FinishReceived(meta.index, meta.term);
      },
      [fetch](ReplicaDriver& driver, absl::StatusOr<SnapshotInfo> received) {
        driver.OnSnapshotReceived(fetch, std::move(received));
      });
}

void ReplicaDriver::OnSnapshotReceived(uint64_t fetch, absl::StatusOr<SnapshotInfo> received) {
  if (!received.ok()) {
    if (!FailUnlessTransient(received.status())) return;
    next_fetch_ = deps_.clock.Monotonic() +
                  (absl::IsDataLoss(received.status()) ? kGoneInterval : kRetryInterval);
    return StopFetching(base::StdView(received.status().message()));
  }
  LOG_INFO("snapshot received id={} from={} index={} bytes={}", options_.id, fetcher_.from(),
           received->meta.index, received->file_bytes);
  fetcher_.Stop();
  instruments_.snapshot_received_bytes.Set(0);
  ShowSnapshot(*received);
  whole_snapshot_ = received->meta.index;
  if (whole_snapshot_ > core_->snapshot().index) newest_damaged_ = false;
  core_->OnSnapshotReceived(received->meta);
  RequestPump();
}

// --- Pieces for others

// A snapshot that rots after it was opened would be sent again and again, and refused by everybody
// who got all of it. So its sums are checked when somebody begins to read it, unless they were right
// and nobody has come to its end since: what begins anew then may do so because it was damaged.
void ReplicaDriver::OnSnapshotChunkRequest(ServerId from, SnapshotChunkRequest request) {
  chunk_asked_ = deps_.clock.Monotonic();
  if (!being_served_.insert(from).second) return;  // it asks again
  NotePieceAsked(request.index).servers.insert(from);
  if (request.offset == 0 && request.index != whole_snapshot_) {
    return OnSnapshotThread<CheckedChunk>(
        [request, work = snapshot_work_](SnapshotStore& store) {
          return CheckAndReadChunk(store, request, work->stopped);
        },
        [from, request](ReplicaDriver& driver, CheckedChunk result) {
          driver.OnSnapshotChecked(request.index, result.checked);
          if (driver.running_) driver.OnPieceRead(from, request, std::move(result.chunk));
        });
  }
  OnSnapshotThread<SnapshotChunk>(
      [request](SnapshotStore& store) { return ReadChunk(store, request); },
      [from, request](ReplicaDriver& driver, SnapshotChunk chunk) {
        driver.OnPieceRead(from, request, std::move(chunk));
      });
}

void ReplicaDriver::OnPieceRead(ServerId from, const SnapshotChunkRequest& request,
                                SnapshotChunk chunk) {
  being_served_.erase(from);
  SnapshotReaders& readers = NotePieceRead(request.index);
  const bool is_end = chunk.data.size() < std::min(request.bytes_max, kChunkBytesMax);
  if (is_end) {
    readers.servers.erase(from);
    NoteReadToTheEnd(request.index);
  }
  if (is_end || !Reachable(from)) {
    snapshot_progress_.End(from);
  } else {
    snapshot_progress_.OnSent(from, request.index, request.offset + chunk.data.size(),
                              chunk.file_bytes, deps_.clock.Monotonic());
  }
  if (Reachable(from)) deps_.transport.Send(from, std::move(chunk));
}

// For clients, who are served when it is whole.
void ReplicaDriver::CheckSnapshot(const SnapshotInfo& newest) {
  if (std::exchange(checking_snapshot_, true)) return;
  OnSnapshotThread<absl::Status>(
      [meta = newest.meta, work = snapshot_work_](SnapshotStore& store) {
        return store.Check(meta.index, meta.term, [&work] { return work->stopped.load(); });
      },
      [index = newest.meta.index](ReplicaDriver& driver, absl::Status checked) {
        driver.checking_snapshot_ = false;
        driver.OnSnapshotChecked(index, checked);
        if (absl::IsUnavailable(checked)) return driver.FailSnapshotCallers(checked);
        if (driver.running_) driver.ServeSnapshotCallers();
      });
}

void ReplicaDriver::OnSnapshotChecked(LogIndex index, const absl::Status& checked) {
  if (checked.ok()) {
    whole_snapshot_ = index;
    return;
  }
  if (!FailUnlessTransient(checked) || absl::IsNotFound(checked)) return;
  if (!absl::IsDataLoss(checked)) {
    LOG_WARN("snapshot could not be checked id={} index={} reason=\"{}\"", options_.id, index,
             checked);
    return;
  }
  LOG_ERROR("snapshot is damaged and set aside id={} index={} reason=\"{}\"", options_.id, index,
            checked);
  instruments_.snapshots_damaged.Add();
  if (index != core_->snapshot().index) return;  // a newer one is there
  newest_damaged_ = true;
  next_snapshot_ = -absl::InfiniteDuration();
}

}  // namespace bellwether::coord
