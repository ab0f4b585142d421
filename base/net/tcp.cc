#include "base/net/tcp.h"

#include <algorithm>
#include <asio.hpp>
#include <atomic>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/net/reactor.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

// An idle connection costs little; one that sends much reads more at a time.
constexpr size_t kInputBytesFirst = 1024;
constexpr size_t kInputBytesMax = 16384;

absl::Status FromError(const asio::error_code& error, std::string_view what) {
  if (error == asio::error::eof) return absl::OutOfRangeError("end of stream");
  if (error == asio::error::operation_aborted) return absl::CancelledError("closed");
  return absl::UnavailableError(fmt::format("{}: {}", what, error.message()));
}

// Eightfold, so that the copies of a large buffer's growth are few.
void Grow(std::vector<char>& buffer, size_t bytes_max) {
  if (buffer.size() < bytes_max) buffer.resize(std::min(bytes_max, 8 * buffer.size()));
}

// As many reads of little in a row give a large buffer back.
constexpr size_t kSmallReadsMax = 4;

// Counts live connections of a listener; shared with each, since they may outlive it.
using LiveCount = std::shared_ptr<std::atomic<size_t>>;

// What asynchronous operations keep alive: shared between them and the TcpConnection.
struct Socket {
  Socket(asio::ip::tcp::socket s, LiveCount count)
      : socket(std::move(s)), deadline(socket.get_executor()), live(std::move(count)) {
    ++*live;
  }
  ~Socket() { --*live; }

  asio::ip::tcp::socket socket;
  asio::steady_timer deadline;
  LiveCount live;
  bool closed = false;
  std::vector<char> input = std::vector<char>(kInputBytesFirst);
  size_t input_max = kInputBytesMax;
  bool filled = false;  // by the last read
  size_t small_reads = 0;  // in a row, that the first buffer would have done for
  std::string output;
};

class TcpConnection : public Connection {
 public:
  TcpConnection(asio::ip::tcp::socket socket, LiveCount live)
      : state_(std::make_shared<Socket>(std::move(socket), std::move(live))) {
    asio::error_code error;
    const auto peer = state_->socket.remote_endpoint(error);
    if (!error) {
      remote_ = HostPort{.host = peer.address().to_string(), .port = peer.port()}.ToString();
    }
    state_->socket.set_option(asio::ip::tcp::no_delay(true), error);
  }
  ~TcpConnection() override { Close(); }

  void Read(absl::AnyInvocable<void(absl::StatusOr<std::string_view>)> done) override {
    if (state_->filled) {
      Grow(state_->input, state_->input_max);
    } else if (state_->small_reads >= kSmallReadsMax && state_->input.size() > kInputBytesFirst) {
      state_->input = std::vector<char>(kInputBytesFirst);
    }
    state_->socket.async_read_some(
        asio::buffer(state_->input),
        [state = state_, done = std::move(done)](asio::error_code error, size_t n) mutable {
          if (state->closed) return done(absl::CancelledError("closed"));
          if (error) return done(FromError(error, "cannot read"));
          state->filled = n == state->input.size();
          state->small_reads = n < kInputBytesFirst ? state->small_reads + 1 : 0;
          done(std::string_view(state->input.data(), n));
        });
  }

  void Peek(absl::AnyInvocable<void(absl::StatusOr<char>)> done) override {
    state_->socket.async_receive(
        asio::buffer(state_->input.data(), 1), asio::socket_base::message_peek,
        [state = state_, done = std::move(done)](asio::error_code error, size_t) mutable {
          if (state->closed) return done(absl::CancelledError("closed"));
          if (error) return done(FromError(error, "cannot read"));
          done(state->input.front());
        });
  }

  void SetReadMax(size_t bytes) override { state_->input_max = bytes; }

  void Write(std::string bytes, absl::AnyInvocable<void(absl::Status)> done) override {
    state_->output = std::move(bytes);
    asio::async_write(
        state_->socket, asio::buffer(state_->output),
        [state = state_, done = std::move(done)](asio::error_code error, size_t) mutable {
          state->output = std::string();
          if (state->closed) return done(absl::CancelledError("closed"));
          done(error ? FromError(error, "cannot write") : absl::OkStatus());
        });
  }

  void SetDeadline(absl::Duration delay, absl::AnyInvocable<void()> done) override {
    state_->deadline.expires_after(absl::ToChronoNanoseconds(delay));
    state_->deadline.async_wait(
        [state = state_, done = std::move(done)](asio::error_code error) mutable {
          if (!error && !state->closed) done();
        });
  }

  void FinishOutput() override {
    asio::error_code ignored;
    state_->socket.shutdown(asio::socket_base::shutdown_send, ignored);
  }

  void Close() override {
    if (std::exchange(state_->closed, true)) return;
    asio::error_code ignored;
    state_->socket.close(ignored);
    state_->deadline.cancel();
  }

  int Release() override {
    if (std::exchange(state_->closed, true)) return -1;
    state_->deadline.cancel();
    asio::error_code error;
    state_->socket.native_non_blocking(true, error);
    if (error) return -1;
    const int released = state_->socket.release(error);
    return error ? -1 : released;
  }

  const std::string& remote() const override { return remote_; }

 private:
  const std::shared_ptr<Socket> state_;
  std::string remote_;
};

// An attempt to connect, shared with the operations under way.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Connection>>)>;

  Attempt(EventLoop& loop, HostPort address, absl::Duration timeout, Done done)
      : address_(std::move(address)),
        timeout_(timeout),
        done_(std::move(done)),
        socket_(loop.reactor().context),
        resolver_(loop.reactor().context),
        deadline_(loop.reactor().context) {}

  void Start() {
    asio::error_code error;
    const asio::ip::address numeric = asio::ip::make_address(address_.host, error);
    if (!error) {  // without the resolver, which has a thread of its own
      return Try(std::vector<asio::ip::tcp::endpoint>{{numeric, address_.port}});
    }
    resolver_.async_resolve(
        address_.host, std::to_string(address_.port),
        [self = shared_from_this()](asio::error_code failed,
                                    const asio::ip::tcp::resolver::results_type& found) {
          if (self->over_) return;
          if (failed) return self->Fail(failed);
          std::vector<asio::ip::tcp::endpoint> endpoints;
          for (const auto& entry : found) endpoints.push_back(entry.endpoint());
          self->Try(endpoints);
        });
  }

  void GiveUp() {
    if (std::exchange(over_, true)) return;
    done_ = nullptr;
    Release();
  }

 private:
  void Try(const std::vector<asio::ip::tcp::endpoint>& endpoints) {
    deadline_.expires_after(absl::ToChronoNanoseconds(timeout_));
    deadline_.async_wait([self = shared_from_this()](asio::error_code error) {
      if (error) return;
      self->Finish(absl::DeadlineExceededError(
          fmt::format("cannot connect to {}: no answer", self->address_.ToString())));
    });
    asio::async_connect(
        socket_, endpoints,
        [self = shared_from_this()](asio::error_code error, const asio::ip::tcp::endpoint& reached) {
          if (self->over_) return;
          if (error) return self->Fail(error);
          // Where nobody listens, a port that the kernel chose can meet itself.
          if (self->socket_.local_endpoint(error) == reached) {
            return self->Fail(asio::error::connection_refused);
          }
          self->Finish(std::make_unique<TcpConnection>(std::move(self->socket_),
                                                       std::make_shared<std::atomic<size_t>>(0)));
        });
  }

  void Fail(asio::error_code error) {
    Finish(absl::UnavailableError(
        fmt::format("cannot connect to {}: {}", address_.ToString(), error.message())));
  }

  void Finish(absl::StatusOr<std::unique_ptr<Connection>> result) {
    if (std::exchange(over_, true)) return;
    Release();
    std::exchange(done_, nullptr)(std::move(result));
  }

  void Release() {
    asio::error_code ignored;
    socket_.close(ignored);
    resolver_.cancel();
    deadline_.cancel();
  }

  const HostPort address_;
  const absl::Duration timeout_;
  Done done_;
  bool over_ = false;
  asio::ip::tcp::socket socket_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer deadline_;
};

class TcpConnecting : public Connecting {
 public:
  explicit TcpConnecting(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
  ~TcpConnecting() override { attempt_->GiveUp(); }

 private:
  const std::shared_ptr<Attempt> attempt_;
};

// What is accepted on one address, shared with what of it runs on the loops. On the first of them, but
// for Bind before anything runs.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::vector<EventLoop*> loops, size_t connections_max, Counter& refused,
           Listener::OnAcceptOn on_accept)
      : loops_(std::move(loops)),
        connections_max_(connections_max),
        refused_(refused),
        on_accept_(std::move(on_accept)),
        acceptor_(loops_.front()->reactor().context),
        retry_(loops_.front()->reactor().context) {}

  absl::Status Bind(const HostPort& wanted) {
    asio::error_code error;
    asio::ip::tcp::resolver resolver(loops_.front()->reactor().context);
    const auto found = resolver.resolve(wanted.host, std::to_string(wanted.port), error);
    if (error || found.empty()) {
      return absl::InvalidArgumentError(fmt::format("cannot resolve '{}': {}; check the host name",
                                                    wanted.ToString(), error.message()));
    }
    const asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use) {
      return absl::UnavailableError(fmt::format(
          "cannot listen on {}: the port is in use; stop what uses it or choose another port",
          wanted.ToString()));
    }
    if (error) {
      return absl::PermissionDeniedError(
          fmt::format("cannot listen on {}: {}", wanted.ToString(), error.message()));
    }
    address_ = HostPort{.host = wanted.host, .port = acceptor_.local_endpoint().port()};
    return absl::OkStatus();
  }

  const HostPort& address() const { return address_; }

  void Start() {
    loops_.front()->Post([self = shared_from_this()] { self->AcceptNext(); });
  }

  void Stop() {
    if (stopped_.exchange(true)) return;
    loops_.front()->Post([self = shared_from_this()] {
      asio::error_code ignored;
      self->acceptor_.close(ignored);
      self->retry_.cancel();
    });
  }

 private:
  void AcceptNext() {
    if (stopped_) return;
    EventLoop& loop = *loops_[next_loop_++ % loops_.size()];
    acceptor_.async_accept(
        asio::any_io_executor(loop.reactor().context.get_executor()),
        [self = shared_from_this(), &loop](asio::error_code error, asio::ip::tcp::socket socket) {
          self->OnAccepted(error, std::move(socket), loop);
        });
  }

  void OnAccepted(asio::error_code error, asio::ip::tcp::socket socket, EventLoop& loop) {
    if (stopped_ || error == asio::error::operation_aborted) return;
    if (error) return RetryAfter(error);
    failing_ = false;
    if (live_->load() < connections_max_) {
      auto connection = std::make_unique<TcpConnection>(std::move(socket), live_);
      loop.Post([self = shared_from_this(), &loop, connection = std::move(connection)]() mutable {
        if (!self->stopped_) self->on_accept_(loop, std::move(connection));
      });
    } else {
      refused_.Add();
    }
    AcceptNext();
  }

  // Most often out of descriptors: waits for some to be closed instead of spinning.
  void RetryAfter(asio::error_code error) {
    if (!std::exchange(failing_, true)) {
      LOG_WARN("cannot accept, trying again address={} error=\"{}\"", address_.ToString(),
               error.message());
    }
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([self = shared_from_this()](asio::error_code e) {
      if (!e) self->AcceptNext();
    });
  }

  const std::vector<EventLoop*> loops_;
  const size_t connections_max_;
  Counter& refused_;
  Listener::OnAcceptOn on_accept_;
  std::atomic<bool> stopped_ = false;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  HostPort address_;
  size_t next_loop_ = 0;
  bool failing_ = false;  // the last try to accept failed
  const LiveCount live_ = std::make_shared<std::atomic<size_t>>(0);
};

class TcpListener : public Listener {
 public:
  // `own` is the one of its loops, or null.
  TcpListener(std::unique_ptr<EventLoop> own, std::shared_ptr<Acceptor> acceptor)
      : own_(std::move(own)), acceptor_(std::move(acceptor)) {
    acceptor_->Start();
  }
  ~TcpListener() override { Stop(); }

  const HostPort& address() const override { return acceptor_->address(); }

  void Stop() override {
    acceptor_->Stop();
    if (own_ != nullptr) own_->Stop();
  }

 private:
  const std::unique_ptr<EventLoop> own_;
  const std::shared_ptr<Acceptor> acceptor_;
};

}  // namespace

std::unique_ptr<Connecting> Connect(
    EventLoop& loop, const HostPort& address, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Connection>>)> done) {
  auto attempt = std::make_shared<Attempt>(loop, address, timeout, std::move(done));
  attempt->Start();
  return std::make_unique<TcpConnecting>(std::move(attempt));
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const HostPort& address,
                                                         std::string thread_name,
                                                         size_t connections_max, Counter& refused,
                                                         OnAccept on_accept) {
  auto loop = std::make_unique<EventLoop>(std::move(thread_name));
  auto acceptor = std::make_shared<Acceptor>(
      std::vector<EventLoop*>{loop.get()}, connections_max, refused,
      [on_accept = std::move(on_accept)](EventLoop&, std::unique_ptr<Connection> connection) mutable {
        on_accept(std::move(connection));
      });
  RETURN_IF_ERROR(acceptor->Bind(address));
  return std::make_unique<TcpListener>(std::move(loop), std::move(acceptor));
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const HostPort& address,
                                                         std::vector<EventLoop*> loops,
                                                         size_t connections_max, Counter& refused,
                                                         OnAcceptOn on_accept) {
  auto acceptor = std::make_shared<Acceptor>(std::move(loops), connections_max, refused,
                                             std::move(on_accept));
  RETURN_IF_ERROR(acceptor->Bind(address));
  return std::make_unique<TcpListener>(nullptr, std::move(acceptor));
}

absl::Status WhyNotListening(const HostPort& address, const absl::Status& otherwise) {
  Counter refused;
  const auto listener = Listener::Open(address, "probe", 1, refused, [](auto) {});
  return listener.ok() ? otherwise : listener.status();
}

}  // namespace bellwether::base
