#include "coord/zk/server.h"

#include <atomic>
#include <map>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/rendezvous.h"
#include "base/status.h"

namespace bellwether::coord::zk {
namespace {

// How often deadlines are looked at.
constexpr absl::Duration kSweepInterval = absl::Seconds(1);

// An IPv4 client of a socket for both families is one of IPv4 (Z50).
ClientAddress AddressOf(const std::string& remote) {
  constexpr std::string_view kMapped = "::ffff:";
  const auto parsed = base::ParseHostPort(remote);
  if (!parsed.ok()) return {.ip = remote, .endpoint = remote};
  base::HostPort address = *parsed;
  if (address.host.starts_with(kMapped) && address.host.find('.') != std::string::npos) {
    address.host.erase(0, kMapped.size());
  }
  return {.ip = address.host, .endpoint = address.ToString()};
}

}  // namespace

// What all clients of a server have in common. Thread-safe.
class Server::Common {
 public:
  Common(ServerOptions options, Dependencies deps)
      : options_(std::move(options)),
        deps_(std::move(deps)),
        refused_in_all_(Refused("all")),
        refused_of_address_(Refused("address")),
        late_handshake_(Late("handshake")),
        late_output_(Late("output")),
        connections_(deps_.metrics.AddGauge("bell_zk_connections", "ZooKeeper connections")) {}

  const ServerOptions& options() const { return options_; }
  const Dependencies& deps() const { return deps_; }
  base::Counter& refused_in_all() { return refused_in_all_; }

  void SetPort(uint16_t port) { port_ = port; }
  uint16_t port() const { return port_; }

  // False, and counted, when there are too many from the address.
  bool Admit(const std::string& ip) {
    base::MutexLock lock(mutex_);
    const size_t max = options_.connections_per_address_max;
    size_t& count = count_of_[ip];
    if (max != 0 && count >= max) {
      refused_of_address_.Add();
      return false;
    }
    ++count;
    ++count_;
    connections_.Add(1);
    return true;
  }

  void Leave(const std::string& ip) {
    base::MutexLock lock(mutex_);
    const auto found = count_of_.find(ip);
    if (--found->second == 0) count_of_.erase(found);
    connections_.Add(-1);
    if (--count_ == 0) empty_.SignalAll();
  }

  void CountLate(ClientSocket::Overdue overdue) {
    if (overdue == ClientSocket::Overdue::kHandshake) late_handshake_.Add();
    if (overdue == ClientSocket::Overdue::kOutput) late_output_.Add();
  }

  // Until all are gone, at most for `timeout`.
  void WaitUntilEmpty(absl::Duration timeout) {
    const absl::Duration deadline = deps_.clock.Monotonic() + timeout;
    base::MutexLock lock(mutex_);
    while (count_ > 0) {
      const absl::Duration left = deadline - deps_.clock.Monotonic();
      if (left <= absl::ZeroDuration()) return;
      empty_.WaitFor(mutex_, left);
    }
  }

 private:
  base::Counter& Refused(std::string_view limit) {
    return deps_.metrics.AddCounter("bell_zk_connections_refused_total",
                                    "ZooKeeper connections closed because there were too many",
                                    "limit=\"" + std::string(limit) + "\"");
  }
  base::Counter& Late(std::string_view step) {
    return deps_.metrics.AddCounter("bell_zk_connections_late_total",
                                    "ZooKeeper connections closed because the client was too slow",
                                    "step=\"" + std::string(step) + "\"");
  }

  const ServerOptions options_;
  const Dependencies deps_;
  base::Counter& refused_in_all_;
  base::Counter& refused_of_address_;
  base::Counter& late_handshake_;
  base::Counter& late_output_;
  base::Gauge& connections_;
  std::atomic<uint16_t> port_ = 0;

  base::Mutex mutex_;
  base::CondVar empty_;
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, size_t> count_of_ ABSL_GUARDED_BY(mutex_);
};

// The clients of one loop. Shared with what of it is posted; all on the loop but the constructor.
class Server::ClientLoop : public ClientSocket::Host,
                           public std::enable_shared_from_this<ClientLoop> {
 public:
  ClientLoop(std::shared_ptr<Common> common, base::EventLoop& loop)
      : common_(std::move(common)), loop_(loop) {}

  base::EventLoop& loop() { return loop_; }

  // Once, before there are clients. The loops that a word has to ask, this one too.
  void Start(const std::vector<std::shared_ptr<ClientLoop>>& all) {
    all_.assign(all.begin(), all.end());
    SweepLater();
  }

  void Accept(std::unique_ptr<base::Connection> connection) {
    if (stopping_) return;
    const ClientAddress address = AddressOf(connection->remote());
    if (!common_->Admit(address.ip)) {
      LOG_DEBUG("too many connections of one address, refused address={}", address.endpoint);
      return;
    }
    const auto socket =
        std::make_shared<ClientSocket>(++last_number_, std::move(connection), address, *this,
                                       loop_, common_->deps().clock);
    sockets_.emplace(socket->number(), socket);
    socket->Start();
  }

  // Takes no more, and closes those that wait for their client to say what it wants.
  void Refuse() {
    stopping_ = true;
    CloseIf([](const ClientSocket& socket) { return socket.is_idle(); });
  }

  void CloseAll() {
    stopping_ = true;
    CloseIf([](const ClientSocket&) { return true; });
    if (sweep_timer_ != 0) loop_.Cancel(std::exchange(sweep_timer_, 0));
  }

  // ClientSocket::Host.
  std::shared_ptr<ByteProtocol> MakeProtocol(const ClientAddress& address,
                                             std::function<void()> wake) override {
    return common_->deps().make_protocol(loop_, address, traffic_, std::move(wake));
  }

  void AskWord(std::string_view word, std::function<void(std::string)> done) override;

  void OnClosed(ClientSocket& socket) override {
    common_->Leave(socket.address().ip);
    sockets_.erase(socket.number());
  }

 private:
  // The answers of the loops to one word, gathered on the loop that asked.
  struct Gathering {
    ClientsReport clients;
    size_t loops_left = 0;
  };

  template <typename Condition>
  void CloseIf(Condition condition) {
    std::vector<std::shared_ptr<ClientSocket>> chosen;
    for (const auto& [number, socket] : sockets_) {
      if (condition(*socket)) chosen.push_back(socket);
    }
    for (const auto& socket : chosen) socket->Close();
  }

  void SweepLater() {
    sweep_timer_ = loop_.RunAfter(kSweepInterval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Sweep();
    });
  }

  void Sweep() {
    CloseIf([this](const ClientSocket& socket) {
      const auto overdue = socket.CheckDeadlines(common_->options().timeouts);
      common_->CountLate(overdue);
      return overdue != ClientSocket::Overdue::kNothing;
    });
    SweepLater();
  }

  // What this loop has to say to a word; resets what the word asks to reset.
  ClientsReport ReportFor(std::string_view word) {
    if (word == "crst") {
      for (const auto& [number, socket] : sockets_) socket->ResetFigures();
    }
    if (word == "srst") *traffic_ = {};
    ClientsReport report{.clients = {}, .traffic = *traffic_};
    for (const auto& [number, socket] : sockets_) {
      if (!socket->is_lingering()) report.clients.push_back(socket->Info());
    }
    return report;
  }

  void OnReport(const std::string& word, const ClientsReport& report, Gathering& gathering,
                const std::function<void(std::string)>& done) {
    auto& clients = gathering.clients.clients;
    clients.insert(clients.end(), report.clients.begin(), report.clients.end());
    gathering.clients.traffic.Merge(report.traffic);
    if (--gathering.loops_left > 0) return;
    ServerReport server = common_->deps().report(word);
    server.port = common_->port();
    done(AnswerTo(word, server, gathering.clients));
  }

  const std::shared_ptr<Common> common_;
  base::EventLoop& loop_;
  const std::shared_ptr<TrafficFigures> traffic_ = std::make_shared<TrafficFigures>();
  std::vector<std::weak_ptr<ClientLoop>> all_;
  std::map<uint64_t, std::shared_ptr<ClientSocket>> sockets_;  // by number: in the order of coming
  uint64_t last_number_ = 0;
  base::TimerId sweep_timer_ = 0;
  bool stopping_ = false;
};

void Server::ClientLoop::AskWord(std::string_view word, std::function<void(std::string)> done) {
  if (!common_->options().words.Allows(word)) {
    loop_.Post([done = std::move(done), word = std::string(word)] { done(NotOnTheList(word)); });
    return;
  }
  // Both shared with the tasks of the loops.
  const auto gathering = std::make_shared<Gathering>();
  const auto shared_done = std::make_shared<std::function<void(std::string)>>(std::move(done));
  gathering->loops_left = all_.size();
  for (const auto& weak : all_) {
    const auto other = weak.lock();
    if (other == nullptr) return;  // the server is being destroyed
    other->loop().Post([other, asker = shared_from_this(), gathering, shared_done,
                        word = std::string(word)] {
      asker->loop().Post([asker, gathering, shared_done, word, report = other->ReportFor(word)] {
        asker->OnReport(word, report, *gathering, *shared_done);
      });
    });
  }
}

absl::StatusOr<std::unique_ptr<Server>> Server::Open(ServerOptions options, Dependencies deps) {
  auto common = std::make_shared<Common>(std::move(options), std::move(deps));
  std::unique_ptr<Server> server(new Server(common));  // private constructor
  for (base::EventLoop* const loop : common->deps().loops) {
    server->loops_.push_back(std::make_shared<ClientLoop>(common, *loop));
  }
  server->RunOnLoops([&started = server->loops_](ClientLoop& loop) { loop.Start(started); });
  const std::vector<std::weak_ptr<ClientLoop>> all(server->loops_.begin(), server->loops_.end());
  const auto accept = [all](base::EventLoop& loop, std::unique_ptr<base::Connection> connection) {
    for (const auto& weak : all) {
      const auto candidate = weak.lock();
      if (candidate == nullptr || &candidate->loop() != &loop) continue;
      return candidate->Accept(std::move(connection));
    }
  };
  ASSIGN_OR_RETURN(server->listener_,
                   base::Listener::Open(common->options().listen, common->deps().loops,
                                        common->options().connections_max,
                                        common->refused_in_all(), accept));
  common->SetPort(server->address().port);
  return server;
}

Server::~Server() { Stop(absl::ZeroDuration()); }

void Server::Stop(absl::Duration grace) {
  if (std::exchange(stopped_, true)) return;
  if (listener_ != nullptr) listener_->Stop();
  RunOnLoops([](ClientLoop& loop) { loop.Refuse(); });
  common_->WaitUntilEmpty(grace);
  RunOnLoops([](ClientLoop& loop) { loop.CloseAll(); });
}

// A loop that has stopped drops its task, and counts as one that has run it.
void Server::RunOnLoops(const std::function<void(ClientLoop&)>& action) {
  const auto all_ran = base::Rendezvous<bool>::Make();
  // Shared by the tasks: gone when the last of them is.
  std::shared_ptr<void> tasks(nullptr, [all_ran](void*) { all_ran->Set(true); });
  for (const auto& loop : loops_) {
    loop->loop().Post([loop, tasks, &action] { action(*loop); });
  }
  tasks.reset();
  all_ran->Wait();
}

}  // namespace bellwether::coord::zk
