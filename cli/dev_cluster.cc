#include "cli/dev_cluster.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/random.h"
#include "base/status.h"
#include "cli/dev_process.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

constexpr absl::Duration kReadyTimeout = absl::Seconds(30);
constexpr absl::Duration kStopTimeout = absl::Seconds(20);
constexpr int kPortsPerServer = 4;
constexpr int kPortBlocksMax = 5;

bool PortIsFree(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int reuse = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return is_free;
}

// The first port of `count` free ones, below the range that outgoing connections use.
absl::StatusOr<uint16_t> FreeBlock(int count) {
  base::Random random(base::SystemRandom());
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int first = static_cast<int>(random.Between(10000, 32000 - count));
    bool all_free = true;
    for (int port = first; port < first + count && all_free; ++port) {
      all_free = PortIsFree(static_cast<uint16_t>(port));
    }
    if (all_free) return static_cast<uint16_t>(first);
  }
  return absl::UnavailableError(
      fmt::format("no {} free ports in a row below 32000; name a range with --port-base", count));
}

std::string Local(int port) { return fmt::format("127.0.0.1:{}", port); }

std::vector<DevServer> Servers(int coords, int brokers, uint16_t first_port) {
  std::vector<DevServer> servers;
  int port = first_port;
  const auto add = [&](std::string kind, int id) {
    DevServer server{.name = fmt::format("{}-{}", kind, id), .kind = kind, .id = id};
    server.grpc = Local(port);
    server.admin = Local(port + 1);
    if (kind == "coord") {
      server.peer = Local(port + 2);
      server.zk = Local(port + 3);
    }
    servers.push_back(std::move(server));
    port += kPortsPerServer;
  };
  for (int id = 1; id <= coords; ++id) add("coord", id);
  for (int id = 1; id <= brokers; ++id) add("broker", id);
  return servers;
}

}  // namespace

absl::StatusOr<DevCluster> DevCluster::Load(const std::string& dir) {
  std::error_code error;
  DevCluster cluster(std::filesystem::absolute(dir, error).lexically_normal().string());
  const std::string path = cluster.dir_ + "/cluster.json";
  auto text = base::ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        fmt::format("no cluster in '{}'; start one with `bell dev up`, or name its folder with "
                    "--dir",
                    cluster.dir_));
  }
  RETURN_IF_ERROR(text.status());
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto bad = [&path] {
    return absl::DataLossError(
        fmt::format("'{}' is not a cluster's description; remove the folder, or use another --dir",
                    path));
  };
  if (!json.is_object() || !json.contains("servers") || !json["servers"].is_array()) return bad();
  for (const auto& item : json["servers"]) {
    if (!item.is_object() || !item.value("grpc", nlohmann::json()).is_string() ||
        !item.value("admin", nlohmann::json()).is_string() ||
        !item.value("kind", nlohmann::json()).is_string() ||
        !item.value("id", nlohmann::json()).is_number_integer()) {
      return bad();
    }
    DevServer server{.kind = item["kind"], .id = item["id"], .grpc = item["grpc"]};
    server.name = fmt::format("{}-{}", server.kind, server.id);
    server.admin = item["admin"];
    if (item.value("peer", nlohmann::json()).is_string()) server.peer = item["peer"];
    if (item.value("zk", nlohmann::json()).is_string()) server.zk = item["zk"];
    cluster.servers_.push_back(std::move(server));
  }
  return cluster;
}

absl::StatusOr<DevCluster> DevCluster::LayOut(const std::string& dir, int coords, int brokers,
                                              uint16_t port_base) {
  auto existing = Load(dir);
  if (existing.ok()) {
    const auto shape = Servers(coords, brokers, 1);
    bool same = existing->servers_.size() == shape.size();
    for (size_t i = 0; same && i < shape.size(); ++i) {
      same = existing->servers_[i].name == shape[i].name;
    }
    if (!same) {
      return absl::FailedPreconditionError(
          fmt::format("'{}' holds a cluster with other servers; ask for the same numbers, or use "
                      "another --dir",
                      existing->dir_));
    }
    return existing;
  }
  if (!absl::IsNotFound(existing.status())) return existing.status();
  std::error_code error;
  DevCluster cluster(std::filesystem::absolute(dir, error).lexically_normal().string());
  if (port_base == 0) {
    RETURN_IF_ERROR(cluster.PickPorts(coords, brokers));
    cluster.may_move_ =
        std::none_of(cluster.servers_.begin(), cluster.servers_.end(), [&](const DevServer& server) {
          return std::filesystem::exists(cluster.FolderOf(server), error);
        });
  } else {
    cluster.servers_ = Servers(coords, brokers, port_base);
  }
  RETURN_IF_ERROR(cluster.Save());
  return cluster;
}

absl::Status DevCluster::PickPorts(int coords, int brokers) {
  ASSIGN_OR_RETURN(const uint16_t first_port, FreeBlock((coords + brokers) * kPortsPerServer));
  servers_ = Servers(coords, brokers, first_port);
  return absl::OkStatus();
}

absl::Status DevCluster::MoveToOtherPorts() {
  RETURN_IF_ERROR(Down());
  int coords = 0;
  for (const DevServer& server : servers_) {
    if (server.kind == "coord") ++coords;
    std::error_code error;
    std::filesystem::remove_all(FolderOf(server), error);
    if (error) return base::FileError("remove", FolderOf(server), error.value());
  }
  RETURN_IF_ERROR(PickPorts(coords, static_cast<int>(servers_.size()) - coords));
  return Save();
}

absl::Status DevCluster::Save() const {
  const auto text_or_null = [](const std::optional<std::string>& text) {
    return text.has_value() ? nlohmann::ordered_json(*text) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json json = {{"format", 1}, {"servers", nlohmann::ordered_json::array()}};
  for (const DevServer& server : servers_) {
    RETURN_IF_ERROR(base::CreateFolder(FolderOf(server)));
    nlohmann::ordered_json item = {{"kind", server.kind}, {"id", server.id}};
    item["grpc"] = server.grpc;
    item["admin"] = server.admin;
    item["peer"] = text_or_null(server.peer);
    item["zk"] = text_or_null(server.zk);
    json["servers"].push_back(std::move(item));
  }
  RETURN_IF_ERROR(base::WriteFileDurably(
      dir_ + "/env", fmt::format("export BELL_COORD={}\nexport BELL_BROKER={}\n",
                                 Addresses("coord"), Addresses("broker"))));
  return base::WriteFileDurably(dir_ + "/cluster.json", json.dump(1) + "\n");
}

std::optional<int> DevCluster::PidOf(const DevServer& server) const {
  return RunningServer(DataDir(server));
}

std::string DevCluster::FolderOf(const DevServer& server) const { return dir_ + "/" + server.name; }

std::string DevCluster::DataDir(const DevServer& server) const {
  return FolderOf(server) + "/data";
}

std::string DevCluster::LogFile(const DevServer& server) const { return FolderOf(server) + "/log"; }

std::string DevCluster::Addresses(const std::string& kind) const {
  std::vector<std::string> addresses;
  for (const DevServer& server : servers_) {
    if (server.kind == kind) addresses.push_back(server.grpc);
  }
  return absl::StrJoin(addresses, ",");
}

absl::StatusOr<const DevServer*> DevCluster::Find(const std::string& name) const {
  std::vector<std::string> names;
  for (const DevServer& server : servers_) {
    if (server.name == name) return &server;
    names.push_back(server.name);
  }
  return absl::NotFoundError(
      fmt::format("no server '{}' in '{}'; there are: {}", name, dir_, absl::StrJoin(names, ", ")));
}

std::vector<std::string> DevCluster::CommandOf(const DevServer& server) const {
  std::error_code error;
  const auto bin = std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
  std::vector<std::string> command = {
      fmt::format("{}/bell-{}", bin, server.kind), "--id",     std::to_string(server.id),
      "--data-dir",                                DataDir(server), "--listen", server.grpc,
      "--listen-admin",                            server.admin};
  if (server.kind == "broker") {
    command.insert(command.end(), {"--coord", Addresses("coord")});
    return command;
  }
  command.insert(command.end(), {"--listen-zk", server.zk.value_or("off")});
  for (const DevServer& other : servers_) {
    if (other.kind != "coord") continue;
    command.insert(command.end(), {"--peer", fmt::format("{}={}", other.id, *other.peer)});
  }
  return command;
}

absl::Status DevCluster::StartAll(const std::vector<const DevServer*>& wanted) {
  struct Started {
    const DevServer* server;
    pid_t pid;
    size_t log_offset;
  };
  std::vector<Started> started;
  for (const DevServer* server : wanted) {
    if (PidOf(*server).has_value()) continue;
    std::error_code error;
    const auto size = std::filesystem::file_size(LogFile(*server), error);
    ASSIGN_OR_RETURN(const pid_t pid, SpawnServer(CommandOf(*server), LogFile(*server)));
    started.push_back({server, pid, error ? 0 : static_cast<size_t>(size)});
  }
  for (const Started& one : started) {
    const absl::Status ready =
        WaitUntilReady(one.pid, LogFile(*one.server), one.log_offset, kReadyTimeout);
    if (!ready.ok()) return base::Annotate(ready, "cannot start " + one.server->name);
  }
  return absl::OkStatus();
}

absl::Status DevCluster::Up() {
  for (int attempt = 1;; ++attempt) {
    const absl::Status up = StartAndWait();
    const bool was_taken = absl::StrContains(up.message(), "cannot listen");
    if (!was_taken || !may_move_ || attempt == kPortBlocksMax) return up;
    RETURN_IF_ERROR(MoveToOtherPorts());
  }
}

absl::Status DevCluster::StartAndWait() {
  for (const std::string kind : {"coord", "broker"}) {
    std::vector<const DevServer*> wanted;
    for (const DevServer& server : servers_) {
      if (server.kind == kind) wanted.push_back(&server);
    }
    RETURN_IF_ERROR(StartAll(wanted));
    for (const DevServer* const server : wanted) {
      const absl::Status healthy = WaitUntilHealthy(server->admin, kReadyTimeout);
      if (!healthy.ok()) return base::Annotate(healthy, server->name);
    }
  }
  return absl::OkStatus();
}

absl::Status DevCluster::Start(const std::string& name) {
  ASSIGN_OR_RETURN(const DevServer* const server, Find(name));
  if (const auto pid = PidOf(*server)) {
    return absl::FailedPreconditionError(fmt::format("{} already runs as process {}", name, *pid));
  }
  return StartAll({server});
}

absl::Status DevCluster::Kill(const std::string& name, int signal) {
  ASSIGN_OR_RETURN(const DevServer* const server, Find(name));
  const auto pid = PidOf(*server);
  if (!pid.has_value()) {
    return absl::FailedPreconditionError(fmt::format("{} is not running", name));
  }
  return SignalAndWait(*pid, signal, kStopTimeout);
}

absl::Status DevCluster::StopAll(const std::string& kind) {
  std::vector<pid_t> pids;
  for (const DevServer& server : servers_) {
    if (server.kind != kind) continue;
    if (const auto pid = PidOf(server)) {
      kill(*pid, SIGCONT);  // one that is paused could not end
      kill(*pid, SIGTERM);
      pids.push_back(*pid);
    }
  }
  for (const pid_t pid : pids) {
    absl::Status status = SignalAndWait(pid, SIGTERM, kStopTimeout);
    if (absl::IsDeadlineExceeded(status)) status = SignalAndWait(pid, SIGKILL, kStopTimeout);
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return absl::OkStatus();
}

absl::Status DevCluster::Down() {
  RETURN_IF_ERROR(StopAll("broker"));
  return StopAll("coord");
}

}  // namespace bellwether::cli
