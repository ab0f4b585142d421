// Two figures that everything in coord stands on: the round trip of a 100-byte message between two
// servers over PeerTransport, and one entry appended durably to the RocksDB log.
//   bench_peer [FOLDER]    FOLDER: on the disk to measure, default the current folder

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/net/event_loop.h"
#include "base/thread_executor.h"
#include "coord/peer/peer_transport.h"
#include "coord/storage/rocks_log_store.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr int kWarmUp = 2000;
constexpr int kRoundTrips = 20000;
constexpr int kAppends = 3000;

// One value, set once by one thread and waited for by another.
class Event {
 public:
  void Set() {
    base::MutexLock lock(mutex_);
    set_ = true;
    changed_.Signal();
  }
  void Wait() {
    base::MutexLock lock(mutex_);
    while (!set_) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

void Print(const char* what, std::vector<absl::Duration> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&times](double share) {
    return absl::ToDoubleMicroseconds(times[static_cast<size_t>(share * (times.size() - 1))]);
  };
  fmt::print("{}: p50={:.1f}us p99={:.1f}us n={}\n", what, at(0.5), at(0.99), times.size());
}

// Server 1 echoes; server 2 sends the next message when the answer to the last has come.
class Echo : public Transport::Handler {
 public:
  explicit Echo(PeerTransport*& transport) : transport_(transport) {}
  void OnConnected(const Hello&) override {}
  void OnDisconnected(ServerId) override {}
  void OnRefused(ServerId) override {}
  void OnMessage(ServerId from, PeerMessage message) override {
    transport_->Send(from, std::move(message));
  }

 private:
  PeerTransport*& transport_;
};

class Pinger : public Transport::Handler {
 public:
  explicit Pinger(PeerTransport*& transport) : transport_(transport) {}
  void OnConnected(const Hello&) override { Ping(); }
  void OnDisconnected(ServerId) override {}
  void OnRefused(ServerId) override {}
  void OnMessage(ServerId, PeerMessage) override {
    times_.push_back(base::SystemClock().Monotonic() - sent_);
    if (times_.size() == kWarmUp + kRoundTrips) return done_.Set();
    Ping();
  }
  std::vector<absl::Duration> WaitForTimes() {
    done_.Wait();
    return {times_.begin() + kWarmUp, times_.end()};
  }

 private:
  void Ping() {
    sent_ = base::SystemClock().Monotonic();
    transport_->Send(ServerId(1), Note{std::string(100, 'x')});
  }

  PeerTransport*& transport_;
  absl::Duration sent_;
  std::vector<absl::Duration> times_;
  Event done_;
};

struct End {
  End(uint32_t id, std::vector<PeerAddress> servers) : executor("replica") {
    PeerTransportOptions options;
    options.id = ServerId(id);
    options.servers = servers;
    options.listen = "127.0.0.1:0";
    auto listening = PeerTransport::Listen(options, executor, base::SystemClock(), metrics);
    CHECK(listening.ok());
    transport = *std::move(listening);
    raw = transport.get();
    hello.server_id = ServerId(id);
    hello.process_id = id;
    hello.servers = servers;
  }
  ~End() {
    transport->Stop();
    executor.Stop();
  }
  void Start(Transport::Handler& handler) {
    executor.Post([this, &handler] { transport->Start(hello, handler); });
  }

  base::Metrics metrics;
  base::EventLoop executor;
  std::unique_ptr<PeerTransport> transport;
  PeerTransport* raw = nullptr;
  Hello hello;
};

void MeasureRoundTrip() {
  End one(1, {{ServerId(1), "127.0.0.1:1"}, {ServerId(2), "127.0.0.1:1"}});
  const std::string address = fmt::format("127.0.0.1:{}", one.transport->port());
  End two(2, {{ServerId(1), address}, {ServerId(2), "127.0.0.1:1"}});
  Echo echo(one.raw);
  Pinger pinger(two.raw);
  one.Start(echo);
  two.Start(pinger);
  Print("peer_round_trip_100B", pinger.WaitForTimes());
}

void MeasureAppend(const std::string& folder) {
  base::Metrics metrics;
  base::ThreadExecutor executor("replica");
  RocksLogStoreOptions options;
  options.folder = folder + "/bench_peer.log";
  auto store = RocksLogStore::Open(options, executor, base::SystemClock(), metrics);
  CHECK(store.ok(), "{}", store.status().ToString());
  std::vector<absl::Duration> times;
  for (int i = 0; i < kAppends; ++i) {
    Event done;
    const absl::Duration start = base::SystemClock().Monotonic();
    executor.Post([&] {
      PersistRequest request;
      if (i == 0) request.hard_state = raft::HardState{Term(1), ServerId(), raft::Standing::kVoter};
      request.entries.push_back(std::make_shared<const raft::Entry>(
          raft::Entry{Term(1), (*store)->LastIndex() + 1, raft::EntryType::kCommands,
                      std::string(100, 'x')}));
      (*store)->Persist(std::move(request), [&done](absl::Status status) {
        CHECK(status.ok());
        done.Set();
      });
    });
    done.Wait();
    times.push_back(base::SystemClock().Monotonic() - start);
  }
  executor.Stop();
  Print("log_append_1_entry_synced", std::move(times));
}

}  // namespace
}  // namespace bellwether::coord

int main(int argc, char** argv) {
  bellwether::coord::MeasureRoundTrip();
  bellwether::coord::MeasureAppend(argc > 1 ? argv[1] : ".");
  return 0;
}
