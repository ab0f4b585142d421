#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/executor.h"
#include "coord/raft/types.h"
#include "coord/replica/replica.h"

namespace bellwether::coord {

// Hands committed entries to the state machine in order, one bounded range at a time: the next
// follows when the state machine reports that the one before is applied, so that what waits for the
// applier stays here, and its bytes are bounded by the core (Options::unapplied_bytes_max).
// Decoding happens on the apply executor. Owned by the driver, used on its executor only.
class Applier {
 public:
  // `fail` is called on the apply executor when a committed entry can't be decoded.
  Applier(StateMachine& state_machine, base::Executor& apply_executor, size_t range_bytes_max,
          absl::AnyInvocable<void(absl::Status)> fail);

  void Add(std::vector<raft::EntryPtr> entries);

  // A snapshot takes the place of everything that was added and not handed over. What is added from
  // now on waits until it is restored.
  void BeginRestore(LogIndex index);
  // Ignored unless `index` is that of the last BeginRestore.
  void Restore(LogIndex index, std::unique_ptr<SnapshotReader> reader);

  // `done` gets the state on the apply executor.
  void TakeSnapshot(absl::AnyInvocable<void(std::unique_ptr<StateSnapshot>)> done);

  void OnApplied(LogIndex index);

  LogIndex applied() const { return applied_; }

 private:
  struct Context {
    StateMachine& state_machine;
    absl::AnyInvocable<void(absl::Status)> fail;
  };
  void HandOver();
  static void Apply(Context& context, std::vector<raft::EntryPtr> range);

  base::Executor& apply_executor_;
  const size_t range_bytes_max_;
  // Shared with the task on the apply executor, which may outlive this object.
  const std::shared_ptr<Context> context_;
  std::vector<raft::EntryPtr> waiting_;
  LogIndex handed_over_;
  LogIndex applied_;
};

}  // namespace bellwether::coord
