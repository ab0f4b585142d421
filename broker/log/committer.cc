#include "broker/log/committer.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/log/round.h"

namespace bellwether::broker {
namespace {

// What a queued append costs beyond its batch.
constexpr size_t kRequestOverheadBytes = 256;

size_t CostOf(const AppendRequest& request) {
  return request.batch.size() + kRequestOverheadBytes;
}

}  // namespace

Committer::Committer(Options options, Database& database, SliceChains& chains, LogMetrics& metrics)
    : options_(std::move(options)),
      database_(database),
      chains_(chains),
      metrics_(metrics),
      tail_pool_(options_.tail_bytes_max, metrics.tail_bytes) {}

void Committer::Start() {
  thread_.emplace("log-committer", [this] { Loop(); });
}

void Committer::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    filled_.SignalAll();
  }
  if (thread_) thread_->Join();
}

absl::Status Committer::RefusalLocked() const {
  if (!failure_.ok()) {
    return absl::UnavailableError(
        fmt::format("the log failed and the broker is stopping: {}", failure_));
  }
  if (stopping_) return absl::UnavailableError("the log is stopping");
  return absl::OkStatus();
}

void Committer::Enqueue(AppendRequest request) {
  absl::Status refusal;
  {
    base::MutexLock lock(mutex_);
    refusal = RefusalLocked();
    const size_t cost = CostOf(request);
    if (refusal.ok() && (queue_bytes_ == 0 || queue_bytes_ + cost <= options_.queue_bytes_max)) {
      queue_bytes_ += cost;
      metrics_.queue_bytes.Set(static_cast<int64_t>(queue_bytes_));
      queue_.emplace_back(std::move(request));
      filled_.Signal();
      return;
    }
  }
  if (refusal.ok()) {
    metrics_.rejected_queue_full.Add();
    refusal = absl::ResourceExhaustedError(
        fmt::format("append queue full ({} bytes): the disk is slower than the producers; retry "
                    "later or produce less",
                    options_.queue_bytes_max));
  }
  request.done(refusal);
}

absl::Status Committer::Run(absl::AnyInvocable<absl::Status()> change) {
  struct Waiter {
    base::Mutex mutex;
    base::CondVar ready;
    bool done ABSL_GUARDED_BY(mutex) = false;
    absl::Status result ABSL_GUARDED_BY(mutex);
  } waiter;
  {
    base::MutexLock lock(mutex_);
    RETURN_IF_ERROR(RefusalLocked());
    queue_.emplace_back(Change([this, &change, &waiter] {
      absl::Status result;
      {
        base::MutexLock inner(mutex_);
        result = RefusalLocked();
      }
      if (result.ok()) result = change();
      base::MutexLock inner(waiter.mutex);
      waiter.result = std::move(result);
      waiter.done = true;
      waiter.ready.SignalAll();
    }));
    filled_.Signal();
  }
  base::MutexLock lock(waiter.mutex);
  while (!waiter.done) waiter.ready.Wait(waiter.mutex);
  return waiter.result;
}

void Committer::Fail(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    if (!failure_.ok()) return;
    failure_ = status;
  }
  LOG_ERROR("log failed path={} error={}", options_.path, status);
  options_.on_fatal(status);
}

absl::Status Committer::CheckDisk() {
  const absl::StatusOr<uint64_t> free = options_.free_bytes();
  const bool full = !free.ok() || *free < options_.disk_reserve_bytes;
  if ((metrics_.disk_full.value() != 0) != full) {
    metrics_.disk_full.Set(full ? 1 : 0);
    if (full) {
      LOG_ERROR("disk full: appends are refused path={} free_bytes={} reserve_bytes={}",
                options_.path, free.ok() ? *free : 0, options_.disk_reserve_bytes);
    } else {
      LOG_INFO("disk has room again: appends go on path={} free_bytes={}", options_.path, *free);
    }
  }
  if (!full) return absl::OkStatus();
  if (!free.ok()) return base::Annotate(free.status(), "disk full or failing");
  return absl::ResourceExhaustedError(
      fmt::format("disk full: {} bytes free in '{}', less than the reserve of {}; free some space",
                  *free, options_.path, options_.disk_reserve_bytes));
}

void Committer::Loop() {
  while (true) {
    std::vector<AppendRequest> appends;
    std::optional<Change> change;
    Take(appends, change);
    if (change) {
      (*change)();
    } else if (!appends.empty()) {
      RunRound(std::move(appends));
    } else {
      return;
    }
  }
}

void Committer::Take(std::vector<AppendRequest>& appends, std::optional<Change>& change) {
  base::MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) filled_.Wait(mutex_);
  if (queue_.empty()) return;
  if (Change* first = std::get_if<Change>(&queue_.front())) {
    change = std::move(*first);
    queue_.pop_front();
    return;
  }
  size_t bytes = 0;
  while (!queue_.empty()) {
    AppendRequest* request = std::get_if<AppendRequest>(&queue_.front());
    if (request == nullptr) break;
    if (!appends.empty() && bytes + request->batch.size() > options_.round_bytes_max) break;
    bytes += request->batch.size();
    queue_bytes_ -= CostOf(*request);
    appends.push_back(std::move(*request));
    queue_.pop_front();
  }
  metrics_.queue_bytes.Set(static_cast<int64_t>(queue_bytes_));
}

void Committer::Refuse(std::vector<AppendRequest> appends, const absl::Status& status) {
  for (AppendRequest& append : appends) append.done(status);
}

void Committer::RunRound(std::vector<AppendRequest> appends) {
  absl::Status refusal;
  {
    base::MutexLock lock(mutex_);
    refusal = RefusalLocked();
  }
  if (!refusal.ok()) return Refuse(std::move(appends), refusal);
  refusal = CheckDisk();
  if (!refusal.ok()) {
    metrics_.rejected_disk_full.Add(appends.size());
    return Refuse(std::move(appends), refusal);
  }
  Round round(database_, chains_, metrics_, options_.index_interval_bytes,
              options_.clock->WallMillis());
  for (AppendRequest& append : appends) round.Add(std::move(append));
  const absl::Status written = round.Write();
  std::vector<absl::AnyInvocable<void()>> wakes;
  if (written.ok()) {
    wakes = round.Publish(tail_pool_);
  } else {
    Fail(written);
  }
  round.Answer();
  for (auto& wake : wakes) wake();
}

}  // namespace bellwether::broker
