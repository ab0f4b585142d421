#pragma once

#include <grpcpp/client_context.h>

#include "absl/container/flat_hash_set.h"
#include "base/mutex.h"

namespace bellwether::client {

// The calls of a connector that gRPC has not finished with. Its destructor cancels them and waits,
// so that no callback comes after the connector is gone. Thread-safe.
class OutstandingCalls {
 public:
  OutstandingCalls() = default;
  ~OutstandingCalls() {
    base::MutexLock lock(mutex_);
    for (grpc::ClientContext* const context : contexts_) context->TryCancel();
    while (!contexts_.empty()) removed_.Wait(mutex_);
  }

  // The context lives until Remove.
  void Add(grpc::ClientContext& context) {
    base::MutexLock lock(mutex_);
    contexts_.insert(&context);
  }

  // The last thing done in a call's last callback.
  void Remove(grpc::ClientContext& context) {
    base::MutexLock lock(mutex_);
    contexts_.erase(&context);
    removed_.SignalAll();
  }

 private:
  base::Mutex mutex_;
  base::CondVar removed_;
  absl::flat_hash_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::client
