#include "coord/zk/client_socket.h"

#include <algorithm>
#include <utility>

#include "coord/zk/four_letter_words.h"

namespace bellwether::coord::zk {
namespace {

constexpr size_t kLengthBytes = 4;

// What one send is given, and a frame more.
constexpr size_t kOutputBytes = 64 << 10;

// Of a frame, big-endian. Negative ones are the protocol's to refuse, as all that are too large.
size_t LengthOf(std::string_view bytes) {
  size_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return length;
}

}  // namespace

ClientSocket::ClientSocket(uint64_t number, std::unique_ptr<base::Connection> connection,
                           ClientAddress address, Host& host, base::Executor& executor,
                           base::Clock& clock)
    : number_(number),
      address_(std::move(address)),
      host_(host),
      executor_(executor),
      clock_(clock),
      established_(clock.Wall()),
      connection_(std::move(connection)),
      since_(clock.Monotonic()) {}

ClientSocket::~ClientSocket() { DropProtocol(); }

ClientSocket::Overdue ClientSocket::CheckDeadlines(const SocketTimeouts& timeouts) const {
  const absl::Duration now = clock_.Monotonic();
  switch (phase_) {
    case Phase::kFirstBytes:
    case Phase::kHandshake:
      if (now - since_ > timeouts.handshake) return Overdue::kHandshake;
      break;
    case Phase::kWord:
      if (now - since_ > timeouts.stall) return Overdue::kOutput;
      break;
    case Phase::kLingering:
      return now - since_ > timeouts.linger ? Overdue::kEnd : Overdue::kNothing;
    case Phase::kOpen:
    case Phase::kClosed:
      break;
  }
  return writing_ && now - writing_since_ > timeouts.stall ? Overdue::kOutput : Overdue::kNothing;
}

void ClientSocket::Close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();  // the host may hold the last reference
  phase_ = Phase::kClosed;
  DropProtocol();
  connection_.reset();
  host_.OnClosed(*this);
}

ConnectionInfo ClientSocket::Info() const {
  ConnectionInfo info;
  if (protocol_ != nullptr) {
    info = protocol_->Info();
  } else {
    info.traffic.received = phase_ == Phase::kWord ? 1 : 0;
  }
  info.address = address_.endpoint;
  info.established = established_;
  info.wants_input = reading_ && phase_ != Phase::kWord;
  info.wants_output = writing_;
  return info;
}

void ClientSocket::ResetFigures() {
  if (protocol_ != nullptr) protocol_->ResetFigures();
}

void ClientSocket::Read() {
  reading_ = true;
  connection_->Read([weak = weak_from_this()](absl::StatusOr<std::string_view> bytes) {
    if (const auto self = weak.lock()) self->OnRead(bytes);
  });
}

void ClientSocket::OnRead(const absl::StatusOr<std::string_view>& bytes) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (!bytes.ok()) return OnEnd();
  switch (phase_) {
    case Phase::kFirstBytes:
      return OnFirstBytes(*bytes);
    case Phase::kHandshake:
    case Phase::kOpen:
      return OnProtocolBytes(*bytes);
    case Phase::kLingering:
      return Read();
    case Phase::kWord:
    case Phase::kClosed:
      return;
  }
}

// A client that asks with a word may say at once that it sends no more, and waits for the answer.
void ClientSocket::OnEnd() {
  ended_ = true;
  if (phase_ != Phase::kWord) Close();
}

void ClientSocket::OnFirstBytes(std::string_view bytes) {
  first_ += bytes;
  if (first_.size() < kLengthBytes) return Read();
  if (IsFourLetterWord(first_)) {
    phase_ = Phase::kWord;
    host_.AskWord(std::string_view(first_).substr(0, kLengthBytes),
                  [weak = weak_from_this()](std::string text) {
                    if (const auto self = weak.lock()) self->OnAnswer(std::move(text));
                  });
    return;
  }
  phase_ = Phase::kHandshake;
  handshake_bytes_ = kLengthBytes + LengthOf(first_);
  protocol_ = host_.MakeProtocol(address_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnWake();
  });
  OnProtocolBytes(std::exchange(first_, {}));
}

void ClientSocket::OnProtocolBytes(std::string_view bytes) {
  if (phase_ == Phase::kHandshake) {
    handshake_bytes_ -= std::min(handshake_bytes_, bytes.size());
    if (handshake_bytes_ == 0) phase_ = Phase::kOpen;
  }
  protocol_->Receive(bytes);
  Pump();
}

// Behind what else the executor has to run: all that becomes ready meanwhile is one send.
void ClientSocket::OnWake() {
  if (std::exchange(woken_, true)) return;
  executor_.Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->woken_ = false;
      self->Pump();
    }
  });
}

void ClientSocket::Pump() {
  if (protocol_ == nullptr) return;
  if (!writing_) {
    std::string out;
    protocol_->TakeOutput(out, kOutputBytes);
    if (!out.empty()) {
      Write(std::move(out));
    } else if (protocol_->closed()) {
      return FinishOutput();
    }
  }
  if (!reading_ && !protocol_->closed() && protocol_->wants_input()) Read();
}

void ClientSocket::Write(std::string bytes) {
  writing_ = true;
  writing_since_ = clock_.Monotonic();
  connection_->Write(std::move(bytes), [weak = weak_from_this()](absl::Status status) {
    if (const auto self = weak.lock()) self->OnWritten(status);
  });
}

void ClientSocket::OnWritten(const absl::Status& status) {
  writing_ = false;
  if (phase_ == Phase::kClosed) return;
  if (!status.ok()) return Close();
  if (phase_ == Phase::kWord) return FinishOutput();
  Pump();
}

void ClientSocket::OnAnswer(std::string text) {
  if (phase_ == Phase::kWord) Write(std::move(text));
}

// Closed at once, with input unread, the socket would be reset, and what is on its way to the client
// be lost.
void ClientSocket::FinishOutput() {
  DropProtocol();
  if (ended_) return Close();
  phase_ = Phase::kLingering;
  since_ = clock_.Monotonic();
  connection_->FinishOutput();
  if (!reading_) Read();
}

void ClientSocket::DropProtocol() {
  if (protocol_ != nullptr) std::exchange(protocol_, nullptr)->OnDisconnect();
}

}  // namespace bellwether::coord::zk
