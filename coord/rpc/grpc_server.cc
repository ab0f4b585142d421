#include "coord/rpc/grpc_server.h"

#include <atomic>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/mutex.h"
#include "base/status.h"
#include "bellwether/coord/v1/coord.grpc.pb.h"
#include "coord/peer/membership_convert.h"
#include "coord/rpc/convert.h"
#include "coord/rpc/operations.h"
#include "coord/rpc/session_stream.h"
#include "coord/rpc/watch_stream.h"
#include "fmt/format.h"
#include "grpcpp/alarm.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace bellwether::coord {
namespace {

// Above the 4 MiB that a request's payload may have: room for the fields around it.
constexpr int kReceiveBytesMax = (4 << 20) + (256 << 10);
// All changes of one zxid are one frame: a recursive delete names up to 100,000 znodes.
constexpr int kSendBytesMax = 64 << 20;
// Taken from a stream's outbox at a time, and then written one by one.
constexpr size_t kTakeBytes = 256 << 10;
// Pieces of snapshots, 1 MiB each, that are being read or that their clients have not yet taken.
constexpr int kPiecesMax = 32;

gpr_timespec FromNow(absl::Duration duration) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(absl::ToInt64Milliseconds(duration), GPR_TIMESPAN));
}

// The details carry the whole Error, with outcome and reason, for clients that know it.
grpc::Status ToGrpcStatus(const Failure& failure) {
  ::bellwether::common::v1::Error error;
  ToProto(failure, error);
  return {static_cast<grpc::StatusCode>(failure.code), failure.message, error.SerializeAsString()};
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return status.ok() ? grpc::Status::OK : ToGrpcStatus(FailureOf(status));
}

// OK when the request names this server's ensemble, or none.
template <typename Request>
grpc::Status CheckEnsemble(const CoordService& service, const Request& request,
                           std::string_view call) {
  const absl::StatusOr<base::Uuid> named = ToEnsembleId(request.ensemble_id(), call);
  return ToGrpcStatus(named.ok() ? service.CheckEnsemble(*named) : named.status());
}

// The sending half of a streaming reactor: takes frames from a stream when nothing is being written
// and finishes the call after the last one. Owns itself from Begin until gRPC is done with it; the
// stream shares it as its sink. gRPC allows one write at a time and nothing after Finish, and is
// called with no lock held: `busy_` says that an operation is about to be started.
template <typename Reactor, typename Stream, typename Frame>
class OutputReactor : public Reactor, public StreamSink {
 public:
  void OnOutput() override { Pump(); }
  void OnResume() override {}

  void OnWriteDone(bool ok) override {
    {
      base::MutexLock lock(mutex_);
      writing_ = false;
    }
    if (!ok) stream_->Close();
    Pump();
  }

  void OnCancel() override {
    if (stream_ != nullptr) stream_->Close();
  }

  void OnDone() override {
    if (stream_ != nullptr) stream_->Close();
    self_.reset();
  }

 protected:
  void Pump() {
    TakeResult result;
    grpc::WriteOptions options;
    switch (Decide(result, options)) {
      case Next::kNothing:
        return;
      case Next::kWrite:
        return this->StartWrite(&current_, options);
      case Next::kFinish:
        return this->Finish(result.failure.has_value() ? ToGrpcStatus(*result.failure)
                                                       : grpc::Status::OK);
    }
  }

  // Takes over the stream; false when it could not be opened and the call is to be finished.
  bool Begin(std::shared_ptr<OutputReactor> self, absl::StatusOr<std::unique_ptr<Stream>> stream) {
    base::MutexLock lock(mutex_);
    self_ = std::move(self);
    if (stream.ok()) {
      stream_ = *std::move(stream);
    } else {
      finished_ = true;
    }
    return stream_ != nullptr;
  }

  Stream& stream() { return *stream_; }

  // Starts an operation other than a write, unless the call is finished.
  template <typename Start>
  void StartUnlessFinished(Start start) {
    {
      base::MutexLock lock(mutex_);
      if (finished_) return;
      ++busy_;
    }
    start();
    {
      base::MutexLock lock(mutex_);
      --busy_;
    }
    Pump();
  }

 private:
  enum class Next { kNothing, kWrite, kFinish };

  // What can be done now. After kWrite and kFinish the caller must do it.
  Next Decide(TakeResult& result, grpc::WriteOptions& options) {
    base::MutexLock lock(mutex_);
    if (stream_ == nullptr || writing_ || finished_) return Next::kNothing;
    if (frames_.empty()) Refill(result);
    if (!frames_.empty()) {
      writing_ = true;
      current_ = std::move(frames_.front());
      frames_.pop_front();
      if (!frames_.empty()) options.set_buffer_hint();
      return Next::kWrite;
    }
    if (!result.finished || busy_ > 0) return Next::kNothing;
    finished_ = true;
    return Next::kFinish;
  }

  void Refill(TakeResult& result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<Frame> taken;
    result = stream_->Take(kTakeBytes, taken);
    for (Frame& frame : taken) frames_.push_back(std::move(frame));
  }

  std::shared_ptr<OutputReactor> self_;  // until OnDone; shared with the stream, as its sink
  std::unique_ptr<Stream> stream_;       // set once, by Begin
  Frame current_;                        // being written

  base::Mutex mutex_;
  std::deque<Frame> frames_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class SessionReactor
    : public OutputReactor<grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>,
                           SessionStream, v1::SessionResponse> {
 public:
  static SessionReactor* Open(CoordService& service, Principal principal) {
    auto reactor = std::make_shared<SessionReactor>();
    auto stream = SessionStream::Open(service, std::move(principal), reactor);
    const absl::Status status = stream.status();
    if (reactor->Begin(reactor, std::move(stream))) {
      reactor->ReadNext();
    } else {
      reactor->Finish(ToGrpcStatus(status));
    }
    return reactor.get();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return stream().Close();
    if (stream().Receive(std::move(incoming_))) ReadNext();
  }

  void OnResume() override { ReadNext(); }

 private:
  void ReadNext() {
    StartUnlessFinished([this] {
      incoming_.Clear();
      StartRead(&incoming_);
    });
  }

  v1::SessionRequest incoming_;  // being read, or handed to the stream
};

class WatchReactor : public OutputReactor<grpc::ServerWriteReactor<v1::WatchResponse>, WatchStream,
                                          v1::WatchResponse> {
 public:
  static WatchReactor* Open(CoordService& service, Principal principal,
                            const v1::WatchRequest& request) {
    auto reactor = std::make_shared<WatchReactor>();
    auto stream = WatchStream::Open(service, std::move(principal), request, reactor);
    const absl::Status status = stream.status();
    if (reactor->Begin(reactor, std::move(stream))) {
      reactor->Pump();
    } else {
      reactor->Finish(ToGrpcStatus(status));
    }
    return reactor.get();
  }
};

// One call of SaveSnapshot. Its piece is counted from before it is read until gRPC has written it,
// so that clients who take nothing can't fill the memory; and they have only so much time.
// Owns itself until gRPC is done with it.
class SaveSnapshotReactor : public grpc::ServerUnaryReactor,
                            public std::enable_shared_from_this<SaveSnapshotReactor> {
 public:
  // Of all such calls of a server; outlives them.
  struct Pieces {
    std::atomic<int> count = 0;  // see kPiecesMax
    const absl::Duration take_max;
  };

  SaveSnapshotReactor(CoordService& service, Pieces& pieces, grpc::CallbackServerContext& context,
                      v1::SaveSnapshotResponse& response)
      : service_(service), pieces_(pieces), context_(context), response_(response) {}

  static SaveSnapshotReactor* Open(CoordService& service, Pieces& pieces,
                                   grpc::CallbackServerContext& context,
                                   const v1::SaveSnapshotRequest& request,
                                   v1::SaveSnapshotResponse& response) {
    auto reactor = std::make_shared<SaveSnapshotReactor>(service, pieces, context, response);
    reactor->self_ = reactor;
    const grpc::Status checked = CheckEnsemble(service, request, "save snapshot");
    if (!checked.ok()) {
      reactor->Finish(checked);
    } else if (request.index() == 0) {
      reactor->TakeAndRead();
    } else {
      reactor->Read(LogIndex(request.index()), Term(request.term()), request.offset());
    }
    return reactor.get();
  }

  void OnDone() override {
    {
      base::MutexLock lock(mutex_);
      done_ = true;
    }
    if (counted_) --pieces_.count;
    self_.reset();
  }

 private:
  void TakeAndRead() {
    service_.SaveSnapshot([this](const absl::StatusOr<SnapshotInfo>& info) {
      if (!info.ok()) return Finish(ToGrpcStatus(info.status()));
      response_.set_file_bytes(info->file_bytes);
      Read(info->meta.index, info->meta.term, 0);
    });
  }

  void Read(LogIndex index, Term term, uint64_t offset) {
    if (pieces_.count.fetch_add(1) >= kPiecesMax) {
      --pieces_.count;
      return Finish(ToGrpcStatus(base::ErrorWithReason(
          absl::StatusCode::kResourceExhausted, kReasonBusy,
          "too many clients save snapshots of this server at once, or take theirs too slowly; try "
          "again, or ask another one")));
    }
    counted_ = true;
    response_.set_index(index.value());
    response_.set_term(term.value());
    service_.ReadSnapshot(index, term, offset, [this](absl::StatusOr<std::string> piece) {
      Answer(std::move(piece));
    });
  }

  void Answer(absl::StatusOr<std::string> piece) {
    if (piece.ok()) {
      response_.set_crc32c(base::Crc32c(*piece));
      response_.set_data(*std::move(piece));
    }
    too_late_.Set(FromNow(pieces_.take_max), [weak = weak_from_this()](bool due) {
      const std::shared_ptr<SaveSnapshotReactor> self = weak.lock();
      if (due && self != nullptr) self->CancelUnlessDone();
    });
    Finish(ToGrpcStatus(piece.status()));
  }

  void CancelUnlessDone() {
    base::MutexLock lock(mutex_);
    if (!done_) context_.TryCancel();
  }

  CoordService& service_;
  Pieces& pieces_;
  grpc::CallbackServerContext& context_;  // until OnDone, like the response
  v1::SaveSnapshotResponse& response_;
  std::shared_ptr<SaveSnapshotReactor> self_;  // until OnDone; the alarm has a weak one
  bool counted_ = false;                       // in pieces_; set before Finish
  grpc::Alarm too_late_;

  base::Mutex mutex_;  // held while the context is used, which OnDone ends
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

class CoordHandlers : public v1::Coord::CallbackService {
 public:
  CoordHandlers(const GrpcServerOptions& options, CoordService& service)
      : service_(service), server_id_(options.server_id), pieces_{0, options.take_piece_max} {}

  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      grpc::CallbackServerContext* context) override {
    return SessionReactor::Open(service_, {context->peer()});
  }

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override {
    return WatchReactor::Open(service_, {context->peer()}, *request);
  }

  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context,
                                   const v1::StatusRequest* request,
                                   v1::StatusResponse* response) override {
    ToProto(service_.Status(), server_id_, *response);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* Upgrade(grpc::CallbackServerContext* context,
                                    const v1::UpgradeRequest* request,
                                    v1::UpgradeResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (const grpc::Status checked = CheckEnsemble(service_, *request, "upgrade"); !checked.ok()) {
      reactor->Finish(checked);
      return reactor;
    }
    const auto finish = [reactor, response](const absl::StatusOr<UpgradeReport>& report) {
      if (report.ok()) ToProto(*report, *response);
      reactor->Finish(ToGrpcStatus(report.status()));
    };
    if (request->finalize()) {
      service_.FinalizeUpgrade(finish);
    } else {
      finish(service_.Upgrade());
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* Membership(grpc::CallbackServerContext* context,
                                       const v1::MembershipRequest* request,
                                       v1::MembershipResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const grpc::Status checked = CheckEnsemble(service_, *request, "membership");
    if (!checked.ok()) {
      reactor->Finish(checked);
      return reactor;
    }
    service_.AskMembership(FromProto(*request),
                           [reactor, response](const absl::StatusOr<MembershipView>& view) {
                             if (view.ok()) *response = ToProto(*view);
                             reactor->Finish(ToGrpcStatus(view.status()));
                           });
    return reactor;
  }

  grpc::ServerUnaryReactor* SaveSnapshot(grpc::CallbackServerContext* context,
                                         const v1::SaveSnapshotRequest* request,
                                         v1::SaveSnapshotResponse* response) override {
    return SaveSnapshotReactor::Open(service_, pieces_, *context, *request, *response);
  }

  grpc::ServerUnaryReactor* Top(grpc::CallbackServerContext* context,
                                const v1::TopRequest* request,
                                v1::TopResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    grpc::Status checked = CheckEnsemble(service_, *request, "top");
    const std::optional<TopOrder> by = FromProto(request->by());
    if (checked.ok() && !by.has_value()) {
      checked = ToGrpcStatus(absl::InvalidArgumentError(
          "top: this server can't put that first; ask for what its release knows"));
    }
    if (!checked.ok()) {
      reactor->Finish(checked);
      return reactor;
    }
    service_.Top(*by, request->limit(),
                 [reactor, response, id = server_id_](absl::StatusOr<TopReport> report) {
                   if (report.ok()) ToProto(*std::move(report), id, *response);
                   reactor->Finish(ToGrpcStatus(report.status()));
                 });
    return reactor;
  }

  grpc::ServerUnaryReactor* Sessions(grpc::CallbackServerContext* context,
                                     const v1::SessionsRequest* request,
                                     v1::SessionsResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const grpc::Status checked = CheckEnsemble(service_, *request, "sessions");
    if (!checked.ok()) {
      reactor->Finish(checked);
      return reactor;
    }
    service_.ListSessions(SessionId(request->after()), request->limit(),
                          [reactor, response, id = server_id_](absl::StatusOr<SessionPage> page) {
                            if (page.ok()) ToProto(*std::move(page), id, *response);
                            reactor->Finish(ToGrpcStatus(page.status()));
                          });
    return reactor;
  }

  grpc::ServerUnaryReactor* EndSession(grpc::CallbackServerContext* context,
                                       const v1::EndSessionRequest* request,
                                       v1::EndSessionResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const grpc::Status checked = CheckEnsemble(service_, *request, "end session");
    if (!checked.ok()) {
      reactor->Finish(checked);
      return reactor;
    }
    service_.EndSession(SessionId(request->session_id()),
                        [reactor, response](absl::StatusOr<Zxid> zxid) {
                          if (zxid.ok()) response->set_zxid(zxid->value());
                          reactor->Finish(ToGrpcStatus(zxid.status()));
                        });
    return reactor;
  }

 private:
  CoordService& service_;
  const uint32_t server_id_;
  SaveSnapshotReactor::Pieces pieces_;
};

void SetLimits(const GrpcServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kReceiveBytesMax);
  builder.SetMaxSendMessageSize(kSendBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection_max);
  // Clients may ping to find dead connections, also between calls. Pings say nothing of sessions.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 4'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(const GrpcServerOptions& options, CoordService& service) : handlers(options, service) {}

  CoordHandlers handlers;
  std::unique_ptr<grpc::Server> server;
  base::HostPort address;
};

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() { Shutdown(absl::ZeroDuration()); }

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Open(const GrpcServerOptions& options,
                                                             CoordService& service) {
  auto impl = std::make_unique<Impl>(options, service);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen.ToString(), grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&impl->handlers);
  SetLimits(options, builder);
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr || port == 0) {
    return absl::UnavailableError(fmt::format(
        "can't listen on {} for clients: the port is in use or the address is not this machine's; "
        "stop what uses it or choose another --listen",
        options.listen.ToString()));
  }
  impl->address = {options.listen.host, static_cast<uint16_t>(port)};
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

const base::HostPort& GrpcServer::address() const { return impl_->address; }

void GrpcServer::Shutdown(absl::Duration grace) {
  if (impl_->server == nullptr) return;
  impl_->server->Shutdown(FromNow(grace));
  impl_->server->Wait();
  impl_->server.reset();
}

}  // namespace bellwether::coord
