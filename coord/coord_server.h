#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/data_dir.h"
#include "base/folder.h"
#include "base/http/server.h"
#include "base/metrics.h"
#include "base/net/event_loop.h"
#include "base/thread_executor.h"
#include "coord/options.h"
#include "coord/peer/peer_transport.h"
#include "coord/replica/replica.h"
#include "coord/rpc/grpc_server.h"
#include "coord/service/coord_service.h"
#include "coord/storage/file_snapshot_store.h"
#include "coord/storage/rocks_log_store.h"
#include "coord/zk/protocol.h"
#include "coord/zk/server.h"

namespace bellwether::coord {

// One coord server, put together: builds every part, hands each what it uses, and stops them in
// order. Contains no logic of its own. Owned by main.
class CoordServer {
 public:
  // Returns when clients can connect; the ensemble may still be electing. `on_fatal` is called, from
  // any thread and perhaps more than once, when the server can't go on: the process must then end.
  // Errors name the folder, file or address and the next step.
  static absl::StatusOr<std::unique_ptr<CoordServer>> Start(
      const CoordServerOptions& options, std::function<void(absl::Status)> on_fatal);

  // Finishes what is under way, for a bounded time, and stops.
  ~CoordServer();

  // "id=1 grpc=127.0.0.1:2191 ...": what the ready line says, with the real addresses.
  std::string Describe() const;

 private:
  explicit CoordServer(const CoordServerOptions& options) : options_(options) {}

  absl::Status OpenData();
  // Log and snapshots. When a part of them that this server can't do without is damaged, and there
  // are others to get it from, it becomes a server that lost its log (R22).
  absl::Status OpenLog();
  absl::StatusOr<std::unique_ptr<RocksLogStore>> OpenLogAt(const std::string& folder);
  absl::StatusOr<std::unique_ptr<RocksLogStore>> ReplaceLog(const std::string& folder,
                                                            const absl::Status& damage);
  void BuildService();
  absl::Status Listen();
  absl::Status ListenForPeers();
  absl::Status ListenForZooKeeper();
  void BuildReplica();
  // Where ZooKeeper's clients reach this server from elsewhere; empty: nowhere that is known.
  std::string ZooKeeperAddress() const;
  void HandOverLeadership();
  void Stop();

  void OnEnsembleId(base::Uuid ensemble_id);
  std::vector<base::HealthCheck> HealthChecks() const;

  const CoordServerOptions options_;
  std::function<void(absl::Status)> on_fatal_;

  // In the order of construction; each may use those above it.
  base::Metrics metrics_;
  std::unique_ptr<base::DataDir> data_dir_;
  std::vector<std::unique_ptr<base::EventLoop>> io_loops_;
  std::unique_ptr<base::EventLoop> replica_executor_;
  std::unique_ptr<base::ThreadExecutor> apply_executor_;
  std::unique_ptr<base::ThreadExecutor> snapshot_executor_;
  std::unique_ptr<base::ThreadExecutor> operations_executor_;
  std::unique_ptr<base::Folder> snapshot_folder_;
  std::unique_ptr<FileSnapshotStore> snapshot_store_;
  std::unique_ptr<RocksLogStore> log_store_;
  std::unique_ptr<Transport> no_peers_;            // one of the two
  std::unique_ptr<PeerTransport> peer_transport_;
  std::unique_ptr<CoordService> service_;
  std::unique_ptr<GrpcServer> grpc_server_;
  std::unique_ptr<zk::ProtocolContext> zk_context_;
  std::unique_ptr<zk::Server> zk_server_;
  std::unique_ptr<base::HttpServer> http_server_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<ReplicatedLog> replicated_log_;
};

}  // namespace bellwether::coord
