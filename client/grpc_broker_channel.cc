#include "client/grpc_broker_channel.h"

#include <map>
#include <string>
#include <utility>

#include "bellwether/broker/v1/broker.grpc.pb.h"
#include "base/clock.h"
#include "client/grpc_stream.h"

namespace bellwether::client {
namespace {

constexpr int kMessageBytesMax = 8 << 20;

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  return arguments;
}

// Channel and stubs of one broker.
struct Peer {
  explicit Peer(const std::string& address)
      : channel(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                          ChannelArguments())),
        broker(broker::v1::Broker::NewStub(channel)),
        admin(broker::v1::Admin::NewStub(channel)) {}

  std::shared_ptr<grpc::Channel> channel;  // gRPC's type
  std::unique_ptr<broker::v1::Broker::Stub> broker;
  std::unique_ptr<broker::v1::Admin::Stub> admin;
};

// A unary call under way.
template <typename Request, typename Response>
struct UnaryCall {
  grpc::ClientContext context;
  Request request;
  Response response;
  BrokerConnector::Answer<Response> answer;
};

class GrpcBrokerConnector : public BrokerConnector {
 public:
  explicit GrpcBrokerConnector(base::Executor& executor) : executor_(executor) {}
  ~GrpcBrokerConnector() override { *alive_ = false; }

  std::unique_ptr<ProduceCall> OpenProduce(
      const std::string& address,
      StreamCallbacks<broker::v1::ProduceResponse> callbacks) override {
    using Stream = BidiStream<broker::v1::ProduceRequest, broker::v1::ProduceResponse>;
    auto stream = std::make_shared<Stream>("broker " + address, executor_, outstanding_,
                                           std::move(callbacks));
    stream->Start([&](grpc::ClientContext* context, auto* reactor) {
      PeerAt(address).broker->async()->Produce(context, reactor);
    });
    return std::make_unique<BidiHandle<ProduceCall, broker::v1::ProduceRequest,
                                       broker::v1::ProduceResponse>>(std::move(stream));
  }

  std::unique_ptr<ConsumeCall> OpenConsume(
      const std::string& address,
      StreamCallbacks<broker::v1::ConsumeResponse> callbacks) override {
    using Stream = BidiStream<broker::v1::ConsumeRequest, broker::v1::ConsumeResponse>;
    auto stream = std::make_shared<Stream>("broker " + address, executor_, outstanding_,
                                           std::move(callbacks));
    stream->Start([&](grpc::ClientContext* context, auto* reactor) {
      PeerAt(address).broker->async()->Consume(context, reactor);
    });
    return std::make_unique<BidiHandle<ConsumeCall, broker::v1::ConsumeRequest,
                                       broker::v1::ConsumeResponse>>(std::move(stream));
  }

  void Metadata(const std::string& address, absl::Duration timeout,
                broker::v1::MetadataRequest request,
                Answer<broker::v1::MetadataResponse> answer) override {
    Call(address, timeout, std::move(request), std::move(answer), [&](auto* call, auto done) {
      PeerAt(address).admin->async()->Metadata(&call->context, &call->request, &call->response,
                                               std::move(done));
    });
  }

  void ListOffsets(const std::string& address, absl::Duration timeout,
                   broker::v1::ListOffsetsRequest request,
                   Answer<broker::v1::ListOffsetsResponse> answer) override {
    Call(address, timeout, std::move(request), std::move(answer), [&](auto* call, auto done) {
      PeerAt(address).broker->async()->ListOffsets(&call->context, &call->request,
                                                   &call->response, std::move(done));
    });
  }

  void CreateTopic(const std::string& address, absl::Duration timeout,
                   broker::v1::CreateTopicRequest request,
                   Answer<broker::v1::CreateTopicResponse> answer) override {
    Call(address, timeout, std::move(request), std::move(answer), [&](auto* call, auto done) {
      PeerAt(address).admin->async()->CreateTopic(&call->context, &call->request, &call->response,
                                                  std::move(done));
    });
  }

  void DeleteTopic(const std::string& address, absl::Duration timeout,
                   broker::v1::DeleteTopicRequest request,
                   Answer<broker::v1::DeleteTopicResponse> answer) override {
    Call(address, timeout, std::move(request), std::move(answer), [&](auto* call, auto done) {
      PeerAt(address).admin->async()->DeleteTopic(&call->context, &call->request, &call->response,
                                                  std::move(done));
    });
  }

  void Status(const std::string& address, absl::Duration timeout,
              broker::v1::StatusRequest request,
              Answer<broker::v1::StatusResponse> answer) override {
    Call(address, timeout, std::move(request), std::move(answer), [&](auto* call, auto done) {
      PeerAt(address).admin->async()->Status(&call->context, &call->request, &call->response,
                                             std::move(done));
    });
  }

 private:
  Peer& PeerAt(const std::string& address) {
    auto& peer = peers_[address];
    if (peer == nullptr) peer = std::make_unique<Peer>(address);
    return *peer;
  }

  template <typename Request, typename Response, typename Start>
  void Call(const std::string& address, absl::Duration timeout, Request request,
            Answer<Response> answer, Start start) {
    auto call = std::make_shared<UnaryCall<Request, Response>>();  // shared with gRPC's callback
    call->request = std::move(request);
    call->answer = std::move(answer);
    call->context.set_deadline(absl::ToChronoTime(base::SystemClock().Wall() + timeout));
    outstanding_.Add(call->context);
    start(call.get(), [this, call, address, alive = alive_](const grpc::Status& status) mutable {
      grpc::ClientContext& context = call->context;
      outstanding_.Finish(context, executor_, [call = std::move(call), address, alive, status] {
        if (!*alive) return;
        if (status.ok()) {
          call->answer(std::move(call->response));
        } else {
          call->answer(FromGrpc(status, "broker " + address));
        }
      });
    });
  }

  base::Executor& executor_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // watched by late callbacks
  std::map<std::string, std::unique_ptr<Peer>> peers_;
  OutstandingCalls outstanding_;  // last: destroyed, and waited for, first
};

}  // namespace

std::unique_ptr<BrokerConnector> NewGrpcBrokerConnector(base::Executor& executor) {
  return std::make_unique<GrpcBrokerConnector>(executor);
}

}  // namespace bellwether::client
