#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "broker/log/log_metrics.h"
#include "broker/log/slice_chains.h"
#include "broker/log/stored_partition.h"
#include "broker/log/tail_pool.h"

namespace bellwether::broker {

// The one thread that changes the log. It takes what is queued, up to a bound, writes and syncs it
// as one round, shows it to readers and answers; what queues up meanwhile is the next round. Other
// changes (create, delete, configure, retention) run on it between rounds. After a failed write
// everything is refused: what is on disk is unknown until a restart.
class Committer final : public AppendQueue {
 public:
  struct Options {
    size_t queue_bytes_max = 0;
    size_t round_bytes_max = 0;
    size_t index_interval_bytes = 0;
    size_t tail_bytes_max = 0;
    uint64_t disk_reserve_bytes = 0;
    std::function<absl::StatusOr<uint64_t>()> free_bytes;
    std::string path;  // for messages
    base::Clock* clock = nullptr;
    std::function<void(const absl::Status&)> on_fatal;
  };

  Committer(Options options, Database& database, SliceChains& chains, LogMetrics& metrics);
  ~Committer() override { Stop(); }

  void Start();
  // Refuses what is queued, joins. Idempotent.
  void Stop();

  void Enqueue(AppendRequest request) override;

  // Runs `change` on the committer's thread and returns its result, or UNAVAILABLE when the
  // committer stopped or failed. Not from that thread.
  absl::Status Run(absl::AnyInvocable<absl::Status()> change);

  // Declares the store broken, once; the rest is refused. Any thread that holds no lock.
  void Fail(const absl::Status& status);

  // RESOURCE_EXHAUSTED when free space is below the reserve or can't be told.
  absl::Status CheckDisk();

 private:
  using Change = absl::AnyInvocable<void()>;
  using Item = std::variant<AppendRequest, Change>;

  void Loop();
  // Waits for work. Either some appends or one change; neither when stopping.
  void Take(std::vector<AppendRequest>& appends, std::optional<Change>& change);
  void RunRound(std::vector<AppendRequest> appends);
  void Refuse(std::vector<AppendRequest> appends, const absl::Status& status);
  // Why nothing is accepted any more; OK while it is.
  absl::Status RefusalLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Database& database_;
  SliceChains& chains_;
  LogMetrics& metrics_;
  TailPool tail_pool_;  // the thread's

  base::Mutex mutex_;
  base::CondVar filled_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::optional<base::Thread> thread_;  // none before Start
};

}  // namespace bellwether::broker
