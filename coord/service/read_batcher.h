#pragma once

#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/executor.h"
#include "coord/service/replicated_log.h"

namespace bellwether::coord {

// Asks for read indexes on behalf of all streams of one executor: what is asked for in one go of
// the executor's queue is one question to the log and one task back. Owned by the executor.
class ReadBatcher {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<LogIndex>)>;

  ReadBatcher(ReplicatedLog& log, base::Executor& executor) : log_(log), executor_(executor) {}

  // `done` runs later on the executor.
  void Request(Done done) {
    waiting_.push_back(std::move(done));
    if (waiting_.size() == 1) executor_.Post([this] { Flush(); });
  }

 private:
  void Flush() {
    log_.RequestRead("", [this, waiting = std::exchange(waiting_, {})](
                             absl::StatusOr<LogIndex> index) mutable {
      executor_.Post([index = std::move(index), waiting = std::move(waiting)]() mutable {
        for (Done& done : waiting) done(index);
      });
    });
  }

  ReplicatedLog& log_;
  base::Executor& executor_;
  std::vector<Done> waiting_;
};

}  // namespace bellwether::coord
