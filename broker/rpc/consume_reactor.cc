#include "broker/rpc/consume_reactor.h"

#include <utility>

#include "broker/rpc/wire.h"
#include "grpcpp/impl/codegen/proto_utils.h"

namespace bellwether::broker {

ConsumeReactor::ConsumeReactor(BrokerService& service, base::Executor& executor,
                               base::Metrics& metrics, OpenStreams& streams)
    : service_(service), executor_(executor), streams_(streams),
      stream_(std::make_shared<ConsumeStream>(
          service, executor, metrics, [this](const ConsumeChunk& chunk) { Write(chunk); })) {}

void ConsumeReactor::Begin() {
  self_ = shared_from_this();
  if (streams_.Add(self_)) {
    StartSendInitialMetadata();  // tells the client that the stream was taken
    StartRead(&request_);
    return;
  }
  executor_.Post([self = self_] {
    self->End(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                           "this broker has too many open streams or is stopping; try again"));
  });
}

void ConsumeReactor::OnReadDone(bool ok) {
  if (!ok) {
    executor_.Post([self = self_] { self->End(grpc::Status::OK); });
    return;
  }
  // Read on only after this frame was worked off: a client can't pile frames up here.
  auto frame = std::make_shared<v1::ConsumeRequest>();  // shared because tasks are copied nowhere,
                                                        // but lambdas want one owner each
  const grpc::Status parsed =
      grpc::SerializationTraits<v1::ConsumeRequest>::Deserialize(&request_, frame.get());
  executor_.Post([self = self_, frame, parsed] {
    if (self->ended_) return;
    if (!parsed.ok()) {
      return self->End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "not a ConsumeRequest"));
    }
    self->OnFrame(*frame);
    if (!self->ended_) self->StartRead(&self->request_);
  });
}

void ConsumeReactor::OnFrame(const v1::ConsumeRequest& frame) {
  switch (frame.frame_case()) {
    case v1::ConsumeRequest::kSubscribe: {
      const auto target = FromWire(frame.subscribe().partition());
      if (!target.ok()) return End(ToGrpc(target.status()));
      stream_->Subscribe(frame.subscribe().subscription_id(), *target,
                         Offset(frame.subscribe().offset()));
      break;
    }
    case v1::ConsumeRequest::kUnsubscribe:
      stream_->Unsubscribe(frame.unsubscribe().subscription_id());
      break;
    case v1::ConsumeRequest::kCredit: stream_->AddCredit(frame.credit().bytes()); break;
    case v1::ConsumeRequest::FRAME_NOT_SET: break;  // of a newer client
  }
  if (stream_->backlog() > 2 * service_.limits().subscriptions_max) {
    End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                     "too many subscriptions begun and ended without reading the answers"));
  }
}

void ConsumeReactor::Write(const ConsumeChunk& chunk) {
  if (ended_) return;
  response_ = EncodeChunk(chunk);
  StartWrite(&response_);
}

void ConsumeReactor::OnWriteDone(bool ok) {
  // A failed write means a broken stream: the read under way fails, too, and ends it.
  if (!ok) return;
  executor_.Post([self = self_] { self->stream_->SinkReady(); });
}

void ConsumeReactor::Drain() {
  executor_.Post([self = shared_from_this()] {
    self->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this broker is stopping"));
  });
}

void ConsumeReactor::End(grpc::Status status) {
  if (std::exchange(ended_, true)) return;
  stream_->Close();
  Finish(std::move(status));
}

void ConsumeReactor::OnDone() {
  const std::shared_ptr<ConsumeReactor> self = std::move(self_);
  streams_.Remove(self);
}

}  // namespace bellwether::broker
