#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/ring.h"
#include "coord/service/apply_waiters.h"
#include "coord/service/options.h"
#include "coord/service/requests.h"
#include "coord/service/stream_sink.h"
#include "coord/service/watch_hub.h"

namespace bellwether::coord {

struct WatchRequest {
  base::Uuid ensemble_id;  // nil: any
  WatchFilter filter;
  Zxid from_zxid;  // > 0: resume after it
  Zxid min_zxid;
  bool stale_ok = false;
  bool prompt_progress = false;
  bool with_access = false;  // fill WatchZnode::access in
  // Who watches, as proved when the watch was opened; shared with who opened it. Null: what its
  // address proves.
  std::shared_ptr<const tree::Identities> identities;
};

struct WatchCompacted {
  Zxid zxid;
};
// What who copies a znode needs besides.
struct WatchZnodeAccess {
  tree::AclPtr acl;
  bool hides_hashes = false;      // who watches may not see those of digests (Z50)
  std::optional<int64_t> ttl_ms;  // of one that may expire; 0: a container
};
struct WatchZnode {
  std::string path;
  tree::SharedBytes data;
  tree::Stat stat;
  std::optional<WatchZnodeAccess> access = std::nullopt;
};
struct WatchState {
  Zxid zxid;
  std::vector<WatchZnode> znodes;
  bool last = false;
};
struct WatchChanges {
  ChangeSetPtr set;
  std::vector<const tree::Change*> changes;  // those of the set that match
};
struct WatchProgress {
  Zxid zxid;
};
using WatchFrame = std::variant<WatchCompacted, WatchState, WatchChanges, WatchProgress>;

class Watch;

// What a watch starts with, found piece by piece while changes are queued already. Owned by its watch,
// on whose executor it is called.
class WatchStart {
 public:
  virtual ~WatchStart() = default;

  // Looks at about so many znodes more; true when everything was handed over. Errors:
  // RESOURCE_EXHAUSTED when the state is too large.
  virtual absl::StatusOr<bool> Continue(size_t visits_max) = 0;
};

// What a watch needs of the service.
class WatchBackend {
 public:
  virtual ~WatchBackend() = default;

  virtual void RequestReadIndex(base::Executor& executor,
                                absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) = 0;
  virtual bool AppliedOrWait(LogIndex index, Zxid zxid, std::shared_ptr<ApplyWaiter> waiter) = 0;
  // Under one hold of the tree subscribes and takes a view, of which the watch starts. Errors:
  // FAILED_PRECONDITION when it wants another ensemble.
  virtual absl::StatusOr<std::unique_ptr<WatchStart>> ArmWatch(std::shared_ptr<Watch> watch) = 0;
  // `failure`: why the watch ended, when not for the client's own reasons.
  virtual void OnWatchClosed(Watch& watch, const std::optional<Failure>& failure) = 0;
};

// One native watch: waits until this server is fresh enough, is armed at one zxid, then queues what
// the hub gives it until the frontend takes it. Of znodes that its client may not read it tells
// nothing (Z32). Shared by the hub, the frontend and its own tasks.
// Threads: owned by `executor`; Take, Close and the queueing calls from any thread.
// Limits: the queue's bytes; above them the watch ends with RESOURCE_EXHAUSTED.
class Watch : public HubWatcher, public ApplyWaiter, public std::enable_shared_from_this<Watch> {
 public:
  Watch(WatchRequest request, const ServiceOptions& options, WatchBackend& backend,
        base::Executor& executor, std::shared_ptr<StreamSink> sink);

  // Posts the first step.
  void Start();

  // The client is gone, or the server stops (then with a failure).
  void Close(std::optional<Failure> failure);

  // Moves frames worth about `bytes_max` to `frames`, at least one if there is one.
  TakeResult Take(size_t bytes_max, std::vector<WatchFrame>& frames);

  const WatchRequest& request() const { return request_; }
  // Whether the client may know of a znode that has this ACL; whether it may do that with it.
  bool MayRead(const tree::AclPtr& access) const { return May(access, tree::kRead); }
  bool May(const tree::AclPtr& access, tree::Permission permission) const;
  // Bytes of changes not yet taken.
  size_t queue_bytes() const;

  // What the watch starts with. Called by its WatchStart; changes may be queued meanwhile.
  void SetCompacted(Zxid resumable_from);
  // A part of the state at that zxid; at least one call, if only to say that it is empty.
  void AddState(Zxid zxid, std::vector<WatchZnode> znodes);
  // All up to `zxid` was handed over, and from now on it can be taken: the client is told how far it
  // is after that.
  void SetArmed(Zxid zxid);

  // HubWatcher and ApplyWaiter.
  const WatchFilter& filter() const override { return request_.filter; }
  bool wants_prompt_progress() const override { return request_.prompt_progress; }
  Queued QueueChanges(const ChangeSetPtr& set, const tree::Change* judged) override;
  bool QueueProgress(Zxid zxid, bool repeat) override;
  void PostWake() override;

 private:
  enum class Phase { kFresh, kAwaitingIndex, kAwaitingApply, kStarting, kArmed, kClosed };

  void OnWake();
  void Advance();
  void AwaitApplied();
  void ContinueStart();
  bool finished() const;
  bool Shows(const tree::Change& change) const;
  bool NeedsWake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishLocked(std::optional<Failure> failure) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  WatchState TakeStateChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  WatchChanges TakeChanges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const WatchRequest request_;
  const ServiceOptions& options_;
  WatchBackend& backend_;
  base::Executor& executor_;
  const std::shared_ptr<StreamSink> sink_;

  // Owned by the executor.
  Phase phase_ = Phase::kFresh;
  LogIndex read_index_;
  base::TimerId timer_ = 0;
  std::unique_ptr<WatchStart> start_;  // while kStarting

  mutable base::Mutex mutex_;
  bool wake_posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<Failure> failure_ ABSL_GUARDED_BY(mutex_);
  bool armed_ ABSL_GUARDED_BY(mutex_) = false;  // else there is nothing to take yet
  // In the order in which they are taken.
  std::optional<Zxid> compacted_ ABSL_GUARDED_BY(mutex_);
  std::optional<Zxid> state_zxid_ ABSL_GUARDED_BY(mutex_);  // while state is left to take
  base::Ring<std::vector<WatchZnode>> state_ ABSL_GUARDED_BY(mutex_);
  size_t state_taken_ ABSL_GUARDED_BY(mutex_) = 0;  // of its front
  base::Ring<ChangeSetPtr> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  Zxid last_queued_ ABSL_GUARDED_BY(mutex_);   // perhaps taken since, as the next
  Zxid last_progress_ ABSL_GUARDED_BY(mutex_);
  std::optional<Zxid> progress_ ABSL_GUARDED_BY(mutex_);  // never below what is queued
};

}  // namespace bellwether::coord
