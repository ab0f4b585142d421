#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/data_dir.h"
#include "base/http/server.h"
#include "base/metrics.h"
#include "base/thread_executor.h"
#include "broker/log/log_store.h"
#include "broker/metadata/cluster.h"
#include "broker/options.h"
#include "broker/rpc/rpc_server.h"
#include "broker/service/broker_service.h"
#include "broker/service/led_partitions.h"
#include "client/grpc_channel.h"

namespace bellwether::broker {

// A whole broker: makes the parts in order, connects them, and stops them in the opposite order.
// Owned by main. Threads: see broker/README.md.
class BrokerServer {
 public:
  struct Callbacks {
    // Once, when it is registered and knows the cluster; on the metadata executor.
    std::function<void(BrokerServer&)> on_ready;
    // The broker can't go on: disk failed, id taken, another ensemble. From any thread; the process
    // must end.
    std::function<void(const absl::Status&)> on_fatal;
  };

  // Opens the data, listens and begins to register; coord need not be there yet. Errors: those of
  // DataDir::Open, LogStore::Open and of addresses that can't be listened on.
  static absl::StatusOr<std::unique_ptr<BrokerServer>> Start(const BrokerServerOptions& options,
                                                             Callbacks callbacks);

  // Takes nothing new, finishes what is under way, deregisters.
  ~BrokerServer();

  // "id=1 grpc=127.0.0.1:9192 kafka=off admin=off data_dir=/x pid=78".
  std::string Describe() const;

 private:
  BrokerServer(const BrokerServerOptions& options, Callbacks callbacks);

  absl::Status OpenData();
  absl::Status RenewFolderWithoutLogs(const std::string& logs);
  void MakeCluster();
  absl::Status Listen();
  void OnView(std::shared_ptr<const ClusterView> view, BrokerEpoch epoch);
  void ScheduleRetention();
  std::vector<base::HealthCheck> CheckHealth() const;

  const BrokerServerOptions options_;
  const Callbacks callbacks_;
  const int64_t started_ms_;
  bool ready_ = false;  // on the metadata executor

  base::Metrics metrics_;
  std::unique_ptr<base::DataDir> data_dir_;
  std::unique_ptr<LogStore> store_;
  base::ThreadExecutor metadata_executor_{"metadata"};
  base::ThreadExecutor storage_executor_{"storage"};
  std::vector<std::unique_ptr<base::ThreadExecutor>> readers_;
  std::unique_ptr<LedPartitions> partitions_;
  std::unique_ptr<client::GrpcConnector> connector_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<BrokerService> service_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<base::HttpServer> admin_;
};

}  // namespace bellwether::broker
