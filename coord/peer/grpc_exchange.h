#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/thread.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "coord/peer/completion_tag.h"
#include "coord/peer/exchange.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/server.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_stream.h"

// What of gRPC is behind an Exchange: the listener and the streams that peers open there, channels
// and the streams that this server opens over them.
namespace bellwether::coord {

// A connection of its own to the listener of one peer: made when the first stream is opened, and
// again after it was lost. Not thread-safe.
class PeerChannel {
 public:
  using Stream = grpc::ClientAsyncReaderWriter<v1::PeerBatch, v1::PeerBatch>;

  struct Options {
    // After a failure gRPC waits so long before it connects again, more each time up to `redial_last`.
    absl::Duration redial_first;
    absl::Duration redial_last;
    absl::Duration connect_timeout;    // of one attempt
    absl::Duration keepalive_timeout;  // for the answer to a ping; then the connection is lost
  };

  // `address`: "host:port".
  PeerChannel(const std::string& address, const Options& options);
  ~PeerChannel();

  // A stream to be started, the operations of which complete on `queue`.
  std::unique_ptr<Stream> Prepare(grpc::ClientContext& context, grpc::CompletionQueue& queue);

 private:
  struct Stub;
  const std::unique_ptr<Stub> stub_;
};

// A stream that this server opens.
class DialedExchange : public Exchange {
 public:
  DialedExchange(Owner& owner, ServerId expected);
  ~DialedExchange() override;

  void Start(PeerChannel& channel, grpc::CompletionQueue& queue);

  // Who should answer.
  ServerId expected() const { return expected_; }

 private:
  void StartRead(v1::PeerBatch& batch, void* tag) override;
  void StartWrite(const v1::PeerBatch& batch, void* tag) override;
  void StartFinish(const absl::Status& reason, void* tag) override;
  absl::Status FinishStatus() const override;
  void Cancel() override { context_.TryCancel(); }
  bool IsOpener() const override { return true; }

  const ServerId expected_;
  CompletionTag start_tag_;
  grpc::ClientContext context_;
  grpc::Status status_;
  std::unique_ptr<PeerChannel::Stream> stream_;
};

// The gRPC server on the peer listener.
// Threads: one of its own, `peer-accept`, on which accepted streams are told; calls from any.
class PeerListener {
 public:
  using Stream = grpc::ServerAsyncReaderWriter<v1::PeerBatch, v1::PeerBatch>;

  // Binds "host:port" (port 0: any free one); streams wait until they are requested. Errors:
  // UNAVAILABLE when the address can't be listened on, says so with the next step.
  // `keepalive_timeout`: as in PeerChannel::Options.
  static absl::StatusOr<std::unique_ptr<PeerListener>> Listen(const std::string& address,
                                                              absl::Duration keepalive_timeout);
  // Requires: Shutdown was called, and no exchange is left.
  ~PeerListener();

  uint16_t port() const { return static_cast<uint16_t>(port_); }

  // Takes the next stream that a peer opens; its operations complete on `queue`. `tag`, a
  // CompletionTag, ends on the listener's thread: OK when a stream has come.
  void Request(grpc::ServerContext& context, Stream& stream, grpc::CompletionQueue& queue,
               void* tag);

  // Ends all streams; no more come.
  void Shutdown();

 private:
  struct Service;

  PeerListener();
  absl::Status Bind(const std::string& address, absl::Duration keepalive_timeout);
  void RunAccepting();

  const std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::optional<base::Thread> thread_;
};

// A stream that a peer opens.
class AcceptedExchange : public Exchange {
 public:
  // `came` is called on the listener's thread when a stream has come; Open is to follow.
  AcceptedExchange(Owner& owner, std::function<void(std::shared_ptr<AcceptedExchange>)> came);
  ~AcceptedExchange() override;

  void Start(PeerListener& listener, grpc::CompletionQueue& queue);
  void Open() { OnOpened(true); }

 private:
  void StartRead(v1::PeerBatch& batch, void* tag) override;
  void StartWrite(const v1::PeerBatch& batch, void* tag) override;
  void StartFinish(const absl::Status& reason, void* tag) override;
  absl::Status FinishStatus() const override { return absl::OkStatus(); }
  void Cancel() override { context_.TryCancel(); }
  bool IsOpener() const override { return false; }

  CompletionTag start_tag_;
  grpc::ServerContext context_;
  PeerListener::Stream stream_;
};

}  // namespace bellwether::coord
