#include "coord/peer/peer_transport.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "coord/peer/convert.h"
#include "coord/peer/exchange.h"
#include "coord/peer/grpc_exchange.h"
#include "fmt/format.h"
#include "grpc/support/time.h"
#include "grpcpp/alarm.h"

namespace bellwether::coord {
namespace {

constexpr absl::Duration kMaintenanceInterval = absl::Milliseconds(25);
constexpr absl::Duration kStableConnection = absl::Seconds(1);  // shorter ones don't reset backoff

// On gRPC's own clock, as its deadlines are.
gpr_timespec FromNow(absl::Duration duration) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(duration), GPR_TIMESPAN));
}

}  // namespace

class PeerTransport::Impl : public Exchange::Owner {
 public:
  Impl(const PeerTransportOptions& options, std::unique_ptr<PeerListener> listener,
       QueueExecutor& executor, base::Clock& clock, base::Metrics& metrics);

  void Start(Hello hello, Handler& handler);
  void SetServers(std::vector<PeerAddress> servers);
  void UpdateHello(Hello hello);
  void Send(ServerId to, PeerMessage message);
  void Stop();
  uint16_t port() const { return port_; }

  // Exchange::Owner
  v1::PeerFrame HelloFrame(const Exchange& exchange) override;
  absl::Status OnHello(const std::shared_ptr<Exchange>& exchange, Hello hello) override;
  void OnMessages(const std::shared_ptr<Exchange>& exchange,
                  std::vector<PeerMessage> messages) override;
  void OnEnded(const std::shared_ptr<Exchange>& exchange) override;
  void OnFinished(const std::shared_ptr<Exchange>& exchange, const absl::Status& status) override;
  void OnDestroyed() override;

 private:
  // One of the two streams with a peer.
  struct Lane {
    // When this server dials or probes; owned by the executor.
    std::unique_ptr<PeerChannel> channel;
    std::shared_ptr<DialedExchange> dialed;
    absl::Duration next_dial;
    absl::Duration backoff;
    absl::Duration connected_at = absl::InfiniteDuration();
    std::string last_error;
    // Guarded by mutex_ as Stop looks at it; shared with the operations under way.
    std::shared_ptr<Exchange> current;
  };
  struct Remote {
    PeerAddress address;
    Lane main;
    Lane snapshots;
    uint64_t process_id = 0;  // guarded by mutex_
    bool only_probed = false;  // it dials this server
    base::Counter* sent = nullptr;
    base::Counter* dropped = nullptr;

    Lane& LaneFor(bool for_snapshots) { return for_snapshots ? snapshots : main; }
    std::array<Lane*, 2> Lanes() { return {&main, &snapshots}; }
  };
  struct Greeting {
    std::weak_ptr<Exchange> exchange;
    absl::Duration deadline;
  };

  void AddRemote(const PeerAddress& server);
  void Maintain();
  void ScheduleMaintenance();
  void Accept();
  void Dial(const Remote& remote, Lane& lane, bool for_snapshots);
  bool IsConnected(const Lane& lane);
  void ExpectHello(const std::shared_ptr<Exchange>& exchange);
  absl::Status CheckWho(const Exchange& exchange, const Hello& hello);
  absl::Status NotListed(ServerId server);
  // Whether it is another reason than the last time.
  bool LogsRefusal(ServerId peer, const absl::Status& why);
  absl::Status TakeStream(const std::shared_ptr<Exchange>& exchange, const Hello& hello,
                          std::shared_ptr<Exchange>& replaced);
  Remote* FindRemote(ServerId id);

  const PeerTransportOptions options_;
  QueueExecutor& executor_;
  base::Clock& clock_;
  base::Metrics& metrics_;

  std::unique_ptr<PeerListener> listener_;  // until Stop
  const uint16_t port_;

  // Owned by the executor once started.
  Handler* handler_ = nullptr;
  std::map<ServerId, Remote> remotes_;  // changed under mutex_; fields guarded as said there
  std::map<ServerId, std::string> refusals_;  // since each was last connected
  std::vector<Greeting> greetings_;
  grpc::Alarm alarm_;
  CompletionTag alarm_tag_;

  base::Mutex mutex_;
  base::CondVar destroyed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  size_t exchanges_ ABSL_GUARDED_BY(mutex_) = 0;
  bool alarm_set_ ABSL_GUARDED_BY(mutex_) = false;
  Hello hello_ ABSL_GUARDED_BY(mutex_);
};

PeerTransport::Impl::Impl(const PeerTransportOptions& options,
                          std::unique_ptr<PeerListener> listener, QueueExecutor& executor,
                          base::Clock& clock, base::Metrics& metrics)
    : options_(options),
      executor_(executor),
      clock_(clock),
      metrics_(metrics),
      listener_(std::move(listener)),
      port_(listener_->port()),
      alarm_tag_([this](bool) { Maintain(); }) {
  for (const PeerAddress& server : options_.servers) {
    if (server.id != options_.id) AddRemote(server);
  }
}

void PeerTransport::Impl::AddRemote(const PeerAddress& server) {
  Remote& remote = remotes_[server.id];
  remote.address = server;
  remote.only_probed = server.id > options_.id;
  const std::string label = fmt::format("peer=\"{}\"", server.id);
  remote.sent =
      &metrics_.AddCounter("bell_peer_messages_sent_total", "Messages queued to a peer.", label);
  remote.dropped = &metrics_.AddCounter(
      "bell_peer_messages_dropped_total",
      "Messages to a peer lost: not connected, queue full, too large.", label);
  for (Lane* lane : remote.Lanes()) {
    lane->backoff = options_.redial_first;
    if (server.address.empty()) continue;
    if (remote.only_probed) {
      if (lane == &remote.snapshots) continue;
      lane->next_dial = clock_.Monotonic() + options_.probe_after;
    }
    lane->channel = std::make_unique<PeerChannel>(
        server.address, PeerChannel::Options{options_.redial_first, options_.redial_last,
                                             options_.connect_timeout, options_.keepalive_timeout});
  }
}

void PeerTransport::Impl::SetServers(std::vector<PeerAddress> servers) {
  std::vector<std::shared_ptr<Exchange>> closed;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    for (auto remote = remotes_.begin(); remote != remotes_.end();) {
      if (std::find(servers.begin(), servers.end(), remote->second.address) != servers.end()) {
        ++remote;
        continue;
      }
      for (Lane* lane : remote->second.Lanes()) {
        if (lane->dialed != nullptr) closed.push_back(lane->dialed);
        if (lane->current != nullptr) closed.push_back(lane->current);
      }
      remote = remotes_.erase(remote);
    }
    for (const PeerAddress& server : servers) {
      if (server.id != options_.id && !remotes_.contains(server.id)) AddRemote(server);
    }
  }
  for (const std::shared_ptr<Exchange>& exchange : closed) exchange->Close();
}

// --- Start and stop

void PeerTransport::Impl::Start(Hello hello, Handler& handler) {
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    hello_ = std::move(hello);
    handler_ = &handler;
  }
  Accept();
  ScheduleMaintenance();
}

void PeerTransport::Impl::Stop() {
  if (listener_ == nullptr) return;
  std::vector<std::shared_ptr<Exchange>> open;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [id, remote] : remotes_) {
      for (Lane* lane : remote.Lanes()) {
        if (lane->current != nullptr) open.push_back(std::move(lane->current));
        lane->current = nullptr;
      }
    }
  }
  for (const std::shared_ptr<Exchange>& exchange : open) exchange->Close();
  open.clear();
  listener_->Shutdown();
  {
    // The maintenance alarm closes what has not greeted yet, and then sets itself no more.
    base::MutexLock lock(mutex_);
    while (exchanges_ > 0 || alarm_set_) destroyed_.Wait(mutex_);
  }
  listener_.reset();
}

void PeerTransport::Impl::OnDestroyed() {
  base::MutexLock lock(mutex_);
  --exchanges_;
  destroyed_.SignalAll();
}

// --- Connecting

void PeerTransport::Impl::ScheduleMaintenance() {
  {
    base::MutexLock lock(mutex_);
    alarm_set_ = !stopping_ || !greetings_.empty();
    if (!alarm_set_) return destroyed_.SignalAll();
  }
  alarm_.Set(&executor_.queue(), FromNow(kMaintenanceInterval), alarm_tag_.Begin(nullptr));
}

void PeerTransport::Impl::Maintain() {
  bool stopping = false;
  {
    base::MutexLock lock(mutex_);
    stopping = stopping_;
  }
  const absl::Duration now = clock_.Monotonic();
  std::vector<Greeting> waiting;
  for (Greeting& greeting : greetings_) {
    std::shared_ptr<Exchange> exchange = greeting.exchange.lock();
    if (exchange == nullptr) continue;
    const bool greeted = exchange->peer() != ServerId();
    if (stopping || (!greeted && now >= greeting.deadline)) {
      exchange->Close();
    } else if (!greeted) {
      waiting.push_back(greeting);
    }
  }
  greetings_ = std::move(waiting);
  for (auto& [id, remote] : remotes_) {
    for (Lane* lane : remote.Lanes()) {
      if (stopping || lane->channel == nullptr || lane->dialed != nullptr) continue;
      if (remote.only_probed && IsConnected(*lane)) lane->next_dial = now + options_.probe_after;
      if (now >= lane->next_dial) Dial(remote, *lane, lane == &remote.snapshots);
    }
  }
  ScheduleMaintenance();
}

bool PeerTransport::Impl::IsConnected(const Lane& lane) {
  base::MutexLock lock(mutex_);
  return lane.current != nullptr;
}

void PeerTransport::Impl::ExpectHello(const std::shared_ptr<Exchange>& exchange) {
  greetings_.push_back({exchange, clock_.Monotonic() + options_.hello_timeout});
}

void PeerTransport::Impl::Dial(const Remote& remote, Lane& lane, bool for_snapshots) {
  auto exchange = std::make_shared<DialedExchange>(*this, remote.address.id);
  exchange->set_for_snapshots(for_snapshots);
  {
    base::MutexLock lock(mutex_);
    ++exchanges_;
  }
  lane.dialed = exchange;
  ExpectHello(exchange);
  exchange->Start(*lane.channel, executor_.queue());
}

void PeerTransport::Impl::Accept() {
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    ++exchanges_;
  }
  auto exchange =
      std::make_shared<AcceptedExchange>(*this, [this](std::shared_ptr<AcceptedExchange> came) {
        executor_.Post([this, came = std::move(came)] {
          ExpectHello(came);
          came->Open();
        });
        Accept();
      });
  exchange->Start(*listener_, executor_.queue());
}

PeerTransport::Impl::Remote* PeerTransport::Impl::FindRemote(ServerId id) {
  auto found = remotes_.find(id);
  return found == remotes_.end() ? nullptr : &found->second;
}

absl::Status PeerTransport::Impl::CheckWho(const Exchange& exchange, const Hello& hello) {
  const auto* dialed = dynamic_cast<const DialedExchange*>(&exchange);
  if (dialed != nullptr && !remotes_.contains(dialed->expected())) {
    return absl::CancelledError("no longer in the ensemble");
  }
  if (dialed != nullptr && hello.server_id != dialed->expected()) {
    return absl::FailedPreconditionError(
        fmt::format("server {} was expected at {}, server {} answers; check the --peer flags of "
                    "both",
                    dialed->expected(), remotes_.at(dialed->expected()).address.address,
                    hello.server_id));
  }
  if (dialed != nullptr && hello.for_snapshots != dialed->for_snapshots()) {
    return absl::FailedPreconditionError(
        fmt::format("server {} answers for another kind of stream than it was dialled for: it runs "
                    "an older release, which must be upgraded",
                    hello.server_id));
  }
  if (hello.server_id == options_.id) {
    return absl::AlreadyExistsError(fmt::format(
        "this is server {}: another server must have an --id of its own", options_.id));
  }
  if (!remotes_.contains(hello.server_id)) {
    return NotListed(hello.server_id);
  }
  if (dialed == nullptr && hello.server_id < options_.id) {
    return absl::CancelledError(  // a probe, and that is its answer
        fmt::format("server {} is dialled by server {}, not the other way", hello.server_id,
                    options_.id));
  }
  return absl::OkStatus();
}

// While an ensemble forms, both sides see each other's lists, and who is wrong stops.
absl::Status PeerTransport::Impl::NotListed(ServerId server) {
  base::MutexLock lock(mutex_);
  if (IsForming(hello_.folder)) {
    return absl::FailedPreconditionError(
        fmt::format("server {} is not in the ensemble list of server {}; give all servers the same "
                    "--peer flags",
                    server, options_.id));
  }
  return absl::NotFoundError(
      fmt::format("server {} is not in the ensemble, as server {} knows it; add it with `bell "
                  "cluster add {}=HOST:PORT`, or stop it",
                  server, options_.id, server));
}

bool PeerTransport::Impl::LogsRefusal(ServerId peer, const absl::Status& why) {
  std::string text = why.ToString();
  return std::exchange(refusals_[peer], text) != text;
}

// Makes `exchange` the stream of its kind with the peer.
absl::Status PeerTransport::Impl::TakeStream(const std::shared_ptr<Exchange>& exchange,
                                             const Hello& hello,
                                             std::shared_ptr<Exchange>& replaced) {
  Remote& remote = *FindRemote(hello.server_id);
  base::MutexLock lock(mutex_);
  if (stopping_) return absl::UnavailableError("stopping");
  const bool connected =
      remote.main.current != nullptr || remote.snapshots.current != nullptr;
  if (connected && remote.process_id != hello.process_id) {
    LOG_WARN("second process with the id of a connected server refused peer={}", hello.server_id);
    return absl::AlreadyExistsError(fmt::format(
        "another process is connected as server {}; stop one of the two", hello.server_id));
  }
  replaced = std::exchange(remote.LaneFor(exchange->for_snapshots()).current, exchange);
  remote.process_id = hello.process_id;
  return absl::OkStatus();
}

absl::Status PeerTransport::Impl::OnHello(const std::shared_ptr<Exchange>& exchange, Hello hello) {
  const ServerId peer = hello.server_id;
  if (absl::Status who = CheckWho(*exchange, hello); !who.ok()) {
    if (!absl::IsCancelled(who) && LogsRefusal(peer, who)) {
      LOG_WARN("peer refused peer={} reason=\"{}\"", peer, who);
    }
    return who;
  }
  const bool for_snapshots = hello.for_snapshots;
  exchange->set_for_snapshots(for_snapshots);
  std::shared_ptr<Exchange> replaced;
  RETURN_IF_ERROR(TakeStream(exchange, hello, replaced));
  refusals_.erase(peer);
  exchange->set_peer(peer);
  Lane& lane = FindRemote(peer)->LaneFor(for_snapshots);
  lane.connected_at = clock_.Monotonic();
  lane.last_error.clear();
  if (replaced != nullptr) {
    replaced->Close();
    if (!for_snapshots) handler_->OnDisconnected(peer);
  }
  if (!for_snapshots) handler_->OnConnected(hello);
  return absl::OkStatus();
}

void PeerTransport::Impl::OnEnded(const std::shared_ptr<Exchange>& exchange) {
  const ServerId peer = exchange->peer();
  {
    base::MutexLock lock(mutex_);
    Remote* const remote = FindRemote(peer);
    if (remote == nullptr) return;  // no longer a server
    Lane& lane = remote->LaneFor(exchange->for_snapshots());
    if (lane.current != exchange) return;  // replaced, and said so
    lane.current = nullptr;
  }
  if (!exchange->for_snapshots()) handler_->OnDisconnected(peer);
}

void PeerTransport::Impl::OnFinished(const std::shared_ptr<Exchange>& exchange,
                                     const absl::Status& status) {
  auto* dialed = dynamic_cast<DialedExchange*>(exchange.get());
  if (dialed == nullptr) return;
  Remote* const found = FindRemote(dialed->expected());
  if (found == nullptr) return;  // no longer a server
  Remote& remote = *found;
  Lane& lane = remote.LaneFor(exchange->for_snapshots());
  if (lane.dialed != exchange) return;
  lane.dialed = nullptr;
  const absl::Duration now = clock_.Monotonic();
  if (now - lane.connected_at > kStableConnection) lane.backoff = options_.redial_first;
  lane.connected_at = absl::InfiniteDuration();
  lane.next_dial = now + lane.backoff;
  lane.backoff = std::min(lane.backoff * 2, options_.redial_last);
  if (remote.only_probed) lane.next_dial = now + options_.probe_after;
  const std::string error(status.message());
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
  }
  if (absl::IsNotFound(status) && !exchange->for_snapshots()) {
    handler_->OnRefused(remote.address.id);
  }
  if (error == std::exchange(lane.last_error, error) || remote.only_probed) return;
  if (exchange->for_snapshots()) return;  // the other stream says it
  LOG_WARN("peer not connected peer={} address={} reason=\"{}\"", dialed->expected(),
           remote.address.address, error);
}

// --- Messages

v1::PeerFrame PeerTransport::Impl::HelloFrame(const Exchange& exchange) {
  v1::PeerFrame frame;
  base::MutexLock lock(mutex_);
  Hello hello = hello_;
  hello.for_snapshots = exchange.for_snapshots();
  ToFrame(std::move(hello), frame);
  return frame;
}

void PeerTransport::Impl::UpdateHello(Hello hello) {
  std::vector<std::shared_ptr<Exchange>> open;
  {
    base::MutexLock lock(mutex_);
    hello_ = std::move(hello);
    for (const auto& [id, remote] : remotes_) {
      if (remote.main.current != nullptr) open.push_back(remote.main.current);
    }
  }
  for (const std::shared_ptr<Exchange>& exchange : open) exchange->Send(HelloFrame(*exchange));
}

void PeerTransport::Impl::Send(ServerId to, PeerMessage message) {
  Remote* remote = FindRemote(to);
  if (remote == nullptr) return;
  std::shared_ptr<Exchange> exchange;
  {
    base::MutexLock lock(mutex_);
    exchange = remote->LaneFor(IsOfSnapshots(message)).current;
  }
  v1::PeerFrame frame;
  ToFrame(std::move(message), frame);
  if (exchange != nullptr && exchange->Send(std::move(frame))) {
    remote->sent->Add();
  } else {
    remote->dropped->Add();
  }
}

void PeerTransport::Impl::OnMessages(const std::shared_ptr<Exchange>& exchange,
                                     std::vector<PeerMessage> messages) {
  const bool for_snapshots = exchange->for_snapshots();
  for (PeerMessage& message : messages) {
    if (IsOfSnapshots(message) != for_snapshots) continue;  // its place is the other stream
    {
      base::MutexLock lock(mutex_);
      Remote* const remote = FindRemote(exchange->peer());
      if (remote == nullptr) return;  // no longer a server
      if (remote->LaneFor(for_snapshots).current != exchange) return;  // replaced, or stopping
    }
    handler_->OnMessage(exchange->peer(), std::move(message));
  }
}

// --- PeerTransport

PeerTransport::PeerTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PeerTransport::~PeerTransport() { Stop(); }

absl::StatusOr<std::unique_ptr<PeerTransport>> PeerTransport::Listen(
    const PeerTransportOptions& options, QueueExecutor& executor, base::Clock& clock,
    base::Metrics& metrics) {
  ASSIGN_OR_RETURN(std::unique_ptr<PeerListener> listener,
                   PeerListener::Listen(options.listen, options.keepalive_timeout));
  auto impl = std::make_unique<Impl>(options, std::move(listener), executor, clock, metrics);
  return std::unique_ptr<PeerTransport>(new PeerTransport(std::move(impl)));
}

uint16_t PeerTransport::port() const { return impl_->port(); }
void PeerTransport::Start(Hello hello, Handler& handler) { impl_->Start(std::move(hello), handler); }
void PeerTransport::SetServers(std::vector<PeerAddress> servers) {
  impl_->SetServers(std::move(servers));
}
void PeerTransport::UpdateHello(Hello hello) { impl_->UpdateHello(std::move(hello)); }
void PeerTransport::Send(ServerId to, PeerMessage message) { impl_->Send(to, std::move(message)); }
void PeerTransport::Stop() { impl_->Stop(); }

}  // namespace bellwether::coord
