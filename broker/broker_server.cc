#include "broker/broker_server.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/net/tcp.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr absl::Duration kDrainGrace = absl::Seconds(2);
constexpr absl::Duration kDeregisterTimeout = absl::Seconds(2);
constexpr char kLogFolder[] = "log";

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

}  // namespace

BrokerServer::BrokerServer(const BrokerServerOptions& options, Callbacks callbacks)
    : options_(options), callbacks_(std::move(callbacks)),
      started_ms_(base::SystemClock().WallMillis()) {}

absl::StatusOr<std::unique_ptr<BrokerServer>> BrokerServer::Start(
    const BrokerServerOptions& options, Callbacks callbacks) {
  std::unique_ptr<BrokerServer> server(new BrokerServer(options, std::move(callbacks)));
  RETURN_IF_ERROR(server->OpenData());
  server->MakeCluster();
  RETURN_IF_ERROR(server->Listen());
  server->ScheduleRetention();
  const std::string address = server->rpc_->address().ToString();
  server->cluster_->Start(options.advertise.empty() ? address : options.advertise);
  return server;
}

absl::Status BrokerServer::OpenData() {
  ASSIGN_OR_RETURN(data_dir_, base::DataDir::Open(options_.data_dir, "broker",
                                                  options_.id.value()));
  LogOptions log;
  log.path = data_dir_->File(kLogFolder);
  RETURN_IF_ERROR(RenewFolderWithoutLogs(log.path));
  log.metrics = &metrics_;
  log.clock = &base::SystemClock();
  log.on_fatal = callbacks_.on_fatal;
  log.slice_duration = options_.slice;
  ASSIGN_OR_RETURN(store_, LogStore::Open(std::move(log)));
  return absl::OkStatus();
}

// Partitions are led by folder id: with the old one, empty logs would take the place of those that
// are gone. The id first, and then the database: a crash in between must not leave the old id with
// an empty one. A folder that never knew its ensemble was never registered.
absl::Status BrokerServer::RenewFolderWithoutLogs(const std::string& logs) {
  if (data_dir_->identity().ensemble_id.IsNil()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool is_there, LogStore::IsAt(logs));
  if (is_there) return absl::OkStatus();
  const base::Uuid old = data_dir_->identity().folder_id;
  RETURN_IF_ERROR(data_dir_->RenewFolderId());
  LOG_ERROR("the logs of this data folder are gone: it counts as another folder, and partitions "
            "that were here stay offline; to have them back, stop this broker, put the logs back "
            "and the old folder_id into identity.json id={} logs={} old_folder_id={}",
            options_.id, logs, old.ToString());
  return absl::OkStatus();
}

void BrokerServer::MakeCluster() {
  partitions_ = std::make_unique<LedPartitions>(
      LedPartitions::Options{
          .self = options_.id,
          .folder_id = data_dir_->identity().folder_id,
          .confirm_deletion =
              [this](const DeletionRecord& record) {
                metadata_executor_.Post([this, record] { cluster_->ConfirmDeletion(record); });
              }},
      *store_, storage_executor_, metrics_);
  connector_ = std::make_unique<client::GrpcConnector>(metadata_executor_);
  ClusterOptions cluster;
  cluster.self.id = options_.id;
  cluster.self.host = HostName();
  cluster.self.pid = getpid();
  cluster.self.rack = options_.rack;
  cluster.self.started_ms = started_ms_;
  cluster.self.folder_id = data_dir_->identity().folder_id;
  cluster.coord = options_.coord;
  cluster.session_timeout = options_.session_timeout;
  cluster_ = std::make_unique<Cluster>(
      std::move(cluster),
      ClusterCallbacks{
          .on_ensemble =
              [this](base::Uuid ensemble_id) { return data_dir_->SetEnsembleId(ensemble_id); },
          .on_view = [this](std::shared_ptr<const ClusterView> view,
                            BrokerEpoch epoch) { OnView(std::move(view), epoch); },
          .on_fatal = callbacks_.on_fatal},
      metadata_executor_, base::SystemClock(), *connector_, metrics_);
  service_ = std::make_unique<BrokerService>(
      options_.limits, *partitions_, [this] { return cluster_->WithinDeadline(); }, metrics_);
}

absl::Status BrokerServer::Listen() {
  RpcServer::Parts parts;
  parts.self = options_.id;
  parts.service = service_.get();
  parts.cluster = cluster_.get();
  for (size_t i = 0; i < options_.io_threads; ++i) {
    readers_.push_back(std::make_unique<base::ThreadExecutor>(fmt::format("reader-{}", i)));
    parts.readers.push_back(readers_.back().get());
  }
  parts.clock = &base::SystemClock();
  parts.metrics = &metrics_;
  parts.disk_free_bytes = [path = data_dir_->path()] { return base::FreeBytes(path).value_or(0); };
  auto rpc = RpcServer::Start(options_.listen, std::move(parts));
  if (!rpc.ok()) {
    return base::Annotate(base::WhyNotListening(options_.listen, rpc.status()), "--listen");
  }
  rpc_ = *std::move(rpc);
  if (!options_.listen_admin) return absl::OkStatus();
  auto admin = base::HttpServer::Open(
      *options_.listen_admin, base::AdminRoutes(metrics_, [this] { return CheckHealth(); }),
      metrics_);
  if (!admin.ok()) return base::Annotate(admin.status(), "--listen-admin");
  admin_ = *std::move(admin);
  return absl::OkStatus();
}

void BrokerServer::OnView(std::shared_ptr<const ClusterView> view, BrokerEpoch epoch) {
  const bool complete = view->zxid() != Zxid() && epoch != BrokerEpoch();
  partitions_->OnView(std::move(view), epoch);
  if (complete && !std::exchange(ready_, true)) callbacks_.on_ready(*this);
}

void BrokerServer::ScheduleRetention() {
  const absl::Duration interval =
      std::min(options_.limits.retention_interval,
               options_.slice.value_or(options_.limits.retention_interval));
  storage_executor_.RunAfter(interval, [this] {
    const auto result = store_->RunRetention(base::SystemClock().Wall());
    if (!result.ok()) {
      LOG_WARN("retention not applied error={}", result.status());
    } else if (result->partitions_advanced > 0 || result->slices_dropped > 0) {
      LOG_INFO("retention partitions_advanced={} slices_dropped={}", result->partitions_advanced,
               result->slices_dropped);
    }
    ScheduleRetention();
  });
}

std::vector<base::HealthCheck> BrokerServer::CheckHealth() const {
  const bool registered = cluster_->epoch() != BrokerEpoch();
  return {{.name = "registered",
           .problem = registered ? "" : "not registered in coord; check that coord is ready"},
          {.name = "coord_session",
           .problem = cluster_->WithinDeadline() ? ""
                                                 : "no answer from coord within the session "
                                                   "timeout; produce with acks=all goes on"},
          {.name = "metadata",
           .problem = cluster_->view()->zxid() != Zxid() ? "" : "no view of the cluster yet"}};
}

std::string BrokerServer::Describe() const {
  return fmt::format("id={} grpc={} kafka=off admin={} data_dir={} pid={}", options_.id,
                     rpc_->address().ToString(),
                     admin_ == nullptr ? "off" : admin_->address().ToString(), options_.data_dir,
                     getpid());
}

BrokerServer::~BrokerServer() {
  // Clients first: what was acknowledged to them is durable; then the others are told.
  if (rpc_ != nullptr) rpc_->Stop(kDrainGrace);
  if (cluster_ != nullptr && rpc_ != nullptr) {
    base::Mutex mutex;
    base::CondVar changed;
    bool stopped = false;
    cluster_->Stop(kDeregisterTimeout, [&] {
      base::MutexLock lock(mutex);
      stopped = true;
      changed.SignalAll();
    });
    base::MutexLock lock(mutex);
    while (!stopped) changed.Wait(mutex);
  }
  admin_.reset();
  if (partitions_ != nullptr) partitions_->Stop();
  storage_executor_.Stop();
  if (store_ != nullptr) store_->Stop();
  metadata_executor_.Stop();
  for (const auto& reader : readers_) reader->Stop();
}

}  // namespace bellwether::broker
