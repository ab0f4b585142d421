#include "coord/coord_server.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/net/tcp.h"
#include "base/random.h"
#include "base/status.h"
#include "coord/restore.h"
#include "coord/storage/set_aside.h"
#include "coord/timeouts.h"
#include "coord/zk/server_report.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// How long clients' calls may take to end when the server stops.
constexpr absl::Duration kStopGrace = absl::Seconds(2);

// How long handing over leadership may take, in election timeouts: more than it takes at most.
constexpr int kHandOverElections = 5;

// The servers of an ensemble take their snapshots at nearly the same time: where they share a machine,
// their heartbeats are not to wait for that.
constexpr double kSnapshotShare = 0.25;

// The transport of a single server.
class NoPeers : public Transport {
 public:
  void Start(Hello, Handler&) override {}
  void SetServers(std::vector<PeerAddress>) override {}
  void UpdateHello(Hello) override {}
  void Send(ServerId, PeerMessage) override {}
};

std::string AddressOrOff(const std::optional<base::HostPort>& address) {
  return address.has_value() ? address->ToString() : "off";
}

}  // namespace

absl::StatusOr<std::unique_ptr<CoordServer>> CoordServer::Start(
    const CoordServerOptions& options, std::function<void(absl::Status)> on_fatal) {
  std::unique_ptr<CoordServer> server(new CoordServer(options));
  server->on_fatal_ = std::move(on_fatal);
  RETURN_IF_ERROR(server->OpenData());
  RETURN_IF_ERROR(server->OpenLog());
  server->BuildService();
  RETURN_IF_ERROR(server->Listen());
  server->BuildReplica();
  server->service_->Start(*server->replicated_log_);
  server->replica_->Start();
  return server;
}

CoordServer::~CoordServer() { Stop(); }

absl::Status CoordServer::OpenData() {
  ASSIGN_OR_RETURN(data_dir_, base::DataDir::Open(options_.data_dir, "coord", options_.id));
  RETURN_IF_ERROR(CheckNotRestoring(*data_dir_));
  return absl::OkStatus();
}

absl::Status CoordServer::OpenLog() {
  for (size_t i = 0; i < options_.io_threads; ++i) {
    io_loops_.push_back(std::make_unique<base::EventLoop>(fmt::format("io-{}", i)));
  }
  replica_executor_ = std::make_unique<base::EventLoop>("replica");
  apply_executor_ = std::make_unique<base::ThreadExecutor>("apply");
  snapshot_executor_ = std::make_unique<base::ThreadExecutor>("snapshot");
  operations_executor_ = std::make_unique<base::ThreadExecutor>("operations");
  ASSIGN_OR_RETURN(snapshot_folder_, base::OpenFolder(data_dir_->File("snapshots")));
  ASSIGN_OR_RETURN(snapshot_store_, FileSnapshotStore::Open({}, *snapshot_folder_));
  for (const DamagedSnapshot& damaged : snapshot_store_->damaged()) {
    LOG_ERROR("snapshot is damaged and set aside id={} index={} file={} reason=\"{}\"", options_.id,
              damaged.index, damaged.path, damaged.why);
  }
  const std::string folder = data_dir_->File("raft");
  auto log = OpenLogAt(folder);
  if (absl::IsDataLoss(log.status()) && options_.Servers().size() > 1) {
    log = ReplaceLog(folder, log.status());
  }
  RETURN_IF_ERROR(log.status());
  log_store_ = *std::move(log);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RocksLogStore>> CoordServer::OpenLogAt(const std::string& folder) {
  RocksLogStoreOptions options;
  options.folder = folder;
  options.on_fatal = on_fatal_;
  ASSIGN_OR_RETURN(auto log, RocksLogStore::Open(options, *replica_executor_, base::SystemClock(),
                                                 metrics_));
  RETURN_IF_ERROR(CheckReaches(*snapshot_store_, *log, data_dir_->path()));
  return log;
}

// The folder's id first: it must be another one before the log is gone, or the log that the others
// send would hold a readmission of this folder from before, and this server would vote too early.
absl::StatusOr<std::unique_ptr<RocksLogStore>> CoordServer::ReplaceLog(const std::string& folder,
                                                                       const absl::Status& damage) {
  RETURN_IF_ERROR(data_dir_->RenewFolderId());
  ASSIGN_OR_RETURN(const std::string aside, SetLogAside(folder));
  LOG_ERROR("the log was damaged: it was set aside, and the others send it again id={} path={} "
            "damage=\"{}\"",
            options_.id, aside, damage);
  return OpenLogAt(folder);
}

void CoordServer::BuildService() {
  ServiceOptions service;
  service.server_id = options_.id;
  service.connections_max = options_.connections_max;
  service.watch_ring_changes_max = options_.watch_ring_changes;
  service.super_digest = options_.super_digest;
  service.tree_bytes_max = options_.tree_bytes_max;
  service.slow_request = options_.slow_request;
  ScaleTimeouts(base::TimeScale(), service);
  CoordService::Dependencies deps{
      .clock = base::SystemClock(),
      .replica_executor = *replica_executor_,
      .io_executors = {},
      .metrics = metrics_,
      .random = base::SystemRandom,
      .on_ensemble_id = [this](base::Uuid ensemble_id) { OnEnsembleId(ensemble_id); },
      .on_fatal = on_fatal_,
      .disk_free_bytes =
          [path = data_dir_->path()] { return base::FreeBytes(path).value_or(0); },
      .operations_executor = operations_executor_.get(),
  };
  for (const auto& loop : io_loops_) deps.io_executors.push_back(loop.get());
  service_ = std::make_unique<CoordService>(service, std::move(deps));
}

void CoordServer::BuildReplica() {
  ReplicaOptions replica;
  replica.id = ServerId(options_.id);
  replica.servers = options_.Servers();
  replica.grpc =
      options_.advertise.empty() ? grpc_server_->address().ToString() : options_.advertise;
  if (const absl::Status usable = CheckAdvertised(replica.grpc); !usable.ok()) {
    LOG_WARN("clients are told a wrong address; give with --advertise the one that they should use "
             "id={} address={} error=\"{}\"",
             options_.id, replica.grpc, usable);
  }
  replica.zk = ZooKeeperAddress();
  replica.folder_id = data_dir_->identity().folder_id;
  replica.feature_levels = kSupportedFeatureLevels;
  replica.election_timeout = options_.election_timeout;
  replica.heartbeat = replica.election_timeout / 3;
  replica.tick = replica.election_timeout / 15;
  replica.snapshot_entries = options_.snapshot_entries;
  replica.snapshot_share = kSnapshotShare;
  ScaleTimeouts(base::TimeScale(), replica);
  replica_ = std::make_unique<Replica>(
      replica, data_dir_->identity().ensemble_id,
      Replica::Dependencies{.log = *log_store_,
                            .snapshots = *snapshot_store_,
                            .transport = peer_transport_ != nullptr
                                             ? static_cast<Transport&>(*peer_transport_)
                                             : *no_peers_,
                            .state_machine = *service_,
                            .clock = base::SystemClock(),
                            .executor = *replica_executor_,
                            .apply_executor = *apply_executor_,
                            .snapshot_executor = *snapshot_executor_,
                            .metrics = metrics_,
                            .seed = base::SystemRandom(),
                            .on_fatal = on_fatal_});
  replicated_log_ = std::make_unique<ReplicaLog>(*replica_);
}

// At the host that is advertised, or that it listens at, or where its peers reach it.
std::string CoordServer::ZooKeeperAddress() const {
  if (zk_server_ == nullptr) return "";
  base::HostPort address = zk_server_->address();
  const auto use_host_of = [&address](const std::string& text) {
    const auto other = base::ParseHostPort(text);
    if (other.ok()) address.host = other->host;
  };
  if (!options_.advertise.empty()) {
    use_host_of(options_.advertise);
  } else if (address.IsAny()) {
    for (const PeerAddress& server : options_.Servers()) {
      if (server.id == ServerId(options_.id)) use_host_of(server.address);
    }
  }
  return address.IsAny() ? "" : address.ToString();
}

absl::Status CoordServer::ListenForPeers() {
  if (!options_.listen_peer.has_value()) {
    no_peers_ = std::make_unique<NoPeers>();
    return absl::OkStatus();
  }
  PeerTransportOptions peers;
  peers.id = ServerId(options_.id);
  peers.servers = options_.Servers();
  peers.listen = options_.listen_peer->ToString();
  ScaleTimeouts(base::TimeScale(), peers);
  ASSIGN_OR_RETURN(peer_transport_, PeerTransport::Listen(peers, *replica_executor_,
                                                          base::SystemClock(), metrics_));
  return absl::OkStatus();
}

absl::Status CoordServer::Listen() {
  GrpcServerOptions clients{.listen = options_.listen, .server_id = options_.id};
  ScaleTimeouts(base::TimeScale(), clients);
  auto grpc_server = GrpcServer::Open(clients, *service_);
  if (!grpc_server.ok()) {
    return base::Annotate(base::WhyNotListening(options_.listen, grpc_server.status()), "--listen");
  }
  grpc_server_ = *std::move(grpc_server);
  RETURN_IF_ERROR(ListenForPeers());
  RETURN_IF_ERROR(ListenForZooKeeper());
  if (options_.listen_admin.has_value()) {
    auto http_server = base::HttpServer::Open(
        *options_.listen_admin,
        base::AdminRoutes(metrics_, [this] { return HealthChecks(); }), metrics_);
    if (!http_server.ok()) return base::Annotate(http_server.status(), "--listen-admin");
    http_server_ = *std::move(http_server);
  }
  return absl::OkStatus();
}

absl::Status CoordServer::ListenForZooKeeper() {
  if (!options_.listen_zk.has_value()) return absl::OkStatus();
  const ServiceOptions limits;
  zk::ServerOptions clients{.listen = *options_.listen_zk, .words = options_.zk_words};
  clients.connections_max = options_.connections_max;
  clients.connections_per_address_max = options_.zk_connections_per_address;
  ScaleTimeouts(base::TimeScale(), clients);
  const zk::ReportSettings report{
      .clock = base::SystemClock(),
      .server_id = options_.id,
      .data_dir = data_dir_->File("snapshots"),
      .log_dir = data_dir_->File("raft"),
      .connections_per_address_max = options_.zk_connections_per_address,
      .session_timeout_min_ms = limits.session_timeout_min_ms,
      .session_timeout_max_ms = limits.session_timeout_max_ms,
      .started = base::SystemClock().Monotonic()};
  zk_context_ = std::make_unique<zk::ProtocolContext>(zk::ProtocolContext{
      .service = *service_, .clock = base::SystemClock(), .random = base::SystemRandom});
  zk::Server::Dependencies deps{
      .loops = {},
      .clock = base::SystemClock(),
      .metrics = metrics_,
      .make_protocol = [context = zk_context_.get()](
                           base::Executor& loop, zk::ClientAddress address,
                           std::shared_ptr<zk::TrafficFigures> traffic,
                           std::function<void()> wake) -> std::shared_ptr<zk::ByteProtocol> {
        return zk::Protocol::Create(*context, loop, std::move(address), std::move(traffic),
                                    std::move(wake));
      },
      .report = [this, report](std::string_view word) {
        return zk::ReportOf(*service_, report, word);
      }};
  for (const auto& loop : io_loops_) deps.loops.push_back(loop.get());
  auto server = zk::Server::Open(std::move(clients), std::move(deps));
  if (!server.ok()) return base::Annotate(server.status(), "--listen-zk");
  zk_server_ = *std::move(server);
  return absl::OkStatus();
}

void CoordServer::OnEnsembleId(base::Uuid ensemble_id) {
  const absl::Status status = data_dir_->SetEnsembleId(ensemble_id);
  if (!status.ok()) on_fatal_(status);
}

std::vector<base::HealthCheck> CoordServer::HealthChecks() const {
  return {{"quorum", service_->NotReadyReason()}};
}

std::string CoordServer::Describe() const {
  std::optional<base::HostPort> peer = options_.listen_peer;
  if (peer.has_value()) peer->port = peer_transport_->port();
  std::optional<base::HostPort> zookeeper;
  if (zk_server_ != nullptr) zookeeper = zk_server_->address();
  std::optional<base::HostPort> admin;
  if (http_server_ != nullptr) admin = http_server_->address();
  return fmt::format("id={} grpc={} peer={} zk={} admin={} data_dir={} pid={}", options_.id,
                     grpc_server_->address().ToString(), AddressOrOff(peer),
                     AddressOrOff(zookeeper), AddressOrOff(admin), options_.data_dir, getpid());
}

// Before anybody is turned away, so that the others' clients hardly notice.
void CoordServer::HandOverLeadership() {
  struct Handed {
    base::Mutex mutex;
    base::CondVar changed;
    bool done ABSL_GUARDED_BY(mutex) = false;
  };
  auto handed = std::make_shared<Handed>();  // shared with the callback, which may come too late
  replica_->HandOver([handed] {
    base::MutexLock lock(handed->mutex);
    handed->done = true;
    handed->changed.SignalAll();
  });
  const base::Clock& clock = base::SystemClock();
  const absl::Duration deadline =
      clock.Monotonic() + kHandOverElections * options_.election_timeout * base::TimeScale();
  base::MutexLock lock(handed->mutex);
  while (!handed->done && clock.Monotonic() < deadline) {
    handed->changed.WaitFor(handed->mutex, deadline - clock.Monotonic());
  }
}

// Clients first, while the log still commits what they have in flight; then the log; then the
// threads, so that nothing runs any more when the parts are destroyed.
void CoordServer::Stop() {
  if (replica_ != nullptr && peer_transport_ != nullptr) HandOverLeadership();
  if (service_ != nullptr) service_->Stop();
  if (zk_server_ != nullptr) zk_server_->Stop(kStopGrace * base::TimeScale());
  if (grpc_server_ != nullptr) grpc_server_->Shutdown(kStopGrace * base::TimeScale());
  http_server_.reset();
  if (replica_ != nullptr) replica_->Stop();
  if (peer_transport_ != nullptr) peer_transport_->Stop();
  if (replica_executor_ != nullptr) replica_executor_->Stop();
  if (snapshot_executor_ != nullptr) snapshot_executor_->Stop();
  if (operations_executor_ != nullptr) operations_executor_->Stop();
  if (apply_executor_ != nullptr) apply_executor_->Stop();
  for (const auto& loop : io_loops_) loop->Stop();
}

}  // namespace bellwether::coord
