#include "tests/bench/zk_load_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "coord/zk/wire/frame.h"
#include "coord/zk/wire/records.h"
#include "fmt/format.h"

namespace bellwether::bench {
namespace {

namespace wire = coord::zk::wire;

constexpr size_t kLengthBytes = 4;
constexpr size_t kHeaderBytes = 16;  // xid, zxid, error
constexpr size_t kKeptBytes = 4096;  // of an empty output buffer

uint32_t Read32(const char* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return ntohl(value);
}

absl::Status SystemError(std::string_view what, const base::HostPort& server) {
  return absl::UnavailableError(fmt::format("{} {}: {}", what, server.ToString(),
                                            std::strerror(errno)));
}

sockaddr_in AddressOf(uint32_t host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = host;
  address.sin_port = htons(port);
  return address;
}

// Connections from several addresses, each of which has only so many ports.
void BindTo(int fd, int source_address) {
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const sockaddr_in from =
      AddressOf(htonl(INADDR_LOOPBACK - 1 + static_cast<uint32_t>(source_address)), 0);
  bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from);
}

}  // namespace

int64_t NowNs() { return absl::ToInt64Nanoseconds(base::SystemClock().Monotonic()); }

absl::Status ZkConnection::Open(const SessionSettings& settings) {
  server_ = settings.server;
  in_addr host{};
  if (inet_pton(AF_INET, server_.host.c_str(), &host) != 1) {
    return absl::InvalidArgumentError(fmt::format("{} is no IPv4 address", server_.host));
  }
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return SystemError("no socket for", server_);
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (settings.source_address != 1) BindTo(fd_, settings.source_address);
  phase_ = Phase::kHandshake;
  requests_ = replies_ = 0;
  ++opened_;
  const sockaddr_in to = AddressOf(host.s_addr, server_.port);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0 && errno != EINPROGRESS) {
    const absl::Status why = SystemError("cannot connect to", server_);
    Close();
    return why;
  }
  waits_for_room_ = true;
  const absl::Status added = poller_.Add(fd_, *this, waits_for_room_);
  if (!added.ok()) {
    Close();
    return added;
  }
  const size_t begin = wire::BeginFrame(out_);
  wire::EncodeConnectRequest({.timeout_ms = settings.timeout_ms,
                              .password = std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16),
                              .read_only = false},
                             out_);
  return wire::EndFrame(out_, begin) ? absl::OkStatus() : absl::InternalError("handshake");
}

void ZkConnection::Close() {
  if (fd_ < 0) return;
  poller_.Remove(fd_);
  close(fd_);
  fd_ = -1;
  phase_ = Phase::kClosed;
  out_.clear();
  partial_.clear();
}

void ZkConnection::Ping() {
  static const RequestTemplate ping = PlainTemplate(wire::Opcode::kPing, wire::EmptyRequest());
  ping.Append(wire::kPingXid, 0, out_);
  Flush();
}

void ZkConnection::Flush() {
  if (fd_ < 0 || waits_for_room_ || out_.empty()) return;
  const ssize_t sent = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return Lose(SystemError("cannot write to", server_));
  if (sent == static_cast<ssize_t>(out_.size())) {
    out_.clear();
    if (out_.capacity() > kKeptBytes && requests_ == replies_) out_.shrink_to_fit();
    return;
  }
  out_.erase(0, static_cast<size_t>(std::max<ssize_t>(sent, 0)));
  waits_for_room_ = true;
  poller_.Modify(fd_, *this, true);
}

void ZkConnection::OnReady(bool readable, bool writable) {
  if (writable && waits_for_room_) {
    waits_for_room_ = false;
    poller_.Modify(fd_, *this, false);
  }
  if (readable) Receive();
  Flush();
}

void ZkConnection::Receive() {
  std::vector<char>& scratch = poller_.scratch();
  if (scratch.size() < 2 * partial_.size()) scratch.resize(2 * partial_.size());
  const size_t kept = partial_.size();
  std::memcpy(scratch.data(), partial_.data(), kept);
  const ssize_t got = recv(fd_, scratch.data() + kept, scratch.size() - kept, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) return Lose(SystemError("cannot read from", server_));
  if (got == 0) {
    return Lose(absl::UnavailableError(fmt::format("{} closed the connection", server_.ToString())));
  }
  const std::string_view bytes(scratch.data(), kept + static_cast<size_t>(got));
  const uint64_t socket = opened_;
  const size_t taken = TakeFrames(bytes, NowNs());
  if (fd_ >= 0 && opened_ == socket) partial_.assign(bytes.substr(taken));
}

size_t ZkConnection::TakeFrames(std::string_view bytes, int64_t now_ns) {
  const uint64_t socket = opened_;
  size_t taken = 0;
  while (fd_ >= 0 && opened_ == socket && bytes.size() - taken >= kLengthBytes) {
    const size_t length = Read32(bytes.data() + taken);
    if (bytes.size() - taken - kLengthBytes < length) break;
    OnFrame(bytes.substr(taken + kLengthBytes, length), now_ns);
    taken += kLengthBytes + length;
  }
  return taken;
}

void ZkConnection::OnFrame(std::string_view frame, int64_t now_ns) {
  if (phase_ == Phase::kHandshake) return OnHandshake(frame);
  if (frame.size() < kHeaderBytes) return Lose(absl::DataLossError("a reply without a header"));
  const auto xid = static_cast<int32_t>(Read32(frame.data()));
  if (xid == wire::kNotificationXid) return client_.OnEvent(now_ns);
  if (xid == wire::kPingXid) return;
  const auto expected = static_cast<int32_t>(++replies_ & kXidMask);
  if (xid != expected || replies_ > requests_) {
    return Lose(absl::DataLossError(
        fmt::format("{} answers request {} instead of {}", server_.ToString(), xid, expected)));
  }
  client_.OnReply({static_cast<int32_t>(Read32(frame.data() + 12)), frame.substr(kHeaderBytes)},
                  now_ns);
}

void ZkConnection::OnHandshake(std::string_view frame) {
  const auto response = wire::DecodeConnectResponse(frame);
  if (!response.has_value() || response->session_id == 0) {
    return Lose(absl::UnavailableError(fmt::format("{} gives no session", server_.ToString())));
  }
  timeout_ms_ = response->timeout_ms;
  phase_ = Phase::kOpen;
  client_.OnOpened();
}

void ZkConnection::Lose(absl::Status why) {
  Close();
  client_.OnLost(std::move(why));
}

}  // namespace bellwether::bench
