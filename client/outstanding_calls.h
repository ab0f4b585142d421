#pragma once

#include <grpcpp/client_context.h>

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace bellwether::client {

// The calls of a connector that gRPC has not finished with. Its destructor cancels them and waits,
// so that no callback comes after the connector is gone. Thread-safe.
//
// Invariant: no call is destroyed on a thread of gRPC's while no other owner of its channel is
// left. A call's context owns its channel, and the last channel of a process joins gRPC's threads,
// which none of these may do to itself.
class OutstandingCalls {
 public:
  OutstandingCalls() = default;
  ~OutstandingCalls() {
    base::MutexLock lock(mutex_);
    for (grpc::ClientContext* const context : contexts_) context->TryCancel();
    while (!contexts_.empty() || finishing_ > 0) finished_.Wait(mutex_);
  }

  // The context lives until Finish.
  void Add(grpc::ClientContext& context) {
    base::MutexLock lock(mutex_);
    contexts_.insert(&context);
  }

  // The last thing done in a call's last callback: hands the call over to its executor. `last` owns
  // the context, and nothing on the calling thread does any more. Requires: the owner of this object
  // destroys its channels after it.
  void Finish(grpc::ClientContext& context, base::Executor& executor, base::Task last) {
    {
      base::MutexLock lock(mutex_);
      contexts_.erase(&context);
      ++finishing_;
    }
    executor.Post(std::move(last));
    base::MutexLock lock(mutex_);
    --finishing_;
    finished_.SignalAll();
  }

 private:
  base::Mutex mutex_;
  base::CondVar finished_;
  absl::flat_hash_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
  int finishing_ ABSL_GUARDED_BY(mutex_) = 0;  // calls of Finish under way
};

}  // namespace bellwether::client
