#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "base/executor.h"
#include "base/thread.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "coord/peer/completion_tag.h"
#include "coord/peer/exchange.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/server.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_stream.h"

// How servers of older releases talk: an Exchange that is a stream of gRPC (peer.proto).
namespace bellwether::coord {

class DialedGrpcExchange;
class AcceptedGrpcExchange;

// The gRPC beside the framed connections: made when the first peer needs it. Listens nowhere: it is given
// the sockets of peers that speak so.
// Threads: one of its own, `peer-grpc`, which only posts completions to the replica's executor, where
// everything else runs, but for Shutdown.
class GrpcPeers {
 public:
  using ServerStream = grpc::ServerAsyncReaderWriter<v1::PeerBatch, v1::PeerBatch>;
  using ClientStream = grpc::ClientAsyncReaderWriter<v1::PeerBatch, v1::PeerBatch>;

  struct Options {
    absl::Duration connect_timeout;    // of one attempt
    absl::Duration keepalive_timeout;  // for the answer to a ping; then the connection is lost
  };

  GrpcPeers(base::Executor& executor, const Options& options);
  // Requires: Shutdown was called, and no exchange is left.
  ~GrpcPeers();

  // Talks to a peer on its socket, which is closed in the end.
  void AddConnection(int socket);

  // Takes the next stream that a peer opens on one of the sockets; `tag` ends OK when it has come.
  void Request(grpc::ServerContext& context, ServerStream& stream, CompletionTag& tag,
               std::shared_ptr<void> owner);

  // A stream to be started, over a connection of its own to "host:port".
  std::unique_ptr<ClientStream> Prepare(grpc::ClientContext& context, const std::string& address);

  // Ends the streams that peers opened; no more come. From another thread than the executor's, which
  // it needs to go on.
  void Shutdown();

 private:
  struct Service;

  void Run();

  base::Executor& executor_;
  const Options options_;
  const std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<base::Thread> thread_;
};

// What both ends of such a stream have in common.
class GrpcExchange : public Exchange {
 public:
  GrpcExchange(Owner& owner, base::Executor& executor, ServerId expected);

  void Close() override {
    if (!finishing()) Cancel();  // the read fails, and with it the stream
  }
  void Tick(absl::Duration) override {}  // gRPC has its own keepalive

 protected:
  void OnWriteFailed() override { Cancel(); }  // the read ends then, and with it the stream

  void* ReadTag() { return read_tag_.Begin(shared_from_this()); }
  void* WriteTag() { return write_tag_.Begin(shared_from_this()); }
  void* FinishTag() { return finish_tag_.Begin(shared_from_this()); }

  // How it ended, once it has.
  virtual absl::Status FinishStatus() const = 0;

 private:
  CompletionTag read_tag_;
  CompletionTag write_tag_;
  CompletionTag finish_tag_;
};

// A stream that this server opens.
class DialedGrpcExchange : public GrpcExchange {
 public:
  DialedGrpcExchange(Owner& owner, base::Executor& executor, ServerId expected);
  ~DialedGrpcExchange() override;

  void Start(GrpcPeers& peers, const std::string& address);

 private:
  void StartRead(v1::PeerBatch& batch) override;
  void StartWrite(const v1::PeerBatch& batch) override;
  void StartFinish(const absl::Status& reason) override;
  absl::Status FinishStatus() const override;
  void Cancel() override { context_.TryCancel(); }

  CompletionTag start_tag_;
  grpc::ClientContext context_;
  grpc::Status status_;
  std::unique_ptr<GrpcPeers::ClientStream> stream_;
};

// A stream that a peer opens.
class AcceptedGrpcExchange : public GrpcExchange {
 public:
  // `came` is called when a stream has come; Open is to follow.
  AcceptedGrpcExchange(Owner& owner, base::Executor& executor,
                       std::function<void(std::shared_ptr<AcceptedGrpcExchange>)> came);
  ~AcceptedGrpcExchange() override;

  void Start(GrpcPeers& peers);
  void Open() { OnOpened(true); }

 private:
  void StartRead(v1::PeerBatch& batch) override;
  void StartWrite(const v1::PeerBatch& batch) override;
  void StartFinish(const absl::Status& reason) override;
  absl::Status FinishStatus() const override { return absl::OkStatus(); }
  void Cancel() override {
    if (came_) context_.TryCancel();  // else GrpcPeers::Shutdown ends it
  }

  bool came_ = false;
  CompletionTag start_tag_;
  grpc::ServerContext context_;
  GrpcPeers::ServerStream stream_;
};

}  // namespace bellwether::coord
