#include "tests/sim/zk_link.h"

#include <utility>

#include "fmt/format.h"

namespace bellwether::sim {
namespace {

constexpr size_t kPieceBytes = 16 << 10;  // taken from a protocol in one go
constexpr size_t kPiecesOnTheWayMax = 16;

}  // namespace

void ZkLink::Send(std::string bytes, ZkOperation* operation) {
  SendToServer([this, operation, bytes = std::move(bytes)]() mutable {
    unread_.push_back({std::move(bytes), operation});
    Flush();
  });
}

absl::Status ZkLink::OpenAtServer(Process& process) {
  const std::string ip = fmt::format("10.0.0.{}", client());
  const auto weak = std::weak_ptr<ClientStream>(weak_from_this());
  protocol_ = coord::zk::Protocol::Create(
      process.zk_context(), process.rpc_executor(), {ip, ip + ":40312"}, nullptr, [this, weak] {
        if (const auto self = weak.lock()) PostFlush();
      });
  return absl::OkStatus();
}

void ZkLink::CloseAtServer() {
  if (protocol_ != nullptr) protocol_->OnDisconnect();
  DropServerHalf();
}

void ZkLink::DropServerHalf() {
  protocol_.reset();
  unread_.clear();
}

bool ZkLink::Read() {
  if (unread_.empty() || !protocol_->wants_input()) return false;
  const Unread next = std::move(unread_.front());
  unread_.pop_front();
  if (next.operation != nullptr) {
    next.operation->read_without_contact = !process()->service().InContact();
    next.operation->contact_until_when_read = process()->contact_until();
  }
  protocol_->Receive(next.bytes);
  return true;
}

bool ZkLink::Write() {
  if (on_the_way_ >= kPiecesOnTheWayMax) return false;
  Piece piece;
  protocol_->TakeOutput(piece.bytes, kPieceBytes);
  if (piece.bytes.empty()) return false;
  piece.in_contact = process()->service().InContact();
  piece.contact_until = process()->contact_until();
  ++on_the_way_;
  SendToClient([this, piece = std::move(piece)]() mutable {
    --on_the_way_;
    PostFlush();
    callbacks_.on_piece(std::move(piece));
  });
  return true;
}

void ZkLink::Flush() {
  if (protocol_ == nullptr) return;
  bool more = true;
  while (more) {
    more = Read();
    more = Write() || more;
  }
  if (protocol_->closed()) EndFromServer(absl::OkStatus());
}

}  // namespace bellwether::sim
