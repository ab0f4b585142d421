#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/parse.h"
#include "tests/bench/zk_load_connection.h"
#include "tests/bench/zk_load_poller.h"
#include "tests/bench/zk_load_requests.h"

namespace bellwether::bench {

// Polls until `done()`; DEADLINE_EXCEEDED, naming `what`, when that takes longer.
absl::Status PollUntil(Poller& poller, absl::Duration at_most, std::string_view what,
                       const std::function<bool()>& done);

// A session of a load's own: begins with a sync, so that its server knows what was written before, and
// ends by closing. What fails is kept, for whoever drives the load to find.
class LoadSession : public ZkConnection::Client {
 public:
  explicit LoadSession(Poller& poller) : connection_(poller, *this) {}

  // Replies to what the load asks, and events; the session's own replies are not told.
  virtual void OnLoadReply(const ZkConnection::Reply& reply, int64_t now_ns) = 0;

  ZkConnection& connection() { return connection_; }
  bool is_ready() const { return phase_ == Phase::kReady; }
  bool is_closed() const { return phase_ == Phase::kClosed; }
  const absl::Status& status() const { return status_; }
  void Fail(absl::Status why);

  absl::Status Open(const SessionSettings& settings) { return connection_.Open(settings); }
  // Requires: nothing outstanding.
  void CloseSession();

 private:
  enum class Phase { kOpening, kReady, kClosing, kClosed };

  void OnOpened() final;
  void OnReply(const ZkConnection::Reply& reply, int64_t now_ns) final;
  void OnLost(absl::Status why) final;

  ZkConnection connection_;
  Phase phase_ = Phase::kOpening;
  absl::Status status_;
};

// OK, or why the first of these sessions that failed did.
template <typename Sessions>
absl::Status FirstFailure(const Sessions& sessions) {
  for (const auto& session : sessions) {
    if (!session->status().ok()) return session->status();
  }
  return absl::OkStatus();
}

// The sessions of a load, `count` of them, spread over the servers in turn, as ZooKeeper's clients do by
// chance. All are ready when it returns.
absl::Status OpenAll(Poller& poller, const std::vector<base::HostPort>& servers,
                     const std::vector<LoadSession*>& sessions, int timeout_ms);
// Best effort: a session that can't be closed expires.
void CloseAll(Poller& poller, const std::vector<LoadSession*>& sessions);

// A session that makes what a load needs: many requests, then a wait for all of them.
class SetupSession : public LoadSession {
 public:
  static absl::StatusOr<std::unique_ptr<SetupSession>> Open(
      Poller& poller, const std::vector<base::HostPort>& servers);
  ~SetupSession() override;

  // Waits for replies first when many requests have none.
  absl::Status Send(const RequestTemplate& request, uint64_t number = 0);
  // Until all is answered. Errors: a request failed other than because the znode was there.
  absl::Status Wait();

  // The znode and those above it, without data.
  absl::Status MakePath(std::string_view path);
  // Znodes 0 to count - 1.
  absl::Status MakeNumbered(std::string_view prefix, uint64_t count, std::string_view data);

 private:
  explicit SetupSession(Poller& poller) : LoadSession(poller), poller_(poller) {}

  void OnLoadReply(const ZkConnection::Reply& reply, int64_t now_ns) override;
  absl::Status WaitForAllBut(uint64_t outstanding);

  Poller& poller_;
};

}  // namespace bellwether::bench
