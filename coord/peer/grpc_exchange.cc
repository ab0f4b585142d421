#include "coord/peer/grpc_exchange.h"

#include <utility>

#include "base/parse.h"
#include "base/status.h"
#include "bellwether/coord/v1/peer.grpc.pb.h"
#include "fmt/format.h"
#include "grpc/support/time.h"
#include "grpcpp/grpcpp.h"

namespace bellwether::coord {
namespace {

constexpr int kMessageBytesMax = 8 << 20;
constexpr int kListenerStreamsMax = 64;
constexpr int kKeepaliveMs = 10'000;

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

// gRPC finds out by pings how much a stream may have under way, and answers reads with updates of that,
// which costs as much as our short messages do. Streams between servers get it from the first byte on.
constexpr int kBandwidthProbe = 0;
constexpr int kStreamWindowBytes = 16 << 20;

int Millis(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

grpc::ChannelArguments ChannelArguments(const PeerChannel::Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Millis(options.redial_first));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Millis(options.redial_last));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Millis(options.connect_timeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, kBandwidthProbe);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A channel each, and thus a connection each.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

// --- Streams that this server opens

struct PeerChannel::Stub {
  std::unique_ptr<v1::Peer::Stub> generated;
};

PeerChannel::PeerChannel(const std::string& address, const Options& options)
    : stub_(new Stub{v1::Peer::NewStub(grpc::CreateCustomChannel(
          address, grpc::InsecureChannelCredentials(), ChannelArguments(options)))}) {}

PeerChannel::~PeerChannel() = default;

std::unique_ptr<PeerChannel::Stream> PeerChannel::Prepare(grpc::ClientContext& context,
                                                          grpc::CompletionQueue& queue) {
  return stub_->generated->PrepareAsyncExchange(&context, &queue);
}

DialedExchange::DialedExchange(Owner& owner, ServerId expected)
    : Exchange(owner, ExchangeLimits()),
      expected_(expected),
      start_tag_([this](bool ok) { OnOpened(ok); }) {}

DialedExchange::~DialedExchange() = default;

void DialedExchange::Start(PeerChannel& channel, grpc::CompletionQueue& queue) {
  stream_ = channel.Prepare(context_, queue);
  stream_->StartCall(start_tag_.Begin(shared_from_this()));
}

void DialedExchange::StartRead(v1::PeerBatch& batch, void* tag) { stream_->Read(&batch, tag); }

void DialedExchange::StartWrite(const v1::PeerBatch& batch, void* tag) {
  stream_->Write(batch, tag);
}

void DialedExchange::StartFinish(const absl::Status&, void* tag) {
  stream_->Finish(&status_, tag);
}

absl::Status DialedExchange::FinishStatus() const { return FromGrpc(status_); }

// --- Streams that peers open

struct PeerListener::Service : public v1::Peer::AsyncService {};

PeerListener::PeerListener() : service_(std::make_unique<Service>()) {}

absl::StatusOr<std::unique_ptr<PeerListener>> PeerListener::Listen(
    const std::string& address, absl::Duration keepalive_timeout) {
  std::unique_ptr<PeerListener> listener(new PeerListener());
  RETURN_IF_ERROR(listener->Bind(address, keepalive_timeout));
  return listener;
}

absl::Status PeerListener::Bind(const std::string& address, absl::Duration keepalive_timeout) {
  RETURN_IF_ERROR(base::ParseHostPort(address).status());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(service_.get());
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  // Without this a second process could bind the same port and take half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kListenerStreamsMax);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, kBandwidthProbe);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kKeepaliveMs / 2);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) {
    return absl::UnavailableError(
        fmt::format("cannot listen for peers on {}: the address is in use or not this machine's; "
                    "stop the process that uses it or choose another --listen-peer",
                    address));
  }
  thread_.emplace("peer-accept", [this] { RunAccepting(); });
  return absl::OkStatus();
}

PeerListener::~PeerListener() {
  if (!thread_.has_value()) return;
  queue_->Shutdown();
  thread_.reset();
}

void PeerListener::Request(grpc::ServerContext& context, Stream& stream,
                           grpc::CompletionQueue& queue, void* tag) {
  service_->RequestExchange(&context, &stream, &queue, queue_.get(), tag);
}

void PeerListener::Shutdown() { server_->Shutdown(gpr_now(GPR_CLOCK_MONOTONIC)); }

void PeerListener::RunAccepting() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<CompletionTag*>(tag)->End(ok);
}

AcceptedExchange::AcceptedExchange(
    Owner& owner, std::function<void(std::shared_ptr<AcceptedExchange>)> came)
    : Exchange(owner, ExchangeLimits()),
      start_tag_([this, came = std::move(came)](bool ok) {
        if (!ok) return;  // the server shuts down
        came(std::static_pointer_cast<AcceptedExchange>(shared_from_this()));
      }),
      stream_(&context_) {}

AcceptedExchange::~AcceptedExchange() = default;

void AcceptedExchange::Start(PeerListener& listener, grpc::CompletionQueue& queue) {
  listener.Request(context_, stream_, queue, start_tag_.Begin(shared_from_this()));
}

void AcceptedExchange::StartRead(v1::PeerBatch& batch, void* tag) { stream_.Read(&batch, tag); }

void AcceptedExchange::StartWrite(const v1::PeerBatch& batch, void* tag) {
  stream_.Write(batch, tag);
}

void AcceptedExchange::StartFinish(const absl::Status& reason, void* tag) {
  stream_.Finish(ToGrpc(reason), tag);
}

}  // namespace bellwether::coord
