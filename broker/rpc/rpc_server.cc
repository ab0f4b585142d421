#include "broker/rpc/rpc_server.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "bellwether/broker/v1/broker.grpc.pb.h"
#include "broker/rpc/admin_calls.h"
#include "broker/rpc/consume_reactor.h"
#include "broker/rpc/open_streams.h"
#include "broker/rpc/produce_reactor.h"
#include "broker/rpc/wire.h"
#include "fmt/format.h"
#include "grpcpp/grpcpp.h"

namespace bellwether::broker {
namespace {

constexpr int kMessageBytesMax = 4 << 20;  // both directions
constexpr int kStreamsPerConnectionMax = 1024;
constexpr absl::Duration kCallTimeoutDefault = absl::Seconds(10);
constexpr absl::Duration kCallTimeoutMax = absl::Minutes(2);

// Picks executors in turn. Thread-safe.
class Turns {
 public:
  explicit Turns(std::vector<base::Executor*> executors) : executors_(std::move(executors)) {}
  base::Executor& Next() { return *executors_[next_.fetch_add(1) % executors_.size()]; }

 private:
  const std::vector<base::Executor*> executors_;
  std::atomic<size_t> next_ = 0;
};

using BrokerBase = v1::Broker::WithRawCallbackMethod_Consume<
    v1::Broker::WithCallbackMethod_Produce<v1::Broker::WithCallbackMethod_ListOffsets<
        v1::Broker::Service>>>;

class BrokerCalls final : public BrokerBase {
 public:
  BrokerCalls(const RpcServer::Parts& parts, OpenStreams& streams)
      : parts_(parts), readers_(parts.readers), streams_(streams) {}

  grpc::ServerBidiReactor<v1::ProduceRequest, v1::ProduceResponse>* Produce(
      grpc::CallbackServerContext*) override {
    auto reactor =
        std::make_shared<ProduceReactor>(*parts_.service, readers_.Next(), streams_);  // self-owned
    reactor->Begin();
    return reactor.get();
  }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Consume(
      grpc::CallbackServerContext*) override {
    auto reactor = std::make_shared<ConsumeReactor>(*parts_.service, readers_.Next(),
                                                    *parts_.metrics, streams_);  // self-owned
    reactor->Begin();
    return reactor.get();
  }

  grpc::ServerUnaryReactor* ListOffsets(grpc::CallbackServerContext* context,
                                        const v1::ListOffsetsRequest* request,
                                        v1::ListOffsetsResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const size_t most = parts_.service->limits().list_offsets_max;
    if (static_cast<size_t>(request->queries_size()) > most) {
      reactor->Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                                   fmt::format("at most {} queries in one request", most)));
      return reactor;
    }
    readers_.Next().Post([this, request, response, reactor] {
      for (const auto& query : request->queries()) Answer(query, *response->add_answers());
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

 private:
  void Answer(const v1::ListOffsetsRequest::Query& query,
              v1::ListOffsetsResponse::Answer& answer) const {
    const auto list = [&]() -> absl::StatusOr<ListedOffset> {
      ASSIGN_OR_RETURN(const PartitionTarget target, FromWire(query.partition()));
      return parts_.service->ListOffset(target, query.timestamp_ms());
    };
    const auto listed = list();
    if (!listed.ok()) {
      *answer.mutable_error() = ToWire(listed.status());
      return;
    }
    answer.set_offset(listed->offset.value());
    answer.set_timestamp_ms(listed->timestamp_ms);
    answer.set_log_start_offset(listed->log.log_start.value());
    answer.set_high_watermark(listed->log.high_watermark.value());
    answer.set_log_end_offset(listed->log.log_end.value());
  }

  const RpcServer::Parts parts_;
  Turns readers_;
  OpenStreams& streams_;
};

class AdminCalls final : public v1::Admin::CallbackService {
 public:
  explicit AdminCalls(const RpcServer::Parts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* CreateTopic(grpc::CallbackServerContext* context,
                                        const v1::CreateTopicRequest* request,
                                        v1::CreateTopicResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    CreateTopicCall(*parts_.cluster, *request, TimeoutOf(*context), *response, Finish(reactor));
    return reactor;
  }
  grpc::ServerUnaryReactor* DeleteTopic(grpc::CallbackServerContext* context,
                                        const v1::DeleteTopicRequest* request,
                                        v1::DeleteTopicResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    DeleteTopicCall(*parts_.cluster, *request, TimeoutOf(*context), *response, Finish(reactor));
    return reactor;
  }
  grpc::ServerUnaryReactor* Metadata(grpc::CallbackServerContext* context,
                                     const v1::MetadataRequest* request,
                                     v1::MetadataResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    MetadataCall(*parts_.cluster, *request, TimeoutOf(*context), *response, Finish(reactor));
    return reactor;
  }
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context, const v1::StatusRequest*,
                                   v1::StatusResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    parts_.readers.front()->Post([this, response, reactor] {
      response->set_broker_id(parts_.self.value());
      response->set_disk_free_bytes(parts_.disk_free_bytes());
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

 private:
  static CallDone Finish(grpc::ServerUnaryReactor* reactor) {
    return [reactor](const absl::Status& status) {
      reactor->Finish(status.ok() ? grpc::Status::OK : ToGrpc(status));
    };
  }

  // A little less than the caller waits, so that the answer still reaches it.
  absl::Duration TimeoutOf(const grpc::CallbackServerContext& context) const {
    const absl::Time deadline = absl::FromChrono(context.deadline());
    const absl::Duration left = deadline - parts_.clock->Wall();
    if (left > kCallTimeoutMax) return kCallTimeoutDefault;
    return std::max(left * 0.9, absl::Milliseconds(1));
  }

  const RpcServer::Parts parts_;
};

class GrpcServer final : public RpcServer {
 public:
  explicit GrpcServer(Parts parts)
      : streams_(parts.service->limits().streams_max,
                 parts.metrics->AddGauge("bell_broker_streams", "Open produce and consume streams")),
        broker_(parts, streams_), admin_(parts), clock_(*parts.clock) {}
  ~GrpcServer() override { Stop(absl::ZeroDuration()); }

  absl::Status Listen(const base::HostPort& listen) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(listen.ToString(), grpc::InsecureServerCredentials(), &port);
    // Without this two brokers could listen on one port, each with half of the connections.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 20);
    builder.SetMaxReceiveMessageSize(kMessageBytesMax);
    builder.SetMaxSendMessageSize(kMessageBytesMax);
    builder.RegisterService(&broker_);
    builder.RegisterService(&admin_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return absl::UnavailableError(
          fmt::format("cannot listen on {}: the address is in use or not of this machine; choose "
                      "another --listen",
                      listen.ToString()));
    }
    address_ = listen;
    address_.port = static_cast<uint16_t>(port);
    return absl::OkStatus();
  }

  base::HostPort address() const override { return address_; }

  void Stop(absl::Duration grace) override {
    if (server_ == nullptr) return;
    streams_.DrainAll();
    server_->Shutdown(absl::ToChronoTime(clock_.Wall() + grace));
    server_->Wait();
    server_.reset();
  }

 private:
  OpenStreams streams_;
  BrokerCalls broker_;
  AdminCalls admin_;
  base::Clock& clock_;
  base::HostPort address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const base::HostPort& listen,
                                                            Parts parts) {
  auto server = std::make_unique<GrpcServer>(std::move(parts));
  RETURN_IF_ERROR(server->Listen(listen));
  return server;
}

}  // namespace bellwether::broker
