#pragma once

#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/task_queue.h"
#include "base/thread.h"
#include "coord/peer/completion_tag.h"
#include "grpcpp/alarm.h"
#include "grpcpp/completion_queue.h"

namespace bellwether::coord {

// An Executor on one named thread that also works off a completion queue: what gRPC completes is
// handled where the tasks run, without a change of thread. Two such changes are most of a peer round
// trip (README). Tags of the queue are CompletionTags. Thread-safe; the queue of tasks is not
// bounded here, as that of base::ThreadExecutor.
class QueueExecutor : public base::Executor {
 public:
  // `clock` outlives the executor.
  QueueExecutor(std::string name, base::Clock& clock);
  ~QueueExecutor() override;

  void Post(base::Task task) override;
  base::TimerId RunAfter(absl::Duration delay, base::Task task) override;
  void Cancel(base::TimerId timer) override;

  // Operations may begin on it until Stop.
  grpc::CompletionQueue& queue() { return completions_; }

  // Finishes the running task, drops the others unrun, joins. Idempotent; not from the thread
  // itself. Requires: no operation is outstanding on the queue.
  void Stop();

 private:
  void Run();
  // Runs what is queued now and what is due.
  void RunTasks();
  // Until when nothing but a completion or a Kick has to be handled. False: stopped.
  bool PrepareToWait(gpr_timespec& deadline);
  void Kick() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  base::Clock& clock_;
  grpc::CompletionQueue completions_;
  grpc::Alarm alarm_;  // wakes the thread
  CompletionTag alarm_tag_;

  base::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool kicked_ ABSL_GUARDED_BY(mutex_) = false;  // the alarm's tag is outstanding
  base::TaskQueue tasks_ ABSL_GUARDED_BY(mutex_);
  base::Thread thread_;
};

}  // namespace bellwether::coord
