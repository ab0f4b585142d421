#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/status/statusor.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "bellwether/broker/v1/broker.pb.h"
#include "broker/rpc/open_streams.h"
#include "broker/service/broker_service.h"
#include "grpcpp/support/server_callback.h"

namespace bellwether::broker {

// One Produce stream. Reads on while the batches that are not yet durable stay within the stream's
// bounds, so that a fast producer is held back by its connection; answers in the order in which
// batches became durable. Holds itself until gRPC is done with it.
//
// Callbacks come from gRPC's threads and the log's committer; answers leave from `executor`, to
// keep the committer off the network.
class ProduceReactor : public grpc::ServerBidiReactor<v1::ProduceRequest, v1::ProduceResponse>,
                       public Drainable,
                       public std::enable_shared_from_this<ProduceReactor> {
 public:
  ProduceReactor(BrokerService& service, base::Executor& executor, OpenStreams& streams);

  // Begins to read. To be called once, right after it was made.
  void Begin();
  void Drain() override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  void OnProduced(uint64_t request_id, size_t bytes, const absl::StatusOr<Produced>& result);
  void Enqueue(v1::ProduceResponse response);
  void WriteNext();
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True when the stream must be finished now, by the caller, without the lock.
  bool TakeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishNow();

  BrokerService& service_;
  base::Executor& executor_;
  OpenStreams& streams_;
  std::shared_ptr<ProduceReactor> self_;  // until OnDone
  v1::ProduceRequest request_;            // of the read under way

  base::Mutex mutex_;
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;         // requests read, not yet written off
  size_t in_flight_bytes_ ABSL_GUARDED_BY(mutex_) = 0;    // of batches not yet durable
  bool read_paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_ended_ ABSL_GUARDED_BY(mutex_) = false;       // by the client, or draining
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;          // a write is under way or about to be
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;           // writes fail
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::ProduceResponse> outbox_ ABSL_GUARDED_BY(mutex_);  // front: being written
};

}  // namespace bellwether::broker
