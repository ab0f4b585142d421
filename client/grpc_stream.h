#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/status.h"
#include "client/coord_channel.h"
#include "client/grpc_status.h"
#include "client/outstanding_calls.h"

namespace bellwether::client {

// When a stream's first frame may leave.
enum class FirstFrame { kAfterOpening, kAtOnce };

// The client's half of a bidirectional gRPC stream: queues writes, reads one frame at a time, and
// moves gRPC's callbacks to an executor. With kAfterOpening frames leave only once the server has
// answered the opening of the stream, so that a stream that ends before has sent nothing: its end is
// then rejected, else unknown (base::OutcomeOf).
// Owned by BidiHandle and, until gRPC is done with it, by itself. Threads: Send and Abandon on the
// executor; the On... functions on gRPC's threads.
template <typename Request, typename Response>
class BidiStream : public grpc::ClientBidiReactor<Request, Response>,
                   public std::enable_shared_from_this<BidiStream<Request, Response>> {
 public:
  BidiStream(std::string peer, base::Executor& executor, OutstandingCalls& outstanding,
             StreamCallbacks<Response> callbacks, FirstFrame first = FirstFrame::kAfterOpening)
      : peer_(std::move(peer)),
        executor_(executor),
        outstanding_(outstanding),
        callbacks_(std::move(callbacks)),
        opened_(first == FirstFrame::kAtOnce) {}

  // `open(context, reactor)` starts the call on a stub.
  template <typename Open>
  void Start(Open open) {
    self_ = this->shared_from_this();
    outstanding_.Add(context_);
    open(&context_, this);
    this->AddHold();  // for writes that are started outside of gRPC's callbacks
    this->StartRead(&response_);
    this->StartCall();
  }

  void Send(Request frame) {
    base::MutexLock lock(mutex_);
    if (ended_) return;
    queue_.push_back(std::move(frame));
    WriteNext();
  }

  // No callbacks from now on.
  void Abandon() {
    abandoned_ = true;
    context_.TryCancel();
    base::MutexLock lock(mutex_);
    StopWriting();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    base::MutexLock lock(mutex_);
    opened_ = opened_ || ok;
    WriteNext();
  }

  void OnWriteDone(bool ok) override {
    base::MutexLock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (ok) WriteNext();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      base::MutexLock lock(mutex_);
      StopWriting();
      return;
    }
    executor_.Post([this, keep = this->shared_from_this()] {
      if (abandoned_) return;
      callbacks_.on_frame(std::move(response_));
      if (abandoned_) return;
      response_.Clear();
      this->StartRead(&response_);
    });
  }

  void OnDone(const grpc::Status& status) override {
    outstanding_.Finish(context_, executor_, [keep = std::move(self_), status] {
      if (!keep->abandoned_) keep->callbacks_.on_end(keep->EndOf(status));
    });
  }

 private:
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!opened_ || writing_ || ended_ || queue_.empty()) return;
    writing_ = true;
    wrote_ = true;
    this->StartWrite(&queue_.front());
  }

  // The hold ends with the last write that may be started from outside.
  void StopWriting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!std::exchange(ended_, true)) this->RemoveHold();
  }

  absl::Status EndOf(const grpc::Status& status) {
    base::MutexLock lock(mutex_);
    const absl::Status reason = FromGrpc(status, peer_);
    return wrote_ ? base::UnknownOutcome(reason.code(), base::StdView(reason.message())) : reason;
  }

  const std::string peer_;
  base::Executor& executor_;
  OutstandingCalls& outstanding_;
  StreamCallbacks<Response> callbacks_;  // the executor's
  bool abandoned_ = false;               // the executor's
  grpc::ClientContext context_;
  Response response_;  // being read, or being given to on_frame
  std::shared_ptr<BidiStream> self_;  // keeps it alive until OnDone

  base::Mutex mutex_;
  std::deque<Request> queue_ ABSL_GUARDED_BY(mutex_);
  bool opened_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool wrote_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// Makes a stream a `Call` of a connector's seam: sends, and abandons the stream when destroyed.
template <typename Call, typename Request, typename Response>
class BidiHandle : public Call {
 public:
  explicit BidiHandle(std::shared_ptr<BidiStream<Request, Response>> stream)
      : stream_(std::move(stream)) {}
  ~BidiHandle() override { stream_->Abandon(); }

  void Send(Request frame) override { stream_->Send(std::move(frame)); }

 private:
  const std::shared_ptr<BidiStream<Request, Response>> stream_;  // gRPC holds it as well
};

}  // namespace bellwether::client
