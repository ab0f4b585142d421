#include "coord/peer/grpc_exchange.h"

#include <utility>

#include "base/check.h"
#include "bellwether/coord/v1/peer.grpc.pb.h"
#include "grpc/support/time.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/server_posix.h"

namespace bellwether::coord {
namespace {

constexpr int kMessageBytesMax = 8 << 20;
constexpr int kConnectionStreamsMax = 64;
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

grpc::ChannelArguments ChannelArguments(const GrpcPeers::Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
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

// --- GrpcPeers

struct GrpcPeers::Service : public v1::Peer::AsyncService {};

GrpcPeers::GrpcPeers(base::Executor& executor, const Options& options)
    : executor_(executor), options_(options), service_(std::make_unique<Service>()) {
  grpc::ServerBuilder builder;
  builder.RegisterService(service_.get());
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kConnectionStreamsMax);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, kBandwidthProbe);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kKeepaliveMs / 2);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  CHECK(server_ != nullptr);  // it binds nothing that could be missing
  thread_.emplace("peer-grpc", [this] { Run(); });
}

GrpcPeers::~GrpcPeers() {
  queue_->Shutdown();
  thread_.reset();
}

void GrpcPeers::AddConnection(int socket) {
  grpc::AddInsecureChannelFromFd(server_.get(), socket);
}

void GrpcPeers::Request(grpc::ServerContext& context, ServerStream& stream, CompletionTag& tag,
                        std::shared_ptr<void> owner) {
  service_->RequestExchange(&context, &stream, queue_.get(), queue_.get(),
                            tag.Begin(std::move(owner)));
}

std::unique_ptr<GrpcPeers::ClientStream> GrpcPeers::Prepare(grpc::ClientContext& context,
                                                            const std::string& address) {
  // The stream keeps the channel, and with it the connection.
  const auto stub = v1::Peer::NewStub(grpc::CreateCustomChannel(
      address, grpc::InsecureChannelCredentials(), ChannelArguments(options_)));
  return stub->PrepareAsyncExchange(&context, queue_.get());
}

void GrpcPeers::Shutdown() { server_->Shutdown(gpr_now(GPR_CLOCK_MONOTONIC)); }

void GrpcPeers::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    executor_.Post([tag, ok] { static_cast<CompletionTag*>(tag)->End(ok); });
  }
}

// --- Both ends

GrpcExchange::GrpcExchange(Owner& owner, base::Executor& executor, ServerId expected)
    : Exchange(owner, executor, expected),
      read_tag_([this](bool ok) { ok ? OnBatch() : OnReadEnded(absl::OkStatus()); }),
      write_tag_([this](bool ok) { OnWritten(ok); }),
      finish_tag_([this](bool) { OnFinished(FinishStatus()); }) {}

// --- Streams that this server opens

DialedGrpcExchange::DialedGrpcExchange(Owner& owner, base::Executor& executor, ServerId expected)
    : GrpcExchange(owner, executor, expected), start_tag_([this](bool ok) { OnOpened(ok); }) {}

DialedGrpcExchange::~DialedGrpcExchange() = default;

void DialedGrpcExchange::Start(GrpcPeers& peers, const std::string& address) {
  stream_ = peers.Prepare(context_, address);
  stream_->StartCall(start_tag_.Begin(shared_from_this()));
}

void DialedGrpcExchange::StartRead(v1::PeerBatch& batch) { stream_->Read(&batch, ReadTag()); }

void DialedGrpcExchange::StartWrite(const v1::PeerBatch& batch) {
  stream_->Write(batch, WriteTag());
}

void DialedGrpcExchange::StartFinish(const absl::Status&) {
  stream_->Finish(&status_, FinishTag());
}

absl::Status DialedGrpcExchange::FinishStatus() const { return FromGrpc(status_); }

// --- Streams that peers open

AcceptedGrpcExchange::AcceptedGrpcExchange(
    Owner& owner, base::Executor& executor,
    std::function<void(std::shared_ptr<AcceptedGrpcExchange>)> came)
    : GrpcExchange(owner, executor, ServerId()),
      start_tag_([this, came = std::move(came)](bool ok) {
        if (!ok) return;  // the server shuts down
        came_ = true;
        came(std::static_pointer_cast<AcceptedGrpcExchange>(shared_from_this()));
      }),
      stream_(&context_) {}

AcceptedGrpcExchange::~AcceptedGrpcExchange() = default;

void AcceptedGrpcExchange::Start(GrpcPeers& peers) {
  peers.Request(context_, stream_, start_tag_, shared_from_this());
}

void AcceptedGrpcExchange::StartRead(v1::PeerBatch& batch) { stream_.Read(&batch, ReadTag()); }

void AcceptedGrpcExchange::StartWrite(const v1::PeerBatch& batch) {
  stream_.Write(batch, WriteTag());
}

void AcceptedGrpcExchange::StartFinish(const absl::Status& reason) {
  stream_.Finish(ToGrpc(reason), FinishTag());
}

}  // namespace bellwether::coord
