#include "coord/replica/applier.h"

#include <algorithm>
#include <utility>

#include "coord/replica/entry_payload.h"

namespace bellwether::coord {

Applier::Applier(StateMachine& state_machine, base::Executor& apply_executor,
                 size_t range_bytes_max, absl::AnyInvocable<void(absl::Status)> fail)
    : apply_executor_(apply_executor),
      range_bytes_max_(range_bytes_max),
      context_(new Context{state_machine, std::move(fail)}) {}

void Applier::Add(std::vector<raft::EntryPtr> entries) {
  if (waiting_.empty()) {
    waiting_ = std::move(entries);
  } else {
    std::move(entries.begin(), entries.end(), std::back_inserter(waiting_));
  }
  HandOver();
}

void Applier::BeginRestore(LogIndex index) {
  waiting_.clear();
  handed_over_ = index;
}

void Applier::Restore(LogIndex index, std::unique_ptr<SnapshotReader> reader) {
  if (index != handed_over_) return;
  apply_executor_.Post(
      [context = context_, index, reader = std::move(reader)]() mutable {
        absl::Status status = context->state_machine.RestoreSnapshot(index, *reader);
        if (!status.ok()) context->fail(std::move(status));
      });
}

void Applier::TakeSnapshot(absl::AnyInvocable<void(std::unique_ptr<StateSnapshot>)> done) {
  apply_executor_.Post([context = context_, done = std::move(done)]() mutable {
    done(context->state_machine.TakeSnapshot());
  });
}

void Applier::OnApplied(LogIndex index) {
  applied_ = std::max(applied_, index);
  HandOver();
}

void Applier::HandOver() {
  if (waiting_.empty() || applied_ < handed_over_) return;
  size_t bytes = 0;
  size_t count = 0;
  while (count < waiting_.size() && (count == 0 || bytes < range_bytes_max_)) {
    bytes += raft::EntryBytes(*waiting_[count++]);
  }
  std::vector<raft::EntryPtr> range(std::make_move_iterator(waiting_.begin()),
                                    std::make_move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  handed_over_ = range.back()->index;
  apply_executor_.Post(
      [context = context_, range = std::move(range)]() mutable {
        Apply(*context, std::move(range));
      });
}

void Applier::Apply(Context& context, std::vector<raft::EntryPtr> range) {
  std::vector<CommittedBatch> batches;
  batches.reserve(range.size());
  for (raft::EntryPtr& entry : range) {
    absl::StatusOr<CommittedBatch> batch = DecodeCommitted(std::move(entry));
    if (!batch.ok()) return context.fail(batch.status());
    batches.push_back(*std::move(batch));
  }
  context.state_machine.Apply(std::move(batches));
}

}  // namespace bellwether::coord
