#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/net/event_loop.h"
#include "coord/peer/peer_transport.h"
#include "gtest/gtest.h"

namespace bellwether::coord {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// What a handler was told, for any thread to wait on.
class Recorder : public Transport::Handler {
 public:
  void OnConnected(const Hello& hello) override {
    base::MutexLock lock(mutex_);
    events_.push_back("+" + std::to_string(hello.server_id.value()));
    changed_.SignalAll();
  }
  void OnDisconnected(ServerId peer) override {
    base::MutexLock lock(mutex_);
    events_.push_back("-" + std::to_string(peer.value()));
    changed_.SignalAll();
  }
  void OnRefused(ServerId peer) override {
    base::MutexLock lock(mutex_);
    events_.push_back("refused by " + std::to_string(peer.value()));
    changed_.SignalAll();
  }
  void OnMessage(ServerId from, PeerMessage message) override {
    base::MutexLock lock(mutex_);
    if (const auto* note = std::get_if<Note>(&message)) notes_.push_back(note->note);
    if (const auto* chunk = std::get_if<SnapshotChunk>(&message)) chunks_.push_back(chunk->id);
    if (std::holds_alternative<Hello>(message)) {
      events_.push_back("hello " + std::to_string(from.value()));
    }
    changed_.SignalAll();
  }

  bool WaitForEvents(size_t count) {
    return Wait([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return events_.size() >= count; });
  }
  bool WaitForLastEvent(const std::string& event) {
    return Wait([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return !events_.empty() && events_.back() == event;
    });
  }
  bool WaitForNotes(size_t count, absl::Duration patience = kPatience) {
    return Wait([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return notes_.size() >= count; }, patience);
  }
  bool WaitForChunks(size_t count, absl::Duration patience) {
    return Wait([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return chunks_.size() >= count; },
                patience);
  }
  std::vector<uint64_t> chunks() {
    base::MutexLock lock(mutex_);
    return chunks_;
  }
  std::vector<std::string> events() {
    base::MutexLock lock(mutex_);
    return events_;
  }
  std::vector<std::string> notes() {
    base::MutexLock lock(mutex_);
    return notes_;
  }

 private:
  bool Wait(const std::function<bool()>& condition, absl::Duration patience = kPatience) {
    const absl::Duration deadline = base::SystemClock().Monotonic() + patience;
    base::MutexLock lock(mutex_);
    while (!condition()) {
      const absl::Duration left = deadline - base::SystemClock().Monotonic();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(mutex_, left);
    }
    return true;
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> chunks_ ABSL_GUARDED_BY(mutex_);
};

// One end. Servers dial those with lower ids, so they are made in the order of their ids.
struct End {
  // `options` says the rest: times, where it listens.
  End(uint32_t id, std::vector<PeerAddress> servers, uint64_t process_id = 0,
      PeerTransportOptions options = {.listen = "127.0.0.1:0",
                                      .probe_after = absl::Milliseconds(200)})
      : executor("end" + std::to_string(id)) {
    options.id = ServerId(id);
    options.servers = servers;
    auto listening =
        PeerTransport::Listen(options, executor, base::SystemClock(), metrics);
    EXPECT_TRUE(listening.ok()) << listening.status();
    transport = *std::move(listening);
    Hello hello;
    hello.server_id = ServerId(id);
    hello.process_id = process_id == 0 ? id : process_id;
    hello.servers = servers;
    executor.Post([this, hello] { transport->Start(hello, recorder); });
  }
  ~End() {
    transport->Stop();
    executor.Stop();
  }

  void SendNote(uint32_t to, std::string note) {
    executor.Post([this, to, note = std::move(note)]() mutable {
      transport->Send(ServerId(to), Note{std::move(note)});
    });
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(transport->port()); }

  base::Metrics metrics;
  base::EventLoop executor;
  Recorder recorder;
  std::unique_ptr<PeerTransport> transport;
};

// Of servers 1, there, and 2, which nobody dials.
inline std::vector<PeerAddress> ListOf(std::string first) {
  return {{ServerId(1), std::move(first)}, {ServerId(2), "127.0.0.1:1"}};
}

}  // namespace bellwether::coord
