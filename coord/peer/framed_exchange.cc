#include "coord/peer/framed_exchange.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// What a snapshot or many writes need; only connections that are so busy have it.
constexpr size_t kReadBytesMax = 256 << 10;

// How HTTP/2 begins, and no preamble of ours.
constexpr char kFirstOfHttp2 = 'P';

// How long who was told the end may take to close.
constexpr absl::Duration kLinger = absl::Seconds(1);

// A tick that comes later does so because this process didn't run: what was sent to it meanwhile was
// not read yet.
constexpr absl::Duration kTickMax = absl::Milliseconds(200);

}  // namespace

FramedExchange::FramedExchange(Owner& owner, base::EventLoop& loop, const FramedTiming& timing,
                               ServerId expected)
    : Exchange(owner, loop, expected), loop_(loop), timing_(timing) {}

FramedExchange::~FramedExchange() = default;

// --- Beginning

void FramedExchange::Dial(const base::HostPort& address) {
  connecting_ = base::Connect(loop_, address, timing_.connect_timeout,
                              [self = Self()](auto connection) mutable {
                                self->OnConnected(std::move(connection));
                              });
}

void FramedExchange::OnConnected(absl::StatusOr<std::unique_ptr<base::Connection>> connection) {
  connecting_ = nullptr;
  if (!connection.ok()) {
    status_ = connection.status();
    return OnOpened(false);
  }
  connection_ = *std::move(connection);
  connection_->SetReadMax(kReadBytesMax);
  OnOpened(true);
}

void FramedExchange::Accept(std::unique_ptr<base::Connection> connection,
                            std::function<void(int)> take_grpc) {
  connection_ = std::move(connection);
  connection_->SetReadMax(kReadBytesMax);
  connection_->Peek([self = Self(), take_grpc = std::move(take_grpc)](absl::StatusOr<char> first) {
    self->OnFirstByte(first, take_grpc);
  });
}

void FramedExchange::OnFirstByte(absl::StatusOr<char> first,
                                 const std::function<void(int)>& take_grpc) {
  if (first.ok() && *first != kFirstOfHttp2) return OnOpened(true);
  if (first.ok()) {
    if (const int socket = connection_->Release(); socket >= 0) take_grpc(socket);
  }
  OnOpened(false);
}

// --- Reading

void FramedExchange::StartRead(v1::PeerBatch& batch) {
  batch_ = &batch;
  if (!handing_out_) HandOut();
}

void FramedExchange::HandOut() {
  handing_out_ = true;
  bool more = true;
  while (batch_ != nullptr && more) {
    const auto record = decoder_.Next();
    if (!record.ok()) {
      OnBadBytes(record.status());
    } else if (!record->has_value()) {
      more = false;
    } else if ((*record)->kind == RecordKind::kEnd) {
      status_ = DecodeEnd((*record)->payload);
      connection_->Close();
      EndReading(absl::OkStatus());
    } else {
      HandOutBatch((*record)->payload);
    }
  }
  handing_out_ = false;
  if (batch_ != nullptr) ReadOn();
}

void FramedExchange::HandOutBatch(std::string_view payload) {
  if (!batch_->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return OnBadBytes(absl::InvalidArgumentError("a record that is no batch of frames"));
  }
  if (batch_->frames().empty()) return;  // only to be heard
  batch_ = nullptr;
  OnBatch();
}

void FramedExchange::OnBadBytes(const absl::Status& why) {
  other_protocol_ = !decoder_.begun();
  status_ = why;
  if (!other_protocol_) return EndReading(why);
  connection_->Close();  // it would not understand our reason
  EndReading(absl::OkStatus());
}

void FramedExchange::EndReading(const absl::Status& reason) {
  batch_ = nullptr;
  OnReadEnded(reason);
}

void FramedExchange::ReadOn() {
  connection_->Read([self = Self()](absl::StatusOr<std::string_view> bytes) {
    self->OnRead(bytes);
  });
}

void FramedExchange::OnRead(absl::StatusOr<std::string_view> bytes) {
  if (!bytes.ok()) {
    if (status_.ok()) {
      status_ = absl::UnavailableError(
          fmt::format("the connection was lost: {}", base::StdView(bytes.status().message())));
    }
    connection_->Close();
    return EndReading(absl::OkStatus());
  }
  heard_ = true;
  decoder_.Append(*bytes);
  HandOut();
}

// --- Writing

void FramedExchange::StartWrite(const v1::PeerBatch& batch) {
  std::string bytes;
  const size_t payload = batch.ByteSizeLong();
  bytes.reserve(payload + 32);
  if (!std::exchange(preamble_sent_, true)) bytes += kPreamble;
  const size_t record = BeginRecord(bytes);
  batch.AppendToString(&bytes);
  CloseRecord(bytes, record, RecordKind::kBatch);
  sent_ = true;
  connection_->Write(std::move(bytes),
                     [self = Self()](absl::Status status) { self->OnWritten(status.ok()); });
}

// --- The end

void FramedExchange::Tick(absl::Duration now) {
  const absl::Duration since =
      std::clamp(now - ticked_at_, absl::ZeroDuration(), kTickMax);  // zero at first
  ticked_at_ = now;
  if (connection_ == nullptr) return;
  silent_ = std::exchange(heard_, false) ? absl::ZeroDuration() : silent_ + since;
  idle_ = std::exchange(sent_, false) ? absl::ZeroDuration() : idle_ + since;
  if (silent_ >= timing_.silence_max) {
    if (status_.ok()) {
      status_ = absl::UnavailableError(
          fmt::format("nothing was heard for {}", absl::FormatDuration(timing_.silence_max)));
    }
    Cancel();
  } else if (idle_ >= timing_.keepalive_interval) {
    SendEmpty();
  }
}

void FramedExchange::Cancel() {
  if (connection_ != nullptr) return connection_->Close();
  if (connecting_ == nullptr) return;
  const auto self = Self();
  connecting_ = nullptr;
  loop_.Post([self] { self->OnConnected(absl::CancelledError("closed")); });
}

void FramedExchange::StartFinish(const absl::Status& reason) {
  const bool tells = !IsOpener() && !reason.ok() && decoder_.begun();
  if (tells) return TellAndFinish(reason);
  if (connection_ != nullptr) connection_->Close();
  if (status_.ok()) status_ = absl::CancelledError(reason.message());
  OnFinished(status_);
}

void FramedExchange::TellAndFinish(const absl::Status& reason) {
  std::string bytes;
  if (!std::exchange(preamble_sent_, true)) bytes += kPreamble;
  const size_t record = BeginRecord(bytes);
  bytes += EncodeEnd(reason);
  CloseRecord(bytes, record, RecordKind::kEnd);
  connection_->SetDeadline(kLinger, [self = Self()] { self->connection_->Close(); });
  connection_->Write(std::move(bytes), [self = Self(), reason](absl::Status status) {
    self->connection_->FinishOutput();
    if (!status.ok()) self->connection_->Close();
    self->ReadToEnd(reason);
  });
}

void FramedExchange::ReadToEnd(const absl::Status& reason) {
  connection_->Read([self = Self(), reason](absl::StatusOr<std::string_view> bytes) {
    if (bytes.ok()) return self->ReadToEnd(reason);
    self->connection_->Close();
    self->OnFinished(reason);
  });
}

}  // namespace bellwether::coord
