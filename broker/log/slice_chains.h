#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "broker/log/log_metrics.h"
#include "broker/log/retention_class.h"
#include "broker/log/slice.h"

namespace bellwether::broker {

// For each retention class in use the slices, oldest first: those that took appends, of which the
// last takes them now, and one made ahead. A chain is never longer than kSlicesMax, whatever the
// slice duration: then the last slice goes on until retention drops another. Owned by the store.
// Thread-safe; the mutable fields of slices stay the committer's.
class SliceChains {
 public:
  static constexpr int kSlicesMax = 32;  // per class, the one made ahead included

  struct Options {
    std::function<absl::Duration(int retention_class)> slice_duration;
    uint64_t slice_bytes_max = 0;
    base::Clock* clock = nullptr;
  };

  // `maker` runs what takes long: making slices and flushing closed ones.
  SliceChains(Options options, std::shared_ptr<Database> database, LogMetrics& metrics,
              base::Executor& maker);

  // While opening: gives the slices found, in order of id.
  void Restore(std::vector<SliceRef> slices);

  // Makes the first slice of a class if there is none. Not on the committer.
  absl::Status EnsureClass(int retention_class);

  // The slice that takes appends of a class at wall time `now_ms`, after closing an overdue one.
  // Committer only. Requires: EnsureClass was called.
  SliceRef ForAppend(int retention_class, int64_t now_ms);

  // Takes out the slices without live entries, other than those that take appends and are not
  // overdue. Committer only.
  std::vector<SliceRef> TakeDead(int64_t now_ms);

  // All slices, for tests and reports.
  int count() const;

 private:
  struct Chain {
    std::deque<SliceRef> slices;  // the last takes appends
    SliceRef next;                // made ahead, or nullptr
    bool making = false;          // `next` is being made
  };

  bool Overdue(const Slice& slice, int64_t now_ms) const;
  // Closes the last slice if it is overdue and there is room and a next one. True when it did.
  bool TryRoll(Chain& chain, int64_t now_ms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeNextLater(int retention_class) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeNext(int retention_class);
  absl::StatusOr<SliceRef> Make(int retention_class);
  int CountLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const std::shared_ptr<Database> database_;  // shared: see Database
  LogMetrics& metrics_;
  base::Executor& maker_;

  base::Mutex making_mutex_;  // one slice is made at a time; before mutex_
  mutable base::Mutex mutex_;
  std::array<Chain, kRetentionClasses> chains_ ABSL_GUARDED_BY(mutex_);
  SliceId last_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::broker
