#include "tests/bench/zk_load_echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "coord/zk/wire/frame.h"
#include "coord/zk/wire/records.h"
#include "fmt/format.h"
#include "tests/bench/zk_load_poller.h"
#include "tests/bench/zk_load_requests.h"

namespace bellwether::bench {
namespace {

namespace wire = coord::zk::wire;

constexpr size_t kLengthBytes = 4;
constexpr size_t kHeaderBytes = 8;  // xid, opcode
constexpr int kBacklog = 4096;
constexpr size_t kStatBytes = 68;

uint32_t Read32(std::string_view bytes, size_t at) {
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return ntohl(value);
}

// A frame that answers a request: the xid is written over, then come zxid 1, no error and zeros.
std::string ReplyOf(size_t body_bytes) {
  std::string frame;
  const size_t begin = wire::BeginFrame(frame);
  wire::EncodeReplyHeader({.zxid = 1}, frame);
  frame.append(body_bytes, '\0');
  CHECK(wire::EndFrame(frame, begin));
  return frame;
}

std::string EventFrame() {
  std::string frame;
  const size_t begin = wire::BeginFrame(frame);
  wire::EncodeReply({{.xid = wire::kNotificationXid, .zxid = -1},
                     wire::WatcherEvent{.type = 3, .path = "/zk_load/watched"}},
                    frame);
  CHECK(wire::EndFrame(frame, begin));
  return frame;
}

class EchoConnection;

// What its connections share.
struct Echo {
  Poller& poller;
  const std::string empty = ReplyOf(0);
  const std::string stat = ReplyOf(kStatBytes);
  const std::string data;
  const std::string names;
  const std::string event = EventFrame();
  std::vector<std::unique_ptr<EchoConnection>> connections;
  std::vector<EchoConnection*> watchers;
  std::string created = {};  // to a create of a path that is as long as the last one

  const std::string& ReplyToCreate(size_t path_bytes) {
    if (created.size() != empty.size() + kLengthBytes + path_bytes) {
      created = ReplyOf(kLengthBytes + path_bytes);
    }
    return created;
  }
};

class EchoConnection : public Poller::Handler {
 public:
  EchoConnection(int fd, Echo& echo) : fd_(fd), echo_(echo) {}
  ~EchoConnection() override { End(); }

  void Tell() {
    out_ += echo_.event;
    Flush();
  }

 private:
  void OnReady(bool readable, bool writable) override {
    if (writable) echo_.poller.Modify(fd_, *this, false);
    if (readable) Receive();
    Flush();
  }

  void Receive() {
    std::vector<char>& scratch = echo_.poller.scratch();
    if (scratch.size() < 2 * partial_.size()) scratch.resize(2 * partial_.size());
    std::memcpy(scratch.data(), partial_.data(), partial_.size());
    const ssize_t got =
        recv(fd_, scratch.data() + partial_.size(), scratch.size() - partial_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return End();
    const std::string_view bytes(scratch.data(), partial_.size() + static_cast<size_t>(got));
    size_t taken = 0;
    while (fd_ >= 0 && bytes.size() - taken >= kLengthBytes) {
      const size_t length = Read32(bytes, taken);
      if (bytes.size() - taken - kLengthBytes < length) break;
      Answer(bytes.substr(taken + kLengthBytes, length));
      taken += kLengthBytes + length;
    }
    partial_.assign(bytes.substr(taken));
  }

  void Answer(std::string_view frame) {
    if (!shaken_) {
      shaken_ = true;
      const size_t begin = wire::BeginFrame(out_);
      wire::EncodeConnectResponse({.timeout_ms = 40'000,
                                   .session_id = 1,
                                   .password = "0123456789abcdef",
                                   .read_only = false},
                                  out_);
      if (!wire::EndFrame(out_, begin)) End();
      return;
    }
    if (frame.size() < kHeaderBytes) return End();
    switch (static_cast<wire::Opcode>(Read32(frame, 4))) {
      case wire::Opcode::kSetData:
        Append(echo_.stat, frame);
        return TellWatchers();
      case wire::Opcode::kGetData:
        if (frame.back() != 0) echo_.watchers.push_back(this);
        return Append(echo_.data, frame);
      case wire::Opcode::kGetChildren:
        return Append(echo_.names, frame);
      case wire::Opcode::kCreate:
        return Append(echo_.ReplyToCreate(Read32(frame, kHeaderBytes)), frame);
      default:
        return Append(echo_.empty, frame);
    }
  }

  void Append(const std::string& reply, std::string_view request) {
    const size_t begin = out_.size();
    out_ += reply;
    std::memcpy(out_.data() + begin + kLengthBytes, request.data(), sizeof(int32_t));
  }

  void TellWatchers() {
    const auto watchers = std::exchange(echo_.watchers, {});
    for (EchoConnection* watcher : watchers) watcher->Tell();
  }

  void Flush() {
    if (fd_ < 0 || out_.empty()) return;
    const ssize_t sent = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return End();
    out_.erase(0, static_cast<size_t>(std::max<ssize_t>(sent, 0)));
    if (!out_.empty()) echo_.poller.Modify(fd_, *this, true);
  }

  // Stays in the list of connections, without its socket.
  void End() {
    if (fd_ < 0) return;
    echo_.poller.Remove(fd_);
    close(fd_);
    fd_ = -1;
  }

  int fd_;  // -1: ended
  Echo& echo_;
  bool shaken_ = false;
  std::string out_;
  std::string partial_;
};

// Accepts connections, one at a time.
class EchoListener : public Poller::Handler {
 public:
  EchoListener(int fd, Echo& echo) : fd_(fd), echo_(echo) {}

 private:
  void OnReady(bool, bool) override {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    echo_.connections.push_back(std::make_unique<EchoConnection>(fd, echo_));
    echo_.poller.Add(fd, *echo_.connections.back(), false).IgnoreError();
  }

  const int fd_;
  Echo& echo_;
};

absl::StatusOr<int> Listen(uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, generic, length) < 0 || listen(fd, kBacklog) < 0 ||
      getsockname(fd, generic, &length) < 0) {
    return absl::UnavailableError(fmt::format("cannot listen: {}", std::strerror(errno)));
  }
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

absl::Status RunEcho(const EchoSettings& settings) {
  ASSIGN_OR_RETURN(const auto poller, Poller::Create());
  const auto bytes = static_cast<size_t>(settings.bytes);
  const auto children = static_cast<size_t>(settings.children);
  Echo echo{.poller = *poller,
            .data = ReplyOf(kLengthBytes + bytes + kStatBytes),
            .names = ReplyOf(kLengthBytes + children * (kLengthBytes + 1 + kNumberDigits))};
  uint16_t port = 0;
  ASSIGN_OR_RETURN(const int fd, Listen(port));
  EchoListener listener(fd, echo);
  InputEnd end;
  RETURN_IF_ERROR(poller->Add(fd, listener, false));
  RETURN_IF_ERROR(poller->Add(STDIN_FILENO, end, false));
  fmt::print("127.0.0.1:{}\n", port);
  std::fflush(stdout);
  while (!end.ended()) poller->Poll(absl::Seconds(1));
  close(fd);
  return absl::OkStatus();
}

}  // namespace bellwether::bench
