#include "coord/peer/exchange.h"

#include <utility>

#include "base/status.h"
#include "coord/peer/convert.h"

namespace bellwether::coord {

Exchange::Exchange(Owner& owner, base::Executor& executor, ServerId expected)
    : owner_(owner), executor_(executor), expected_(expected) {}

Exchange::~Exchange() { owner_.OnDestroyed(*this); }

void Exchange::OnOpened(bool ok) {
  if (ok) {
    if (IsOpener()) Greet();
    return BeginRead();
  }
  ended_ = true;
  FinishIfIdle();
}

void Exchange::Greet() {
  v1::PeerFrame hello = owner_.HelloFrame(*this);
  const size_t bytes = hello.ByteSizeLong();
  open_ = true;
  queued_bytes_ += bytes;
  queue_.push_front({std::move(hello), bytes});
  BeginWrite();
}

// --- Sending

bool Exchange::Send(v1::PeerFrame frame) {
  const size_t bytes = frame.ByteSizeLong();
  if (ended_ || bytes > limits_.frame_bytes_max) return false;
  if (queued_bytes_ > 0 && queued_bytes_ + bytes > limits_.queue_bytes_max) return false;
  queued_bytes_ += bytes;
  queue_.push_back({std::move(frame), bytes});
  if (!open_ || writing_ || std::exchange(flushes_, true)) return true;
  executor_.Post([self = shared_from_this()] {
    self->flushes_ = false;
    if (self->open_ && !self->writing_ && !self->queue_.empty()) self->BeginWrite();
  });
  return true;
}

void Exchange::SendEmpty() {
  if (open_ && !writing_) BeginWrite();
}

void Exchange::BeginWrite() {
  v1::PeerBatch batch;
  size_t bytes = 0;
  while (!queue_.empty()) {
    const size_t frame_bytes = queue_.front().bytes;
    if (bytes > 0 && bytes + frame_bytes > limits_.batch_bytes_max) break;
    bytes += frame_bytes;
    batch.mutable_frames()->Add(std::move(queue_.front().frame));
    queue_.pop_front();
  }
  queued_bytes_ -= bytes;
  writing_ = true;
  StartWrite(batch);
}

void Exchange::OnWritten(bool ok) {
  writing_ = false;
  if (ended_) return FinishIfIdle();
  if (!ok) {
    open_ = false;
    return OnWriteFailed();
  }
  if (!queue_.empty()) BeginWrite();
}

// --- Receiving

void Exchange::BeginRead() {
  reading_ = true;
  incoming_.Clear();
  StartRead(incoming_);
}

void Exchange::OnBatch() {
  reading_ = false;
  if (ended_) return FinishIfIdle();
  if (absl::Status status = TakeBatch(); !status.ok()) return End(status);
  BeginRead();
}

absl::Status Exchange::TakeBatch() {
  std::vector<PeerMessage> messages;
  messages.reserve(incoming_.frames_size());
  for (v1::PeerFrame& frame : *incoming_.mutable_frames()) {
    absl::StatusOr<PeerMessage> message = FromFrame(frame);
    if (!message.ok()) return message.status();
    if (greeted_) {
      messages.push_back(*std::move(message));
      continue;
    }
    Hello* hello = std::get_if<Hello>(&*message);
    if (hello == nullptr) return absl::InvalidArgumentError("the first frame must be Hello");
    const absl::Status status = owner_.OnHello(shared_from_this(), std::move(*hello));
    greeted_ = status.ok();
    if (!IsOpener() && (status.ok() || absl::IsFailedPrecondition(status))) Greet();
    RETURN_IF_ERROR(status);
  }
  if (!messages.empty()) owner_.OnMessages(shared_from_this(), std::move(messages));
  return absl::OkStatus();
}

// --- The end

void Exchange::End(const absl::Status& reason) {
  reading_ = false;
  if (ended_) return FinishIfIdle();
  ended_ = true;
  open_ = false;
  reason_ = reason;
  queue_.clear();
  queued_bytes_ = 0;
  if (greeted_) owner_.OnEnded(shared_from_this());
  // When the other side ended it, cancelling would hide the reason that it gave.
  if (IsOpener() && !reason.ok()) Cancel();
  FinishIfIdle();
}

void Exchange::FinishIfIdle() {
  if (finishing_ || writing_ || (reading_ && IsOpener())) return;
  finishing_ = true;
  StartFinish(reason_);
}

void Exchange::OnFinished(const absl::Status& status) {
  owner_.OnFinished(shared_from_this(), status);
}

}  // namespace bellwether::coord
