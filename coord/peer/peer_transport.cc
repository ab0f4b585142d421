#include "coord/peer/peer_transport.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/net/tcp.h"
#include "base/parse.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "coord/peer/convert.h"
#include "coord/peer/exchange.h"
#include "coord/peer/framed_exchange.h"
#include "coord/peer/grpc_exchange.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr absl::Duration kMaintenanceInterval = absl::Milliseconds(25);
constexpr absl::Duration kStableConnection = absl::Seconds(1);  // shorter ones don't reset backoff

// Two of each peer, and room for those that come again before their old ones were found out to be lost.
constexpr size_t kConnectionsMax = 256;

}  // namespace

class PeerTransport::Impl : public Exchange::Owner {
 public:
  Impl(const PeerTransportOptions& options, base::EventLoop& executor, base::Clock& clock,
       base::Metrics& metrics);

  absl::Status Listen();
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
  void OnDestroyed(const Exchange& exchange) override;

 private:
  // One of the two streams with a peer.
  struct Lane {
    // When this server dials or probes.
    bool dials = false;
    std::shared_ptr<Exchange> dialed;
    absl::Duration next_dial;
    absl::Duration backoff;
    absl::Duration connected_at = absl::InfiniteDuration();
    std::string last_error;
    // Shared with the operations under way.
    std::shared_ptr<Exchange> current;
  };
  struct Remote {
    PeerAddress address;
    base::HostPort dial_address;
    Lane main;
    Lane snapshots;
    uint64_t process_id = 0;
    bool only_probed = false;  // it dials this server
    base::Counter* sent = nullptr;
    base::Counter* dropped = nullptr;

    Lane& LaneFor(bool for_snapshots) { return for_snapshots ? snapshots : main; }
    std::array<Lane*, 2> Lanes() { return {&main, &snapshots}; }
  };
  struct Tracked {
    std::weak_ptr<Exchange> exchange;
    absl::Duration greeting_deadline;
  };

  void AddRemote(const PeerAddress& server);
  void Maintain();
  void ScheduleMaintenance();
  void OnAccepted(std::unique_ptr<base::Connection> connection);
  void TakeGrpc(int socket);
  void AcceptGrpc();
  GrpcPeers& Grpc();
  void Dial(const Remote& remote, Lane& lane, bool for_snapshots);
  void DialGrpc(const Remote& remote, Lane& lane, bool for_snapshots);
  FramedTiming Timing() const;
  void Track(const std::shared_ptr<Exchange>& exchange);
  std::vector<std::shared_ptr<Exchange>> Exchanges() const;
  GrpcPeers* StopOnExecutor();
  absl::Status CheckWho(const Exchange& exchange, const Hello& hello);
  absl::Status NotListed(ServerId server);
  // Whether it is another reason than the last time.
  bool LogsRefusal(ServerId peer, const absl::Status& why);
  absl::Status TakeStream(const std::shared_ptr<Exchange>& exchange, const Hello& hello,
                          std::shared_ptr<Exchange>& replaced);
  Remote* FindRemote(ServerId id);

  const PeerTransportOptions options_;
  base::EventLoop& executor_;
  base::Clock& clock_;
  base::Metrics& metrics_;
  uint16_t port_ = 0;

  // Until Stop; of the thread that calls Listen and Stop.
  std::unique_ptr<base::Listener> listener_;

  // Owned by the executor once it listens.
  Handler* handler_ = nullptr;
  bool stopping_ = false;
  std::vector<std::unique_ptr<base::Connection>> early_;  // accepted before Start
  std::map<ServerId, Remote> remotes_;
  std::map<ServerId, std::string> refusals_;  // since each was last connected
  std::map<const Exchange*, Tracked> exchanges_;  // all that live
  base::TimerId maintenance_ = 0;
  Hello hello_;
  std::unique_ptr<GrpcPeers> grpc_;  // since an older release was met

  // Set when it is stopping and the last exchange is gone; shared with the executor, which may be the
  // last to let go of it.
  const std::shared_ptr<base::Rendezvous<bool>> gone_ = base::Rendezvous<bool>::Make();
};

PeerTransport::Impl::Impl(const PeerTransportOptions& options, base::EventLoop& executor,
                          base::Clock& clock, base::Metrics& metrics)
    : options_(options), executor_(executor), clock_(clock), metrics_(metrics) {
  for (const PeerAddress& server : options_.servers) {
    if (server.id != options_.id) AddRemote(server);
  }
}

absl::Status PeerTransport::Impl::Listen() {
  ASSIGN_OR_RETURN(const base::HostPort address, base::ParseHostPort(options_.listen));
  base::Counter& refused = metrics_.AddCounter(
      "bell_peer_connections_refused_total", "Connections of peers refused: too many at a time.");
  ASSIGN_OR_RETURN(listener_, base::Listener::Open(
                                  address, std::vector<base::EventLoop*>{&executor_},
                                  kConnectionsMax, refused,
                                  [this](base::EventLoop&, auto connection) {
                                    OnAccepted(std::move(connection));
                                  }));
  port_ = listener_->address().port;
  return absl::OkStatus();
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
  const auto dial_address = base::ParseHostPort(server.address);
  if (dial_address.ok()) remote.dial_address = *dial_address;
  for (Lane* lane : remote.Lanes()) {
    lane->backoff = options_.redial_first;
    lane->dials = dial_address.ok() && !(remote.only_probed && lane == &remote.snapshots);
    if (remote.only_probed) lane->next_dial = clock_.Monotonic() + options_.probe_after;
  }
}

void PeerTransport::Impl::SetServers(std::vector<PeerAddress> servers) {
  if (stopping_) return;
  std::vector<std::shared_ptr<Exchange>> closed;
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
  for (const std::shared_ptr<Exchange>& exchange : closed) exchange->Close();
}

// --- Start and stop

void PeerTransport::Impl::Start(Hello hello, Handler& handler) {
  if (stopping_) return;
  hello_ = std::move(hello);
  handler_ = &handler;
  for (auto& connection : std::exchange(early_, {})) OnAccepted(std::move(connection));
  Maintain();
}

void PeerTransport::Impl::Stop() {
  if (listener_ == nullptr) return;
  listener_->Stop();
  const auto told = base::Rendezvous<GrpcPeers*>::Make();
  executor_.Post([this, told] { told->Set(StopOnExecutor()); });
  GrpcPeers* const grpc = told->Wait();
  if (grpc != nullptr) grpc->Shutdown();
  gone_->Wait();
  grpc_.reset();
  listener_.reset();
}

GrpcPeers* PeerTransport::Impl::StopOnExecutor() {
  stopping_ = true;
  executor_.Cancel(maintenance_);
  early_.clear();
  for (auto& [id, remote] : remotes_) {
    for (Lane* lane : remote.Lanes()) lane->current = lane->dialed = nullptr;
  }
  for (const std::shared_ptr<Exchange>& exchange : Exchanges()) exchange->Close();
  if (exchanges_.empty()) gone_->Set(true);
  return grpc_.get();
}

void PeerTransport::Impl::Track(const std::shared_ptr<Exchange>& exchange) {
  exchanges_[exchange.get()] = {exchange, clock_.Monotonic() + options_.hello_timeout};
}

void PeerTransport::Impl::OnDestroyed(const Exchange& exchange) {
  exchanges_.erase(&exchange);
  if (!stopping_ || !exchanges_.empty()) return;
  const auto gone = gone_;  // this is destroyed as soon as it is set
  gone->Set(true);
}

// Kept by who asks while it looks at them, as each may end meanwhile.
std::vector<std::shared_ptr<Exchange>> PeerTransport::Impl::Exchanges() const {
  std::vector<std::shared_ptr<Exchange>> all;
  for (const auto& [key, tracked] : exchanges_) {
    if (auto exchange = tracked.exchange.lock(); exchange != nullptr) {
      all.push_back(std::move(exchange));
    }
  }
  return all;
}

// --- Connecting

void PeerTransport::Impl::ScheduleMaintenance() {
  maintenance_ = executor_.RunAfter(kMaintenanceInterval, [this] { Maintain(); });
}

void PeerTransport::Impl::Maintain() {
  const absl::Duration now = clock_.Monotonic();
  for (const std::shared_ptr<Exchange>& exchange : Exchanges()) {
    Tracked& tracked = exchanges_[exchange.get()];
    if (exchange->peer() != ServerId()) tracked.greeting_deadline = absl::InfiniteDuration();
    if (now >= tracked.greeting_deadline) {
      exchange->Close();
    } else {
      exchange->Tick(now);
    }
  }
  for (auto& [id, remote] : remotes_) {
    for (Lane* lane : remote.Lanes()) {
      if (!lane->dials || lane->dialed != nullptr) continue;
      if (remote.only_probed && lane->current != nullptr) {
        lane->next_dial = now + options_.probe_after;
      }
      if (now >= lane->next_dial) Dial(remote, *lane, lane == &remote.snapshots);
    }
  }
  ScheduleMaintenance();
}

FramedTiming PeerTransport::Impl::Timing() const {
  return {.connect_timeout = options_.connect_timeout,
          .keepalive_interval = options_.keepalive_interval,
          .silence_max = 2 * options_.keepalive_interval + options_.keepalive_timeout};
}

void PeerTransport::Impl::Dial(const Remote& remote, Lane& lane, bool for_snapshots) {
  auto exchange = std::make_shared<FramedExchange>(*this, executor_, Timing(), remote.address.id);
  exchange->set_for_snapshots(for_snapshots);
  Track(exchange);
  lane.dialed = exchange;
  exchange->Dial(remote.dial_address);
}

void PeerTransport::Impl::OnAccepted(std::unique_ptr<base::Connection> connection) {
  if (stopping_) return;
  if (handler_ == nullptr) {
    early_.push_back(std::move(connection));
    return;
  }
  auto exchange = std::make_shared<FramedExchange>(*this, executor_, Timing(), ServerId());
  Track(exchange);
  exchange->Accept(std::move(connection), [this](int socket) { TakeGrpc(socket); });
}

// --- Peers of older releases

GrpcPeers& PeerTransport::Impl::Grpc() {
  if (grpc_ == nullptr) {
    grpc_ = std::make_unique<GrpcPeers>(
        executor_, GrpcPeers::Options{options_.connect_timeout, options_.keepalive_timeout});
    AcceptGrpc();
  }
  return *grpc_;
}

void PeerTransport::Impl::TakeGrpc(int socket) { Grpc().AddConnection(socket); }

// One stream waits at a time.
void PeerTransport::Impl::AcceptGrpc() {
  auto exchange = std::make_shared<AcceptedGrpcExchange>(
      *this, executor_, [this](const std::shared_ptr<AcceptedGrpcExchange>& came) {
        if (stopping_) return came->Close();
        Track(came);
        came->Open();
        AcceptGrpc();
      });
  exchanges_[exchange.get()] = {exchange, absl::InfiniteDuration()};
  exchange->Start(*grpc_);
}

void PeerTransport::Impl::DialGrpc(const Remote& remote, Lane& lane, bool for_snapshots) {
  auto exchange = std::make_shared<DialedGrpcExchange>(*this, executor_, remote.address.id);
  exchange->set_for_snapshots(for_snapshots);
  Track(exchange);
  lane.dialed = exchange;
  exchange->Start(Grpc(), remote.address.address);
}

// --- Who is who

PeerTransport::Impl::Remote* PeerTransport::Impl::FindRemote(ServerId id) {
  auto found = remotes_.find(id);
  return found == remotes_.end() ? nullptr : &found->second;
}

absl::Status PeerTransport::Impl::CheckWho(const Exchange& exchange, const Hello& hello) {
  const ServerId expected = exchange.expected();
  const bool dialed = expected != ServerId();
  if (dialed && !remotes_.contains(expected)) {
    return absl::CancelledError("no longer in the ensemble");
  }
  if (dialed && hello.server_id != expected) {
    return absl::FailedPreconditionError(
        fmt::format("server {} was expected at {}, server {} answers; check the --peer flags of "
                    "both",
                    expected, remotes_.at(expected).address.address, hello.server_id));
  }
  if (dialed && hello.for_snapshots != exchange.for_snapshots()) {
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
  if (!dialed && hello.server_id < options_.id) {
    return absl::CancelledError(  // a probe, and that is its answer
        fmt::format("server {} is dialled by server {}, not the other way", hello.server_id,
                    options_.id));
  }
  return absl::OkStatus();
}

// While an ensemble forms, both sides see each other's lists, and who is wrong stops.
absl::Status PeerTransport::Impl::NotListed(ServerId server) {
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
  Remote* const remote = FindRemote(peer);
  if (remote == nullptr) return;  // no longer a server
  Lane& lane = remote->LaneFor(exchange->for_snapshots());
  if (lane.current != exchange) return;  // replaced, and said so; or stopping
  lane.current = nullptr;
  if (!exchange->for_snapshots()) handler_->OnDisconnected(peer);
}

void PeerTransport::Impl::OnFinished(const std::shared_ptr<Exchange>& exchange,
                                     const absl::Status& status) {
  Remote* const found = FindRemote(exchange->expected());
  if (found == nullptr) return;  // opened by the peer, or no longer a server
  Remote& remote = *found;
  Lane& lane = remote.LaneFor(exchange->for_snapshots());
  if (lane.dialed != exchange) return;
  if (exchange->PeerSpeaksOtherwise()) {
    // Until that stream ends: the peer may be of another release then.
    return DialGrpc(remote, lane, exchange->for_snapshots());
  }
  lane.dialed = nullptr;
  const absl::Duration now = clock_.Monotonic();
  if (now - lane.connected_at > kStableConnection) lane.backoff = options_.redial_first;
  lane.connected_at = absl::InfiniteDuration();
  lane.next_dial = now + lane.backoff;
  lane.backoff = std::min(lane.backoff * 2, options_.redial_last);
  if (remote.only_probed) lane.next_dial = now + options_.probe_after;
  const std::string error(status.message());
  if (absl::IsNotFound(status) && !exchange->for_snapshots()) {
    handler_->OnRefused(remote.address.id);
  }
  if (error == std::exchange(lane.last_error, error) || remote.only_probed) return;
  if (exchange->for_snapshots()) return;  // the other stream says it
  LOG_WARN("peer not connected peer={} address={} reason=\"{}\"", remote.address.id,
           remote.address.address, error);
}

// --- Messages

v1::PeerFrame PeerTransport::Impl::HelloFrame(const Exchange& exchange) {
  v1::PeerFrame frame;
  Hello hello = hello_;
  hello.for_snapshots = exchange.for_snapshots();
  ToFrame(std::move(hello), frame);
  return frame;
}

void PeerTransport::Impl::UpdateHello(Hello hello) {
  hello_ = std::move(hello);
  for (const auto& [id, remote] : remotes_) {
    Exchange* const exchange = remote.main.current.get();
    if (exchange != nullptr) exchange->Send(HelloFrame(*exchange));
  }
}

void PeerTransport::Impl::Send(ServerId to, PeerMessage message) {
  Remote* remote = FindRemote(to);
  if (remote == nullptr) return;
  Exchange* const exchange = remote->LaneFor(IsOfSnapshots(message)).current.get();
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
    Remote* const remote = FindRemote(exchange->peer());
    if (remote == nullptr) return;  // no longer a server
    if (remote->LaneFor(for_snapshots).current != exchange) return;  // replaced, or stopping
    handler_->OnMessage(exchange->peer(), std::move(message));
  }
}

// --- PeerTransport

PeerTransport::PeerTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PeerTransport::~PeerTransport() { Stop(); }

absl::StatusOr<std::unique_ptr<PeerTransport>> PeerTransport::Listen(
    const PeerTransportOptions& options, base::EventLoop& executor, base::Clock& clock,
    base::Metrics& metrics) {
  auto impl = std::make_unique<Impl>(options, executor, clock, metrics);
  if (const absl::Status listening = impl->Listen(); !listening.ok()) {
    return base::Annotate(listening, "--listen-peer");
  }
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
