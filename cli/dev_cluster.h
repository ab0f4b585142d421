#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bellwether::cli {

// One server of a development cluster.
struct DevServer {
  std::string name;  // "coord-1", "broker-2"
  std::string kind;  // "coord", "broker"
  int id = 0;
  std::string grpc;                 // "127.0.0.1:PORT"
  std::optional<std::string> peer;  // coord only
  std::optional<std::string> zk;    // likewise; none in a cluster from before there was one
  std::string admin;

  friend bool operator==(const DevServer&, const DevServer&) = default;
};

// A cluster of real processes on this machine, kept in one folder: DIR/cluster.json says who there
// is, DIR/NAME/data and DIR/NAME/log are a server's, DIR/env is for `source`. Nothing of it lives
// in this process: every command finds the servers by the locks on their data folders.
class DevCluster {
 public:
  // A folder that `up` has made. NOT_FOUND when there is none there.
  static absl::StatusOr<DevCluster> Load(const std::string& dir);

  // Lays out a new cluster, or loads the one that is there (it must have as many servers).
  // `port_base` 0 picks a block of free ports; a new cluster's Up picks another one when one of
  // them was taken meanwhile.
  static absl::StatusOr<DevCluster> LayOut(const std::string& dir, int coords, int brokers,
                                           uint16_t port_base);

  // Starts what isn't running: coords first, together, then brokers; returns when the ensemble has
  // a leader and all are ready.
  absl::Status Up();

  // Ends all: brokers first, then coords. SIGTERM, and SIGKILL to what is there 20 s later.
  absl::Status Down();

  absl::Status Start(const std::string& name);
  absl::Status Kill(const std::string& name, int signal);

  const std::string& dir() const { return dir_; }
  const std::vector<DevServer>& servers() const { return servers_; }
  // nullopt: not running.
  std::optional<int> PidOf(const DevServer& server) const;
  std::string FolderOf(const DevServer& server) const;
  std::string DataDir(const DevServer& server) const;
  std::string LogFile(const DevServer& server) const;
  // All addresses of a kind, joined by ','.
  std::string Addresses(const std::string& kind) const;

 private:
  explicit DevCluster(std::string dir) : dir_(std::move(dir)) {}

  absl::Status StartAndWait();
  absl::Status PickPorts(int coords, int brokers);
  // Lays the cluster out anew, as if it had never been started.
  absl::Status MoveToOtherPorts();
  absl::Status Save() const;
  absl::StatusOr<const DevServer*> Find(const std::string& name) const;
  std::vector<std::string> CommandOf(const DevServer& server) const;
  // Starts those that aren't running and waits for all of them.
  absl::Status StartAll(const std::vector<const DevServer*>& wanted);
  absl::Status StopAll(const std::string& kind);

  const std::string dir_;
  std::vector<DevServer> servers_;
  bool may_move_ = false;  // nobody knows its ports yet, and there was nothing of it before
};

}  // namespace bellwether::cli
