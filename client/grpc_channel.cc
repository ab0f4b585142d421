#include "client/grpc_channel.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "bellwether/coord/v1/coord.grpc.pb.h"
#include "client/errors.h"
#include "client/grpc_stream.h"

namespace bellwether::client {
namespace {

using coord::v1::Coord;
using coord::v1::MembershipRequest;
using coord::v1::MembershipResponse;
using coord::v1::SaveSnapshotRequest;
using coord::v1::SaveSnapshotResponse;
using coord::v1::SessionRequest;
using coord::v1::SessionResponse;
using coord::v1::StatusRequest;
using coord::v1::StatusResponse;
using coord::v1::UpgradeRequest;
using coord::v1::UpgradeResponse;
using coord::v1::WatchRequest;
using coord::v1::WatchResponse;

// All changes of one zxid come in one frame: a recursive delete can be large.
constexpr int kReceiveBytesMax = 64 << 20;

std::unique_ptr<Coord::Stub> OpenStub(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);  // how long one attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetMaxSendMessageSize(-1);
  return Coord::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

// A Watch stream: reads one frame each time it is asked to. Owned by WatchHandle and, until gRPC is
// done with it, by itself. Threads: Next and Abandon on the executor; the On... functions on gRPC's.
class WatchStream : public grpc::ClientReadReactor<WatchResponse>,
                    public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(const std::string& address, base::Executor& executor, OutstandingCalls& outstanding,
              WatchRequest request, StreamCallbacks<WatchResponse> callbacks)
      : peer_(absl::StrCat("coord ", address)),
        executor_(executor),
        outstanding_(outstanding),
        request_(std::move(request)),
        callbacks_(std::move(callbacks)) {}

  void Start(Coord::Stub& stub) {
    self_ = shared_from_this();
    outstanding_.Add(context_);
    stub.async()->Watch(&context_, &request_, this);
    AddHold();  // for reads that are started outside of gRPC's callbacks
    StartCall();
  }

  void Next() {
    base::MutexLock lock(mutex_);
    if (ended_) return;
    response_.Clear();
    StartRead(&response_);
  }

  // No callbacks from now on.
  void Abandon() {
    abandoned_ = true;
    context_.TryCancel();
    StopReading();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return StopReading();
    executor_.Post([keep = shared_from_this()] {
      if (!keep->abandoned_) keep->callbacks_.on_frame(std::move(keep->response_));
    });
  }

  void OnDone(const grpc::Status& status) override {
    outstanding_.Finish(context_, executor_, [keep = std::move(self_), status] {
      if (!keep->abandoned_) keep->callbacks_.on_end(FromGrpc(status, keep->peer_));
    });
  }

 private:
  // The hold ends with the last read that may be started from outside.
  void StopReading() {
    base::MutexLock lock(mutex_);
    if (!std::exchange(ended_, true)) RemoveHold();
  }

  const std::string peer_;
  base::Executor& executor_;
  OutstandingCalls& outstanding_;
  const WatchRequest request_;
  StreamCallbacks<WatchResponse> callbacks_;  // the executor's
  bool abandoned_ = false;                    // the executor's
  grpc::ClientContext context_;
  WatchResponse response_;             // being read, or being given to on_frame
  std::shared_ptr<WatchStream> self_;  // keeps it alive until OnDone

  base::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

class WatchHandle : public WatchCall {
 public:
  explicit WatchHandle(std::shared_ptr<WatchStream> stream) : stream_(std::move(stream)) {}
  ~WatchHandle() override { stream_->Abandon(); }
  void Next() override { stream_->Next(); }

 private:
  const std::shared_ptr<WatchStream> stream_;  // gRPC holds it as well
};

// One unary call, from its start until its callback ran.
template <typename Request, typename Response>
struct UnaryCall {
  grpc::ClientContext context;
  Request request;
  Response response;
  absl::AnyInvocable<void(absl::StatusOr<Response>)> callback;
};

}  // namespace

struct GrpcConnector::State {
  explicit State(base::Executor& e) : executor(e) {}

  Coord::Stub& StubOf(const std::string& address) {
    std::unique_ptr<Coord::Stub>& stub = stubs[address];
    if (stub == nullptr) stub = OpenStub(address);
    return *stub;
  }

  base::Executor& executor;
  std::map<std::string, std::unique_ptr<Coord::Stub>> stubs;
  OutstandingCalls outstanding;  // last: destroyed, and waited for, first
};

GrpcConnector::GrpcConnector(base::Executor& executor)
    : state_(std::make_unique<State>(executor)) {}

GrpcConnector::~GrpcConnector() = default;

std::unique_ptr<SessionCall> GrpcConnector::OpenSession(
    const std::string& address, StreamCallbacks<SessionResponse> callbacks) {
  auto stream = std::make_shared<BidiStream<SessionRequest, SessionResponse>>(
      absl::StrCat("coord ", address), state_->executor, state_->outstanding, std::move(callbacks),
      FirstFrame::kAtOnce);
  stream->Start([&](grpc::ClientContext* context, auto* reactor) {
    state_->StubOf(address).async()->Session(context, reactor);
  });
  return std::make_unique<BidiHandle<SessionCall, SessionRequest, SessionResponse>>(
      std::move(stream));
}

std::unique_ptr<WatchCall> GrpcConnector::OpenWatch(const std::string& address,
                                                    WatchRequest request,
                                                    StreamCallbacks<WatchResponse> callbacks) {
  auto stream = std::make_shared<WatchStream>(address, state_->executor, state_->outstanding,
                                              std::move(request), std::move(callbacks));
  stream->Start(state_->StubOf(address));
  return std::make_unique<WatchHandle>(std::move(stream));
}

template <typename Request, typename Response, typename Start>
void GrpcConnector::CallOnce(const std::string& address, Request request, absl::Duration timeout,
                             absl::AnyInvocable<void(absl::StatusOr<Response>)> callback,
                             Start start, bool changes) {
  // Shared by gRPC's callback and the posted task.
  auto call = std::make_shared<UnaryCall<Request, Response>>();
  call->request = std::move(request);
  call->callback = std::move(callback);
  call->context.set_deadline(absl::ToChronoTime(base::SystemClock().Wall() + timeout));
  state_->outstanding.Add(call->context);
  start(*state_->StubOf(address).async(), &call->context, &call->request, &call->response,
        [this, call, changes,
         peer = absl::StrCat("coord ", address)](grpc::Status status) mutable {
          grpc::ClientContext& context = call->context;
          state_->outstanding.Finish(
              context, state_->executor, [call = std::move(call), status, peer, changes] {
                if (status.ok()) return call->callback(std::move(call->response));
                const absl::Status error = FromGrpc(status, peer);
                const bool answered = !status.error_details().empty();
                call->callback(changes && !answered ? AsUnknown(error) : error);
              });
        });
}

void GrpcConnector::Status(const std::string& address, absl::Duration timeout,
                           absl::AnyInvocable<void(absl::StatusOr<StatusResponse>)> callback) {
  CallOnce<StatusRequest, StatusResponse>(
      address, {}, timeout, std::move(callback),
      [](auto& stub, auto... call) { stub.Status(call...); });
}

void GrpcConnector::Upgrade(const std::string& address, UpgradeRequest request,
                            absl::Duration timeout,
                            absl::AnyInvocable<void(absl::StatusOr<UpgradeResponse>)> callback) {
  CallOnce<UpgradeRequest, UpgradeResponse>(
      address, std::move(request), timeout, std::move(callback),
      [](auto& stub, auto... call) { stub.Upgrade(call...); });
}

void GrpcConnector::Membership(
    const std::string& address, MembershipRequest request, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<MembershipResponse>)> callback) {
  const bool changes = request.operation_case() != MembershipRequest::OPERATION_NOT_SET;
  CallOnce<MembershipRequest, MembershipResponse>(
      address, std::move(request), timeout, std::move(callback),
      [](auto& stub, auto... call) { stub.Membership(call...); }, changes);
}

void GrpcConnector::SaveSnapshot(
    const std::string& address, SaveSnapshotRequest request, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<SaveSnapshotResponse>)> callback) {
  CallOnce<SaveSnapshotRequest, SaveSnapshotResponse>(
      address, std::move(request), timeout, std::move(callback),
      [](auto& stub, auto... call) { stub.SaveSnapshot(call...); });
}

void GrpcConnector::Top(
    const std::string& address, coord::v1::TopRequest request, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<coord::v1::TopResponse>)> callback) {
  CallOnce<coord::v1::TopRequest, coord::v1::TopResponse>(
      address, std::move(request), timeout, std::move(callback),
      [](auto& stub, auto... call) { stub.Top(call...); });
}

void GrpcConnector::Sessions(
    const std::string& address, coord::v1::SessionsRequest request, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<coord::v1::SessionsResponse>)> callback) {
  CallOnce<coord::v1::SessionsRequest, coord::v1::SessionsResponse>(
      address, std::move(request), timeout, std::move(callback),
      [](auto& stub, auto... call) { stub.Sessions(call...); });
}

void GrpcConnector::EndSession(
    const std::string& address, coord::v1::EndSessionRequest request, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<coord::v1::EndSessionResponse>)> callback) {
  CallOnce<coord::v1::EndSessionRequest, coord::v1::EndSessionResponse>(
      address, std::move(request), timeout, std::move(callback),
      [](auto& stub, auto... call) { stub.EndSession(call...); }, /*changes=*/true);
}

}  // namespace bellwether::client
