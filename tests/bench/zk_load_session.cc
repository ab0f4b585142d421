#include "tests/bench/zk_load_session.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "coord/zk/wire/opcodes.h"
#include "fmt/format.h"

namespace bellwether::bench {
namespace {

namespace wire = coord::zk::wire;

constexpr absl::Duration kOpenMax = absl::Seconds(120);
constexpr absl::Duration kCloseMax = absl::Seconds(30);
constexpr absl::Duration kSetupMax = absl::Seconds(60);  // without any reply
constexpr size_t kOpeningMax = 32;  // ZooKeeper's servers accept no more at a time
constexpr uint64_t kSetupOutstandingMax = 64;

}  // namespace

absl::Status PollUntil(Poller& poller, absl::Duration at_most, std::string_view what,
                       const std::function<bool()>& done) {
  const absl::Duration deadline = base::SystemClock().Monotonic() + at_most;
  while (!done()) {
    const absl::Duration left = deadline - base::SystemClock().Monotonic();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          fmt::format("not within {:.0f} s: {}", absl::ToDoubleSeconds(at_most), what));
    }
    poller.Poll(std::min(left, absl::Milliseconds(100)));
  }
  return absl::OkStatus();
}

void LoadSession::Fail(absl::Status why) {
  if (status_.ok()) status_ = std::move(why);
}

void LoadSession::OnOpened() {
  static const RequestTemplate sync =
      PlainTemplate(wire::Opcode::kSync, wire::SyncRequest{.path = "/"});
  connection_.Send(sync);
}

void LoadSession::OnReply(const ZkConnection::Reply& reply, int64_t now_ns) {
  switch (phase_) {
    case Phase::kReady:
      return OnLoadReply(reply, now_ns);
    case Phase::kOpening:
      phase_ = Phase::kReady;
      if (reply.error != 0) Fail(absl::InternalError(fmt::format("sync: error {}", reply.error)));
      return;
    case Phase::kClosing:
      phase_ = Phase::kClosed;
      connection_.Close();
      return;
    case Phase::kClosed:
      return;
  }
}

void LoadSession::OnLost(absl::Status why) {
  if (phase_ != Phase::kClosing) Fail(std::move(why));
  phase_ = Phase::kClosed;
}

void LoadSession::CloseSession() {
  static const RequestTemplate close =
      PlainTemplate(wire::Opcode::kCloseSession, wire::EmptyRequest());
  if (phase_ != Phase::kReady) return;
  phase_ = Phase::kClosing;
  connection_.Send(close);
  connection_.Flush();
}

absl::Status OpenAll(Poller& poller, const std::vector<base::HostPort>& servers,
                     const std::vector<LoadSession*>& sessions, int timeout_ms) {
  constexpr size_t kPerSourceAddress = 15'000;
  size_t begun = 0;
  size_t ready = 0;
  absl::Status status;
  const auto step = [&] {
    while (ready < begun && (sessions[ready]->is_ready() || sessions[ready]->is_closed())) {
      if (!sessions[ready]->status().ok()) status = sessions[ready]->status();
      ++ready;
    }
    for (; status.ok() && begun < sessions.size() && begun < ready + kOpeningMax; ++begun) {
      status = sessions[begun]->Open(
          {.server = servers[begun % servers.size()],
           .source_address = static_cast<int>(1 + begun / kPerSourceAddress),
           .timeout_ms = timeout_ms});
    }
    return !status.ok() || ready == sessions.size();
  };
  RETURN_IF_ERROR(PollUntil(poller, kOpenMax, "all sessions open", step));
  return status;
}

void CloseAll(Poller& poller, const std::vector<LoadSession*>& sessions) {
  for (LoadSession* session : sessions) session->CloseSession();
  size_t closed = 0;
  PollUntil(poller, kCloseMax, "all sessions closed", [&] {
    while (closed < sessions.size() && sessions[closed]->is_closed()) ++closed;
    return closed == sessions.size();
  }).IgnoreError();
}

absl::StatusOr<std::unique_ptr<SetupSession>> SetupSession::Open(
    Poller& poller, const std::vector<base::HostPort>& servers) {
  std::unique_ptr<SetupSession> session(new SetupSession(poller));
  RETURN_IF_ERROR(OpenAll(poller, servers, {session.get()}, SessionSettings().timeout_ms));
  return session;
}

SetupSession::~SetupSession() { CloseAll(poller_, {this}); }

absl::Status SetupSession::Send(const RequestTemplate& request, uint64_t number) {
  connection().Send(request, number);
  if (connection().outstanding() < 2 * kSetupOutstandingMax) return absl::OkStatus();
  return WaitForAllBut(kSetupOutstandingMax);
}

absl::Status SetupSession::Wait() { return WaitForAllBut(0); }

absl::Status SetupSession::WaitForAllBut(uint64_t outstanding) {
  connection().Flush();
  RETURN_IF_ERROR(PollUntil(poller_, kSetupMax, "what the load needs is made", [&] {
    return !status().ok() || connection().outstanding() <= outstanding;
  }));
  return status();
}

absl::Status SetupSession::MakePath(std::string_view path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    RETURN_IF_ERROR(Send(PlainCreate(path.substr(0, end), "")));
    if (end == std::string_view::npos) return Wait();
  }
}

absl::Status SetupSession::MakeNumbered(std::string_view prefix, uint64_t count,
                                        std::string_view data) {
  const RequestTemplate request = CreateTemplate(prefix, data);
  for (uint64_t number = 0; number < count; ++number) RETURN_IF_ERROR(Send(request, number));
  return Wait();
}

void SetupSession::OnLoadReply(const ZkConnection::Reply& reply, int64_t) {
  if (reply.error == 0 || reply.error == static_cast<int32_t>(wire::ZkError::kNodeExists)) return;
  Fail(absl::InternalError(fmt::format("a request of the setup failed: error {}", reply.error)));
}

}  // namespace bellwether::bench
