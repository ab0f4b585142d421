#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "broker/log/log.h"
#include "broker/service/broker_service.h"

namespace bellwether::broker {

// One frame to a consumer.
struct ConsumeChunk {
  uint64_t subscription_id = 0;
  absl::Status error;  // set: the subscription has ended
  LogOffsets offsets;
  std::vector<BatchRef> batches;  // whole ones, in order
};

// The subscriptions of one consumer and what it may still be sent. Records are pushed as they
// become durable, in turn for each subscription that has some, as long as there is credit and the
// sink takes frames: a slow consumer costs nothing but its subscriptions. Nothing polls: at the end
// of a partition it waits for the log to call.
//
// On one executor, which may block on the disk. Owned by a shared_ptr, because logs and leaderships
// call it back from other threads through weak ones.
class ConsumeStream : public std::enable_shared_from_this<ConsumeStream> {
 public:
  // Called on the executor with one frame at a time; SinkReady asks for the next.
  using Sink = std::function<void(ConsumeChunk)>;

  ConsumeStream(BrokerService& service, base::Executor& executor, base::Metrics& metrics,
                Sink sink);
  ~ConsumeStream();

  // An id that is in use, or one subscription too many, is answered with an error under that id.
  void Subscribe(uint64_t id, const PartitionTarget& target, Offset offset);
  void Unsubscribe(uint64_t id);
  void AddCredit(uint64_t bytes);
  // The last frame has left.
  void SinkReady();
  // Ends everything; the sink isn't called any more.
  void Close();

  // Frames and turns that wait for the sink: bounded by whoever feeds it.
  size_t backlog() const { return errors_.size() + ready_.size(); }

 private:
  struct Subscription {
    PartitionTarget target;
    std::shared_ptr<Leadership> leadership;  // shared with the partition table
    Offset next;                             // to be sent
    bool queued = false;                     // in ready_
    bool greeted = false;                    // the first frame was sent
    PartitionLog::WaitId wait = 0;           // while at the end
    uint64_t end_notification = 0;
    uint64_t number = 0;                     // tells it from an earlier one of the same id
  };

  void Pump();
  // Sends one frame of the subscription, if there is one to send.
  void Serve(uint64_t id, Subscription& subscription);
  void WaitForMore(uint64_t id, Subscription& subscription, Offset above);
  // Runs `action` with the subscription on the executor, if it is still there.
  absl::AnyInvocable<void()> Later(uint64_t id, uint64_t number,
                                   void (ConsumeStream::*action)(uint64_t));
  void OnMore(uint64_t id);
  void OnLeadershipEnd(uint64_t id);
  void MakeReady(uint64_t id, Subscription& subscription);
  void Fail(uint64_t id, absl::Status error, LogOffsets offsets);
  void Drop(std::map<uint64_t, Subscription>::iterator it);
  void Send(ConsumeChunk chunk);

  BrokerService& service_;
  base::Executor& executor_;
  base::Gauge& subscriptions_gauge_;
  base::Counter& bytes_counter_;
  Sink sink_;

  std::map<uint64_t, Subscription> subscriptions_;
  uint64_t last_number_ = 0;
  std::deque<uint64_t> ready_;        // subscriptions that may have something to send
  std::deque<ConsumeChunk> errors_;   // to be sent first; bounded by the frames of the client
  uint64_t credit_ = 0;               // bytes
  bool sink_ready_ = true;
  bool closed_ = false;
};

}  // namespace bellwether::broker
