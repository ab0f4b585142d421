#include "broker/rpc/produce_reactor.h"

#include <string>
#include <utility>

#include "broker/rpc/wire.h"

namespace bellwether::broker {

ProduceReactor::ProduceReactor(BrokerService& service, base::Executor& executor,
                               OpenStreams& streams)
    : service_(service), executor_(executor), streams_(streams) {}

void ProduceReactor::Begin() {
  self_ = shared_from_this();
  if (streams_.Add(self_)) {
    StartSendInitialMetadata();  // tells the client that the stream was taken
    StartRead(&request_);
    return;
  }
  {
    base::MutexLock lock(mutex_);
    finished_ = true;
  }
  Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                      "this broker has too many open streams or is stopping; try again"));
}

bool ProduceReactor::MayRead() const {
  return in_flight_bytes_ < service_.limits().produce_stream_bytes_max &&
         unanswered_ < service_.limits().produce_stream_requests_max;
}

void ProduceReactor::OnReadDone(bool ok) {
  if (!ok) {
    bool finish = false;
    {
      base::MutexLock lock(mutex_);
      read_ended_ = true;
      finish = TakeFinish();
    }
    if (finish) FinishNow();
    return;
  }
  const uint64_t request_id = request_.request_id();
  const auto target = FromWire(request_.partition());
  std::string batch = std::move(*request_.mutable_batch());
  const size_t bytes = batch.size();
  {
    base::MutexLock lock(mutex_);
    ++unanswered_;
    in_flight_bytes_ += bytes;
  }
  if (target.ok()) {
    service_.Produce(*target, std::move(batch),
                     [self = self_, request_id, bytes](const absl::StatusOr<Produced>& result) {
                       self->OnProduced(request_id, bytes, result);
                     });
  } else {
    OnProduced(request_id, bytes, target.status());
  }
  {
    base::MutexLock lock(mutex_);
    read_paused_ = !MayRead();
    if (read_paused_) return;
  }
  request_.Clear();
  StartRead(&request_);
}

void ProduceReactor::OnProduced(uint64_t request_id, size_t bytes,
                                const absl::StatusOr<Produced>& result) {
  v1::ProduceResponse response;
  response.set_request_id(request_id);
  if (result.ok()) {
    response.set_base_offset(result->base_offset.value());
    response.set_leader_epoch(result->leader_epoch.value());
  } else {
    *response.mutable_error() = ToWire(result.status());
  }
  {
    base::MutexLock lock(mutex_);
    in_flight_bytes_ -= bytes;
    outbox_.push_back(std::move(response));
    if (std::exchange(writing_, true)) return;
  }
  executor_.Post([self = shared_from_this()] { self->WriteNext(); });
}

void ProduceReactor::WriteNext() {
  const v1::ProduceResponse* response = nullptr;
  bool more = false, read = false, finish = false;
  {
    base::MutexLock lock(mutex_);
    if (broken_) {
      unanswered_ -= outbox_.size();
      outbox_.clear();
    }
    if (outbox_.empty()) {
      writing_ = false;
    } else {
      response = &outbox_.front();
      more = outbox_.size() > 1;
    }
    read = read_paused_ && MayRead();
    if (read) read_paused_ = false;
    finish = TakeFinish();
  }
  if (response != nullptr) {
    grpc::WriteOptions options;
    if (more) options.set_buffer_hint();
    StartWrite(response, options);
  }
  if (read) {
    request_.Clear();
    StartRead(&request_);
  }
  if (finish) FinishNow();
}

void ProduceReactor::OnWriteDone(bool ok) {
  {
    base::MutexLock lock(mutex_);
    broken_ = broken_ || !ok;
    outbox_.pop_front();
    --unanswered_;
  }
  WriteNext();
}

void ProduceReactor::Drain() {
  bool finish = false;
  {
    base::MutexLock lock(mutex_);
    draining_ = true;
    finish = TakeFinish();
  }
  if (finish) FinishNow();
}

bool ProduceReactor::TakeFinish() {
  if (finished_ || unanswered_ > 0 || writing_ || (!read_ended_ && !draining_)) return false;
  finished_ = true;
  return true;
}

void ProduceReactor::FinishNow() {
  bool draining = false;
  {
    base::MutexLock lock(mutex_);
    draining = draining_;
  }
  Finish(draining ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "this broker is stopping")
                  : grpc::Status::OK);
}

void ProduceReactor::OnDone() {
  const std::shared_ptr<ProduceReactor> self = std::move(self_);
  streams_.Remove(self);
}

}  // namespace bellwether::broker
