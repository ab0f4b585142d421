#include "coord/service/watch.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr size_t kZnodeOverheadBytes = 128;
// Of the first state, before others of the executor go on.
constexpr size_t kStartVisitsPerTurn = 10'000;

}  // namespace

Watch::Watch(WatchRequest request, const ServiceOptions& options, WatchBackend& backend,
             base::Executor& executor, std::shared_ptr<StreamSink> sink)
    : request_(std::move(request)),
      options_(options),
      backend_(backend),
      executor_(executor),
      sink_(std::move(sink)) {}

void Watch::Start() { PostWake(); }

void Watch::Close(std::optional<Failure> failure) {
  {
    base::MutexLock lock(mutex_);
    FinishLocked(std::move(failure));
  }
  PostWake();
}

bool Watch::finished() const {
  base::MutexLock lock(mutex_);
  return finished_;
}

size_t Watch::queue_bytes() const {
  base::MutexLock lock(mutex_);
  return queue_bytes_;
}

bool Watch::NeedsWake() { return !std::exchange(wake_posted_, true); }

// What is left to take is freed when the executor sees to it: this may be the applier's thread.
void Watch::FinishLocked(std::optional<Failure> failure) {
  if (finished_) return;
  finished_ = true;
  failure_ = std::move(failure);
  queue_bytes_ = 0;
}

void Watch::PostWake() {
  {
    base::MutexLock lock(mutex_);
    wake_posted_ = true;
  }
  executor_.Post([self = shared_from_this()] { self->OnWake(); });
}

void Watch::OnWake() {
  {
    base::MutexLock lock(mutex_);
    wake_posted_ = false;
  }
  if (phase_ == Phase::kClosed) return;
  if (!finished()) Advance();
  if (finished()) {
    phase_ = Phase::kClosed;
    start_.reset();
    executor_.Cancel(timer_);
    std::optional<Failure> failure;
    {
      base::MutexLock lock(mutex_);
      failure = failure_;
      state_.clear();
      queue_.clear();
    }
    backend_.OnWatchClosed(*this, failure);
  }
  sink_->OnOutput();
}

void Watch::Advance() {
  if (phase_ == Phase::kFresh && !request_.stale_ok) {
    phase_ = Phase::kAwaitingIndex;
    backend_.RequestReadIndex(
        executor_, [self = shared_from_this()](absl::StatusOr<LogIndex> index) {
          if (!index.ok()) return self->Close(FailureOf(index.status()));
          self->read_index_ = *index;
          self->phase_ = std::max(self->phase_, Phase::kAwaitingApply);
          self->PostWake();
        });
    return;
  }
  if (phase_ == Phase::kFresh) phase_ = Phase::kAwaitingApply;
  if (phase_ == Phase::kAwaitingApply) AwaitApplied();
}

void Watch::AwaitApplied() {
  const Zxid zxid = std::max(request_.min_zxid, request_.from_zxid);
  if (backend_.AppliedOrWait(read_index_, zxid, shared_from_this())) {
    executor_.Cancel(timer_);
    auto start = backend_.ArmWatch(shared_from_this());
    if (!start.ok()) return Close(FailureOf(start.status()));
    phase_ = Phase::kStarting;
    start_ = *std::move(start);
    return ContinueStart();
  }
  if (timer_ != 0) return;
  timer_ = executor_.RunAfter(options_.applied_wait_max, [self = shared_from_this(), zxid] {
    if (self->phase_ != Phase::kAwaitingApply) return;
    self->Close(Unavailable(fmt::format(
        "watch {}: this server has not applied zxid {} yet; try another server",
        self->request_.filter.Text(), zxid)));
  });
}

// Behind what else the executor has to run, but for the first piece.
void Watch::ContinueStart() {
  if (phase_ != Phase::kStarting) return;
  const absl::StatusOr<bool> done = start_->Continue(kStartVisitsPerTurn);
  if (!done.ok()) {
    start_.reset();
    phase_ = Phase::kArmed;
    return Close(FailureOf(done.status()));
  }
  if (!*done) return executor_.Post([self = shared_from_this()] { self->ContinueStart(); });
  start_.reset();
  phase_ = Phase::kArmed;
  PostWake();
}

void Watch::SetCompacted(Zxid resumable_from) {
  base::MutexLock lock(mutex_);
  if (!finished_) compacted_ = resumable_from;
}

void Watch::AddState(Zxid zxid, std::vector<WatchZnode> znodes) {
  base::MutexLock lock(mutex_);
  if (finished_) return;
  state_zxid_ = zxid;
  if (!znodes.empty()) state_.push_back(std::move(znodes));
}

void Watch::SetArmed(Zxid zxid) {
  base::MutexLock lock(mutex_);
  armed_ = true;
  last_progress_ = std::max(last_progress_, zxid);
  if (!finished_) progress_ = std::max(last_progress_, last_queued_);
}

bool Watch::May(const tree::AclPtr& access, tree::Permission permission) const {
  static const tree::Identities nobody;
  return tree::Allows(access, permission,
                      request_.identities == nullptr ? nobody : *request_.identities);
}

bool Watch::Shows(const tree::Change& change) const {
  return MayRead(change.access) || MUTANT(67);
}

// What is not told is not queued either: progress then says how far the watch is.
HubWatcher::Queued Watch::QueueChanges(const ChangeSetPtr& set, const tree::Change* judged) {
  base::MutexLock lock(mutex_);
  if (finished_ || set->zxid <= last_queued_) return Queued::kYes;
  if (judged != nullptr && !Shows(*judged)) return Queued::kNot;
  last_queued_ = set->zxid;
  if (progress_.has_value()) progress_ = std::max(*progress_, set->zxid);
  queue_.push_back(set);
  queue_bytes_ += set->bytes;
  // A single command's changes pass, however many they are: no client could read faster than that.
  if (queue_bytes_ > options_.watch_queue_bytes_max && queue_.size() > 1) {
    FinishLocked(Failure{absl::StatusCode::kResourceExhausted,
                         fmt::format("watch {}: the client reads too slowly, more than {} bytes of "
                                     "changes wait; resume from the last zxid received",
                                     request_.filter.Text(), options_.watch_queue_bytes_max),
                         "slow_watcher", base::Outcome::kRejected});
  }
  return NeedsWake() ? Queued::kWake : Queued::kYes;
}

bool Watch::QueueProgress(Zxid zxid, bool repeat) {
  base::MutexLock lock(mutex_);
  if (finished_ || (!repeat && zxid <= std::max(last_queued_, last_progress_))) return false;
  progress_ = last_progress_ = zxid;
  return queue_.empty() && NeedsWake();
}

WatchState Watch::TakeStateChunk() {
  WatchState chunk;
  chunk.zxid = *state_zxid_;
  size_t bytes = 0;
  while (!state_.empty()) {
    WatchZnode& znode = state_.front()[state_taken_];
    bytes += kZnodeOverheadBytes + znode.path.size() + znode.data.size();
    if (bytes > options_.watch_chunk_bytes && !chunk.znodes.empty()) break;
    chunk.znodes.push_back(std::move(znode));
    if (++state_taken_ < state_.front().size()) continue;
    state_.pop_front();
    state_taken_ = 0;
  }
  chunk.last = state_.empty();
  if (chunk.last) state_zxid_.reset();
  return chunk;
}

WatchChanges Watch::TakeChanges() {
  WatchChanges taken;
  taken.set = std::move(queue_.front());
  queue_.pop_front();
  queue_bytes_ -= taken.set->bytes;
  for (const tree::Change& change : taken.set->changes) {
    if (request_.filter.Matches(change) && Shows(change)) taken.changes.push_back(&change);
  }
  return taken;
}

TakeResult Watch::Take(size_t bytes_max, std::vector<WatchFrame>& frames) {
  base::MutexLock lock(mutex_);
  if (finished_) return {true, failure_};
  if (!armed_) return {};
  if (compacted_.has_value()) {
    frames.emplace_back(WatchCompacted{*compacted_});
    compacted_.reset();
  }
  if (state_zxid_.has_value()) {
    frames.emplace_back(TakeStateChunk());
    return {};
  }
  for (size_t bytes = 0; !queue_.empty() && (bytes == 0 || bytes < bytes_max);) {
    bytes += queue_.front()->bytes;
    WatchChanges taken = TakeChanges();
    if (!taken.changes.empty()) {
      frames.emplace_back(std::move(taken));
    } else {  // queued unjudged
      progress_ = std::max(progress_.value_or(Zxid()), taken.set->zxid);
    }
  }
  if (progress_.has_value() && (queue_.empty() || MUTANT(28))) {
    frames.emplace_back(WatchProgress{*progress_});
    progress_.reset();
  }
  return {};
}

}  // namespace bellwether::coord
