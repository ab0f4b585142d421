#include "cli/zookeeper_connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/clock.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

namespace wire = coord::zk::wire;

constexpr absl::Duration kSessionTimeout = absl::Seconds(30);
constexpr size_t kReceivedBytesMax = 256 << 10;
// A list of children is as long as it is (Z60).
constexpr size_t kReplyBytesMax = size_t{512} << 20;

absl::Duration Now() { return base::SystemClock().Monotonic(); }

int PollMillis(absl::Duration timeout) {
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1)));
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
}

// A socket whose connection is there. UNAVAILABLE.
absl::StatusOr<int> ConnectTo(const addrinfo& address, const std::string& name,
                              absl::Duration deadline) {
  const auto failed = [&name](int error) {
    return absl::UnavailableError(fmt::format(
        "cannot connect to {}: {}; check the address and that it serves", name,
        std::strerror(error)));
  };
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(errno);
  int error = 0;
  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) error = errno;
  if (error == EINPROGRESS) {
    pollfd waiting{fd, POLLOUT, 0};
    socklen_t size = sizeof(error);
    if (::poll(&waiting, 1, PollMillis(deadline - Now())) <= 0) {
      error = ETIMEDOUT;
    } else {
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error != 0) {
    ::close(fd);
    return failed(error);
  }
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  return fd;
}

// To the first of its addresses that answers.
absl::StatusOr<int> ConnectTo(const base::HostPort& address, absl::Duration deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string name = address.ToString();
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(),
                                  &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(
        fmt::format("cannot find {}: {}; check the name", name, ::gai_strerror(error)));
  }
  absl::StatusOr<int> fd = absl::UnavailableError(fmt::format("{} has no address", name));
  for (const addrinfo* one = found; one != nullptr && !fd.ok(); one = one->ai_next) {
    fd = ConnectTo(*one, name, deadline);
  }
  ::freeaddrinfo(found);
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ZookeeperConnection>> ZookeeperConnection::Open(
    const base::HostPort& address, const std::vector<Credential>& credentials,
    absl::Duration timeout) {
  const absl::Duration deadline = Now() + timeout;
  ASSIGN_OR_RETURN(const int fd, ConnectTo(address, deadline));
  std::unique_ptr<ZookeeperConnection> connection(
      new ZookeeperConnection(fd, address.ToString()));
  RETURN_IF_ERROR(connection->Shake(deadline));
  for (const Credential& credential : credentials) {
    RETURN_IF_ERROR(connection->Authenticate(credential, deadline));
  }
  return connection;
}

ZookeeperConnection::~ZookeeperConnection() { ::close(fd_); }

absl::Status ZookeeperConnection::Lost(std::string_view why) const {
  return absl::UnavailableError(
      fmt::format("the connection to {} was lost: {}; check that it serves", name_, why));
}

absl::Status ZookeeperConnection::Shake(absl::Duration deadline) {
  wire::ConnectRequest request;
  request.timeout_ms = static_cast<int32_t>(absl::ToInt64Milliseconds(kSessionTimeout));
  const std::string password(16, '\0');
  request.password = password;
  request.read_only = false;
  const size_t begin = wire::BeginFrame(out_);
  wire::EncodeConnectRequest(request, out_);
  CHECK(wire::EndFrame(out_, begin));
  ASSIGN_OR_RETURN(const std::string_view frame, Await(deadline));
  const auto response = wire::DecodeConnectResponse(frame);
  if (!response.has_value() || response->session_id == 0 || response->timeout_ms <= 0) {
    return absl::UnavailableError(fmt::format(
        "{} opens no session; check that this is the port for ZooKeeper's clients", name_));
  }
  ping_interval_ = absl::Milliseconds(response->timeout_ms) / 3;
  reader_.set_frame_bytes_max(kReplyBytesMax);
  shaken_ = true;
  return absl::OkStatus();
}

absl::Status ZookeeperConnection::Authenticate(const Credential& credential,
                                               absl::Duration deadline) {
  const auto request = wire::AuthRequest{0, credential.scheme, credential.credential};
  ASSIGN_OR_RETURN(const wire::Reply reply,
                   Ask({wire::kAuthXid, wire::Opcode::kAuth, request}, deadline - Now()));
  if (reply.header.error == wire::ZkError::kOk) return absl::OkStatus();
  return absl::UnauthenticatedError(
      fmt::format("{} refuses a credential of the scheme '{}'; check --source-auth", name_,
                  credential.scheme));
}

absl::Status ZookeeperConnection::Send() {
  const absl::Duration now = Now();
  if (shaken_ && out_.empty() && now - last_sent_at_ > ping_interval_) {
    const size_t begin = wire::BeginFrame(out_);
    wire::EncodeRequest({wire::kPingXid, wire::Opcode::kPing, wire::EmptyRequest()}, out_);
    CHECK(wire::EndFrame(out_, begin));
  }
  size_t sent = 0;
  while (sent < out_.size()) {
    const ssize_t n = ::send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n < 0) return Lost(std::strerror(errno));
    sent += static_cast<size_t>(n);
    last_sent_at_ = now;
  }
  out_.erase(0, sent);
  return absl::OkStatus();
}

absl::Status ZookeeperConnection::Receive() {
  char bytes[64 << 10];
  for (size_t received = 0; received < kReceivedBytesMax;) {
    const ssize_t n = ::recv(fd_, bytes, sizeof(bytes), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return absl::OkStatus();
    // What came before the end counts: why a server closes, for one.
    if (n <= 0 && received > 0) return absl::OkStatus();
    if (n < 0) return Lost(std::strerror(errno));
    if (n == 0) return Lost("the server closed it");
    reader_.Append(std::string_view(bytes, static_cast<size_t>(n)));
    received += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string_view>> ZookeeperConnection::Next() {
  while (true) {
    const std::optional<std::string_view> frame = reader_.Next();
    if (reader_.bad()) {
      return absl::DataLossError(
          fmt::format("{} sent what is no reply of ZooKeeper; check the address", name_));
    }
    if (!frame.has_value() || !shaken_) return frame;
    const auto header = wire::DecodeReplyHeader(*frame);
    if (!header.has_value() || header->xid != wire::kPingXid) return frame;
  }
}

void ZookeeperConnection::Wait(int other, absl::Duration timeout) {
  const short events = static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT));
  pollfd waiting[] = {{fd_, events, 0}, {other, POLLIN, 0}};
  (void)::poll(waiting, other < 0 ? 1 : 2, PollMillis(timeout));
}

absl::StatusOr<std::string_view> ZookeeperConnection::Await(absl::Duration deadline) {
  while (true) {
    RETURN_IF_ERROR(Send());
    ASSIGN_OR_RETURN(const std::optional<std::string_view> frame, Next());
    if (frame.has_value()) return *frame;
    const absl::Duration left = deadline - Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          fmt::format("{} does not answer in time; wait longer with --timeout", name_));
    }
    Wait(-1, std::min(left, absl::Seconds(1)));
    RETURN_IF_ERROR(Receive());
  }
}

absl::StatusOr<wire::Reply> ZookeeperConnection::Ask(wire::Request request,
                                                     absl::Duration timeout) {
  const size_t begin = wire::BeginFrame(out_);
  wire::EncodeRequest(request, out_);
  CHECK(wire::EndFrame(out_, begin));
  ASSIGN_OR_RETURN(const std::string_view frame, Await(Now() + timeout));
  const std::optional<wire::Reply> reply = wire::DecodeReply(request.opcode, frame);
  if (reply.has_value() && reply->header.xid == request.xid) return *reply;
  return absl::DataLossError(
      fmt::format("{} answered with something else; check the address", name_));
}

void ZookeeperConnection::Close() {
  const wire::Request close{1, wire::Opcode::kCloseSession, wire::EmptyRequest()};
  Ask(close, absl::Seconds(1)).IgnoreError();  // it would end by itself
}

}  // namespace bellwether::cli
