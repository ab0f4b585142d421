#include "tests/sim/client_network.h"

#include <algorithm>

#include "base/check.h"
#include "base/parse.h"
#include "base/status.h"
#include "coord/rpc/convert.h"
#include "coord/rpc/session_stream.h"
#include "coord/rpc/watch_stream.h"

namespace bellwether::sim {
namespace {

constexpr size_t kFrameBytes = 64 << 10;  // taken from a stream in one go
constexpr size_t kSessionWindow = 64;     // frames on their way to a client

absl::Status Reset() { return absl::UnavailableError("connection reset by peer"); }

absl::Status StatusOf(const coord::TakeResult& result) {
  if (!result.failure.has_value()) return absl::UnavailableError("the server ended the stream");
  return absl::Status(result.failure->code, base::AbslView(result.failure->message));
}

// A server's half of a stream hears of the service through this.
class Sink : public coord::StreamSink {
 public:
  Sink(std::function<void()> on_output, std::function<void()> on_resume)
      : on_output_(std::move(on_output)), on_resume_(std::move(on_resume)) {}
  void OnOutput() override { on_output_(); }
  void OnResume() override { on_resume_(); }

 private:
  const std::function<void()> on_output_;
  const std::function<void()> on_resume_;
};

class SessionLink : public ClientStream {
 public:
  SessionLink(ClientNetwork& network, uint32_t client, uint32_t server, SimExecutor& executor,
              client::StreamCallbacks<coord::v1::SessionResponse> callbacks,
              std::function<void()> on_frame)
      : ClientStream(network, client, server, executor),
        callbacks_(std::move(callbacks)),
        on_frame_(std::move(on_frame)) {}

  void Send(coord::v1::SessionRequest frame) {
    SendToServer([this, frame = std::move(frame)]() mutable {
      unread_.push_back(std::move(frame));
      Read();
    });
  }

 private:
  absl::Status OpenAtServer(Process& process) override {
    auto weak = std::weak_ptr<ClientStream>(weak_from_this());
    auto sink = std::make_shared<Sink>(
        [this, weak] {
          if (auto self = weak.lock()) Flush();
        },
        [this, weak] {
          auto self = weak.lock();
          if (self == nullptr) return;
          reading_ = true;
          Read();
        });
    auto opened = coord::SessionStream::Open(
        process.service(), {ClientNetwork::AddressOf(server())}, std::move(sink));
    RETURN_IF_ERROR(opened.status());
    stream_ = *std::move(opened);
    return absl::OkStatus();
  }

  void CloseAtServer() override {
    if (stream_ != nullptr) stream_->Close();
    DropServerHalf();
  }

  void DropServerHalf() override {
    stream_.reset();
    unread_.clear();
  }

  void Read() {
    while (stream_ != nullptr && reading_ && !unread_.empty()) {
      coord::v1::SessionRequest frame = std::move(unread_.front());
      unread_.pop_front();
      reading_ = stream_->Receive(std::move(frame));
    }
  }

  void Flush() override {
    if (stream_ == nullptr || on_the_way_ >= kSessionWindow) return;
    std::vector<coord::v1::SessionResponse> frames;
    const coord::TakeResult result = stream_->Take(kFrameBytes, frames);
    for (coord::v1::SessionResponse& frame : frames) {
      ++on_the_way_;
      SendToClient([this, frame = std::move(frame)]() mutable {
        --on_the_way_;
        PostFlush();
        const std::function<void()> on_frame = on_frame_;
        callbacks_.on_frame(std::move(frame));
        on_frame();
      });
    }
    if (result.finished) EndFromServer(StatusOf(result));
  }

  void TellEnd(absl::Status status) override { callbacks_.on_end(std::move(status)); }

  client::StreamCallbacks<coord::v1::SessionResponse> callbacks_;
  const std::function<void()> on_frame_;
  std::unique_ptr<coord::SessionStream> stream_;
  std::deque<coord::v1::SessionRequest> unread_;  // the service reads no further for now
  bool reading_ = true;
  size_t on_the_way_ = 0;  // frames to the client
};

class WatchLink : public ClientStream {
 public:
  WatchLink(ClientNetwork& network, uint32_t client, uint32_t server, SimExecutor& executor,
            coord::v1::WatchRequest request,
            client::StreamCallbacks<coord::v1::WatchResponse> callbacks, uint32_t window)
      : ClientStream(network, client, server, executor),
        request_(std::move(request)),
        callbacks_(std::move(callbacks)),
        window_(window) {}

  void Next() {
    wanted_ = true;
    // Not within this call.
    if (!arrived_.empty()) PostToClient([this] { DeliverOne(); });
  }

 private:
  absl::Status OpenAtServer(Process& process) override {
    auto weak = std::weak_ptr<ClientStream>(weak_from_this());
    auto sink = std::make_shared<Sink>(
        [this, weak] {
          if (auto self = weak.lock()) Flush();
        },
        [] {});
    auto opened = coord::WatchStream::Open(
        process.service(), {ClientNetwork::AddressOf(server())}, request_, std::move(sink));
    RETURN_IF_ERROR(opened.status());
    stream_ = *std::move(opened);
    return absl::OkStatus();
  }

  void CloseAtServer() override {
    if (stream_ != nullptr) stream_->Close();
    DropServerHalf();
  }

  void DropServerHalf() override { stream_.reset(); }

  void Flush() override {
    while (stream_ != nullptr && on_the_way_ < window_) {
      std::vector<coord::v1::WatchResponse> frames;
      const coord::TakeResult result = stream_->Take(1, frames);
      for (coord::v1::WatchResponse& frame : frames) {
        ++on_the_way_;
        SendToClient([this, frame = std::move(frame)]() mutable {
          arrived_.push_back(std::move(frame));
          DeliverOne();
        });
      }
      if (result.finished) return EndFromServer(StatusOf(result));
      if (frames.empty()) return;
    }
  }

  void DeliverOne() {
    if (!wanted_ || arrived_.empty()) return;
    wanted_ = false;
    coord::v1::WatchResponse frame = std::move(arrived_.front());
    arrived_.pop_front();
    --on_the_way_;
    PostFlush();
    callbacks_.on_frame(std::move(frame));
  }

  void TellEnd(absl::Status status) override { callbacks_.on_end(std::move(status)); }

  const coord::v1::WatchRequest request_;
  client::StreamCallbacks<coord::v1::WatchResponse> callbacks_;
  const uint32_t window_;
  std::unique_ptr<coord::WatchStream> stream_;
  std::deque<coord::v1::WatchResponse> arrived_;
  bool wanted_ = false;
  uint32_t on_the_way_ = 0;  // frames taken from the service, not yet by the client
};

class SimSessionCall : public client::SessionCall {
 public:
  explicit SimSessionCall(std::shared_ptr<SessionLink> link) : link_(std::move(link)) {}
  ~SimSessionCall() override { link_->Cancel(); }
  void Send(coord::v1::SessionRequest frame) override { link_->Send(std::move(frame)); }

 private:
  const std::shared_ptr<SessionLink> link_;  // shared with what is on its way
};

class SimWatchCall : public client::WatchCall {
 public:
  explicit SimWatchCall(std::shared_ptr<WatchLink> link) : link_(std::move(link)) {}
  ~SimWatchCall() override { link_->Cancel(); }
  void Next() override { link_->Next(); }

 private:
  const std::shared_ptr<WatchLink> link_;  // likewise
};

}  // namespace

// ---- Pipe ----

void Pipe::Push(base::Task delivery) {
  queue_.push_back(std::move(delivery));
  ScheduleOne();
}

void Pipe::ScheduleOne() {
  last_due_ = std::max(last_due_, scheduler_.now() + latency_());
  scheduler_.After(last_due_ - scheduler_.now(), [self = shared_from_this()] { self->OnDue(); });
}

void Pipe::OnDue() {
  if (queue_.empty()) return;  // dropped meanwhile
  if (is_cut_()) {
    ++held_;
    return;
  }
  base::Task delivery = std::move(queue_.front());
  queue_.pop_front();
  delivery();
}

void Pipe::OnHeal() {
  for (size_t held = std::exchange(held_, 0); held > 0; --held) ScheduleOne();
}

// ---- ClientStream ----

ClientStream::ClientStream(ClientNetwork& network, uint32_t client, uint32_t server,
                           SimExecutor& executor)
    : network_(network),
      client_(client),
      server_(server),
      executor_(executor),
      to_server_(std::make_shared<Pipe>(
          network.scheduler_,
          [&network] {
            return network.scheduler_.RandomDuration(network.latency_first, network.latency_last);
          },
          [&network, client, server] { return network.IsCut(client, server); })),
      to_client_(std::make_shared<Pipe>(
          network.scheduler_,
          [&network] {
            return network.scheduler_.RandomDuration(network.latency_first, network.latency_last);
          },
          [&network, client, server] { return network.IsCut(client, server); })) {}

Process* ClientStream::process() { return network_.process_of_(server_); }

void ClientStream::Open() {
  to_server_->Push([self = shared_from_this()] {
    Process* const process = self->process();
    if (process == nullptr) {
      return self->EndFromServer(absl::UnavailableError("connection refused"));
    }
    self->at_server_ = true;
    process->rpc_executor().Post([self] {
      if (!self->at_server_) return;
      const absl::Status status = self->OpenAtServer(*self->process());
      if (!status.ok()) self->EndFromServer(status);
    });
  });
}

void ClientStream::SendToServer(base::Task task) {
  if (client_gone_) return;
  to_server_->Push([self = shared_from_this(), task = std::move(task)]() mutable {
    if (!self->at_server_) return;
    self->process()->rpc_executor().Post([self, task = std::move(task)]() mutable {
      if (self->at_server_) task();
    });
  });
}

void ClientStream::SendToClient(base::Task task) {
  to_client_->Push([self = shared_from_this(), task = std::move(task)]() mutable {
    self->PostToClient(std::move(task));
  });
}

void ClientStream::PostToClient(base::Task task) {
  if (client_gone_) return;
  executor_.Post([self = shared_from_this(), task = std::move(task)]() mutable {
    if (!self->client_gone_) task();
  });
}

void ClientStream::EndFromServer(absl::Status status) {
  at_server_ = false;
  DropServerHalf();
  if (std::exchange(ended_, true)) return;
  SendToClient([this, status = std::move(status)]() mutable {
    client_gone_ = true;
    TellEnd(std::move(status));
  });
}

void ClientStream::PostFlush() {
  if (!at_server_) return;
  process()->rpc_executor().Post([self = shared_from_this()] {
    if (self->at_server_) self->Flush();
  });
}

void ClientStream::Cancel() {
  if (std::exchange(client_gone_, true)) return;
  to_client_->Drop();
  to_server_->Push([self = shared_from_this()] {
    if (!self->at_server_) return;
    self->process()->rpc_executor().Post([self] {
      if (!std::exchange(self->at_server_, false)) return;
      self->CloseAtServer();
    });
  });
}

void ClientStream::Break() {
  to_server_->Drop();
  to_client_->Drop();
  to_server_->Push([self = shared_from_this()] {
    if (!self->at_server_) return;
    self->process()->rpc_executor().Post([self] {
      if (!std::exchange(self->at_server_, false)) return;
      self->CloseAtServer();
    });
  });
  ended_ = true;
  SendToClient([this] {
    client_gone_ = true;
    TellEnd(Reset());
  });
}

void ClientStream::OnServerDown() {
  if (at_server_) EndFromServer(Reset());
}

void ClientStream::OnHeal() {
  to_server_->OnHeal();
  to_client_->OnHeal();
}

void ClientStream::DropAll() {
  to_server_->Drop();
  to_client_->Drop();
}

// ---- ClientNetwork ----

void ClientNetwork::Open(std::shared_ptr<ClientStream> stream) {
  std::erase_if(streams_, [](const auto& weak) { return weak.expired(); });
  streams_.push_back(stream);
  stream->Open();
}

std::vector<std::shared_ptr<ClientStream>> ClientNetwork::Live() {
  std::vector<std::shared_ptr<ClientStream>> live;
  for (const auto& weak : streams_) {
    if (auto stream = weak.lock()) live.push_back(std::move(stream));
  }
  return live;
}

bool ClientNetwork::Break(uint32_t client) {
  bool any = false;
  for (const auto& stream : Live()) {
    if (stream->client() != client) continue;
    stream->Break();
    any = true;
  }
  return any;
}

void ClientNetwork::Heal(uint32_t client, uint32_t server) {
  cut_.erase({client, server});
  for (const auto& stream : Live()) {
    if (stream->client() == client && stream->server() == server) stream->OnHeal();
  }
}

void ClientNetwork::HealAll() {
  cut_.clear();
  for (const auto& stream : Live()) stream->OnHeal();
}

void ClientNetwork::DropAll() {
  for (const auto& stream : Live()) stream->DropAll();
}

void ClientNetwork::ServerDown(uint32_t server) {
  for (const auto& stream : Live()) {
    if (stream->server() == server) stream->OnServerDown();
  }
}

// ---- SimConnector ----

uint32_t SimConnector::ServerOf(const std::string& address) {
  const std::string digits = address.substr(address.find_first_of("0123456789"));
  const absl::StatusOr<int64_t> server = base::ParseInteger(digits, 1, 254);
  CHECK(server.ok(), "{} is no server of the simulation", address);
  return static_cast<uint32_t>(*server);
}

std::unique_ptr<client::SessionCall> SimConnector::OpenSession(
    const std::string& address, client::StreamCallbacks<coord::v1::SessionResponse> callbacks) {
  auto link = std::make_shared<SessionLink>(network_, client_, ServerOf(address), executor_,
                                            std::move(callbacks), on_frame_);
  network_.Open(link);
  return std::make_unique<SimSessionCall>(std::move(link));
}

std::unique_ptr<client::WatchCall> SimConnector::OpenWatch(
    const std::string& address, coord::v1::WatchRequest request,
    client::StreamCallbacks<coord::v1::WatchResponse> callbacks) {
  auto link = std::make_shared<WatchLink>(network_, client_, ServerOf(address), executor_,
                                          std::move(request), std::move(callbacks),
                                          network_.watch_window_);
  network_.Open(link);
  return std::make_unique<SimWatchCall>(std::move(link));
}

void SimConnector::Status(
    const std::string& address, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<coord::v1::StatusResponse>)> callback) {
  Process* const process = network_.process_of_(ServerOf(address));
  absl::StatusOr<coord::v1::StatusResponse> answer =
      absl::UnavailableError("the server is down");
  if (process != nullptr && !process->paused()) {
    answer.emplace();
    coord::ToProto(process->service().Status(), ServerOf(address), *answer);
  }
  executor_.RunAfter(std::min(timeout, network_.latency_last),
                     [answer = std::move(answer), callback = std::move(callback)]() mutable {
                       callback(std::move(answer));
                     });
}

}  // namespace bellwether::sim
