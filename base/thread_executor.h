#pragma once

#include <string>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/task_queue.h"
#include "base/thread.h"

namespace bellwether::base {

// An Executor on one named thread of its own. Thread-safe. The queue is not bounded here: who
// posts on behalf of clients bounds what is outstanding (see the limits tables of the products).
class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(std::string name);
  ~ThreadExecutor() override;

  void Post(Task task) override;
  TimerId RunAfter(absl::Duration delay, Task task) override;
  void Cancel(TimerId timer) override;

  // Finishes the running task, drops the others unrun, joins. Idempotent; not from the thread
  // itself.
  void Stop();

 private:
  void Run();

  Mutex mutex_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  TaskQueue queue_ ABSL_GUARDED_BY(mutex_);
  Thread thread_;
};

}  // namespace bellwether::base
