#include "coord/peer/exchange.h"

#include <utility>

#include "base/status.h"
#include "coord/peer/convert.h"

namespace bellwether::coord {

Exchange::Exchange(Owner& owner, const ExchangeLimits& limits)
    : owner_(owner),
      limits_(limits),
      read_tag_([this](bool ok) { OnRead(ok); }),
      write_tag_([this](bool ok) { OnWritten(ok); }),
      finish_tag_([this](bool) { OnFinished(); }) {}

Exchange::~Exchange() { owner_.OnDestroyed(); }

void Exchange::OnOpened(bool ok) {
  if (ok && IsOpener()) Greet();
  base::MutexLock lock(mutex_);
  if (ok) return BeginRead();
  ended_ = true;
  FinishIfIdle();
}

void Exchange::Greet() {
  v1::PeerFrame hello = owner_.HelloFrame(*this);
  base::MutexLock lock(mutex_);
  open_ = true;
  queued_bytes_ += hello.ByteSizeLong();
  queue_.push_front(std::move(hello));
  BeginWrite();
}

// --- Sending

bool Exchange::Send(v1::PeerFrame frame) {
  const size_t bytes = frame.ByteSizeLong();
  base::MutexLock lock(mutex_);
  if (ended_ || bytes > limits_.frame_bytes_max) return false;
  if (queued_bytes_ > 0 && queued_bytes_ + bytes > limits_.queue_bytes_max) return false;
  queued_bytes_ += bytes;
  queue_.push_back(std::move(frame));
  if (open_ && !writing_) BeginWrite();
  return true;
}

void Exchange::BeginWrite() {
  v1::PeerBatch batch;
  size_t bytes = 0;
  while (!queue_.empty()) {
    const size_t frame_bytes = queue_.front().ByteSizeLong();
    if (bytes > 0 && bytes + frame_bytes > limits_.batch_bytes_max) break;
    bytes += frame_bytes;
    batch.mutable_frames()->Add(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= bytes;
  writing_ = true;
  StartWrite(batch, write_tag_.Begin(shared_from_this()));
}

void Exchange::OnWritten(bool ok) {
  base::MutexLock lock(mutex_);
  writing_ = false;
  if (ended_) return FinishIfIdle();
  if (!ok) return Cancel();  // the read ends then, and with it the stream
  if (!queue_.empty()) BeginWrite();
}

// --- Receiving

void Exchange::BeginRead() {
  reading_ = true;
  incoming_.Clear();
  StartRead(incoming_, read_tag_.Begin(shared_from_this()));
}

void Exchange::OnRead(bool ok) {
  {
    base::MutexLock lock(mutex_);
    reading_ = false;
    if (ended_) return FinishIfIdle();
  }
  if (!ok) return End(absl::OkStatus());
  if (absl::Status status = TakeBatch(); !status.ok()) return End(status);
  base::MutexLock lock(mutex_);
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

void Exchange::Close() {
  base::MutexLock lock(mutex_);
  if (!finishing_) Cancel();  // the read fails, and with it the stream
}

void Exchange::End(const absl::Status& reason) {
  if (greeted_) owner_.OnEnded(shared_from_this());
  base::MutexLock lock(mutex_);
  ended_ = true;
  reason_ = reason;
  queue_.clear();
  queued_bytes_ = 0;
  // When the other side ended it, cancelling would hide the reason that it gave.
  if (IsOpener() && !reason.ok()) Cancel();
  FinishIfIdle();
}

void Exchange::FinishIfIdle() {
  if (finishing_ || writing_ || (reading_ && IsOpener())) return;
  finishing_ = true;
  StartFinish(reason_, finish_tag_.Begin(shared_from_this()));
}

void Exchange::OnFinished() { owner_.OnFinished(shared_from_this(), FinishStatus()); }

}  // namespace bellwether::coord
