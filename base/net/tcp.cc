#include "base/net/tcp.h"

#include <asio.hpp>
#include <atomic>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

absl::Status FromError(const asio::error_code& error, std::string_view what) {
  if (error == asio::error::eof) return absl::OutOfRangeError("end of stream");
  if (error == asio::error::operation_aborted) return absl::CancelledError("closed");
  return absl::UnavailableError(fmt::format("{}: {}", what, error.message()));
}

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
  char input[16384];
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
    state_->socket.async_read_some(
        asio::buffer(state_->input),
        [state = state_, done = std::move(done)](asio::error_code error, size_t n) mutable {
          if (state->closed) return done(absl::CancelledError("closed"));
          if (error) return done(FromError(error, "cannot read"));
          done(std::string_view(state->input, n));
        });
  }

  void Write(std::string bytes, absl::AnyInvocable<void(absl::Status)> done) override {
    state_->output = std::move(bytes);
    asio::async_write(
        state_->socket, asio::buffer(state_->output),
        [state = state_, done = std::move(done)](asio::error_code error, size_t) mutable {
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

  void Close() override {
    if (std::exchange(state_->closed, true)) return;
    asio::error_code ignored;
    state_->socket.close(ignored);
    state_->deadline.cancel();
  }

  const std::string& remote() const override { return remote_; }

 private:
  const std::shared_ptr<Socket> state_;
  std::string remote_;
};

class TcpListener : public Listener {
 public:
  TcpListener(size_t connections_max, Counter& refused, OnAccept on_accept)
      : connections_max_(connections_max),
        refused_(refused),
        on_accept_(std::move(on_accept)),
        acceptor_(context_) {}
  ~TcpListener() override { Stop(); }

  absl::Status Bind(const HostPort& wanted) {
    asio::error_code error;
    asio::ip::tcp::resolver resolver(context_);
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

  void Start(std::string thread_name) {
    AcceptNext();
    thread_.emplace(std::move(thread_name), [this] { context_.run(); });
  }

  const HostPort& address() const override { return address_; }

  void Stop() override {
    if (!thread_.has_value()) return;
    context_.stop();
    thread_.reset();
  }

 private:
  void AcceptNext() {
    acceptor_.async_accept([this](asio::error_code error, asio::ip::tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        LOG_WARN("cannot accept address={} error=\"{}\"", address_.ToString(), error.message());
        // Most often out of descriptors: wait for some to be closed instead of spinning.
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this](asio::error_code e) {
          if (!e) AcceptNext();
        });
        return;
      }
      if (live_->load() < connections_max_) {
        on_accept_(std::make_unique<TcpConnection>(std::move(socket), live_));
      } else {
        refused_.Add();
      }
      AcceptNext();
    });
  }

  const size_t connections_max_;
  Counter& refused_;
  OnAccept on_accept_;
  asio::io_context context_{1};
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer retry_{context_};
  HostPort address_;
  LiveCount live_ = std::make_shared<std::atomic<size_t>>(0);
  std::optional<Thread> thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const HostPort& address,
                                                         std::string thread_name,
                                                         size_t connections_max, Counter& refused,
                                                         OnAccept on_accept) {
  auto listener = std::make_unique<TcpListener>(connections_max, refused, std::move(on_accept));
  RETURN_IF_ERROR(listener->Bind(address));
  listener->Start(std::move(thread_name));
  return listener;
}

absl::Status WhyNotListening(const HostPort& address, const absl::Status& otherwise) {
  Counter refused;
  const auto listener = Listener::Open(address, "probe", 1, refused, [](auto) {});
  return listener.ok() ? otherwise : listener.status();
}

}  // namespace bellwether::base
