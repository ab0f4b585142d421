#include "cli/cluster_report.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "base/thread_executor.h"
#include "cli/context.h"
#include "cli/stored_cluster.h"
#include "client/admin.h"
#include "client/coord.h"
#include "client/coord_client.h"
#include "client/grpc_channel.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using BrokerAnswers = std::map<client::BrokerId, absl::StatusOr<client::BrokerStatus>>;
using Json = nlohmann::ordered_json;
using client::ServerStatus;

constexpr uint64_t kDiskLowBytes = 256 << 20;
constexpr absl::Duration kServerTimeout = absl::Seconds(2);  // of one that is asked how it is

// Asks servers, up or not, at the same time.
class Servers {
 public:
  explicit Servers(std::vector<std::string> addresses)
      : executor_("status"),
        connector_(executor_),
        client_(std::make_unique<client::CoordClient>(
            client::CoordOptions{.addresses = std::move(addresses)}, executor_,
            base::SystemClock(), connector_)) {}
  ~Servers() {
    executor_.Stop();
    client_.reset();
  }

  std::vector<absl::StatusOr<ServerStatus>> Ask(const std::vector<std::string>& addresses,
                                                absl::Duration timeout) {
    using Answer = base::Rendezvous<absl::StatusOr<ServerStatus>>;
    std::vector<std::shared_ptr<Answer>> waiting;
    for (const std::string& address : addresses) {
      auto answer = Answer::Make();
      waiting.push_back(answer);
      executor_.Post([this, address, timeout, answer] {
        client_->Status(address, timeout, [answer](auto status) { answer->Set(std::move(status)); });
      });
    }
    std::vector<absl::StatusOr<ServerStatus>> answers;
    for (const auto& answer : waiting) answers.push_back(answer->Wait());
    return answers;
  }

 private:
  base::ThreadExecutor executor_;
  client::GrpcConnector connector_;
  std::unique_ptr<client::CoordClient> client_;  // used on the executor
};

// What the registered brokers say of themselves.
BrokerAnswers AskBrokers(const client::ClusterInfo& cluster, absl::Duration timeout) {
  std::vector<client::BrokerId> ids;
  client::Admin::Options options{.timeout = timeout};
  for (const client::BrokerInfo& broker : cluster.brokers) {
    if (broker.grpc.empty()) continue;
    ids.push_back(broker.id);
    options.addresses.push_back(broker.grpc);
  }
  BrokerAnswers answers;
  if (ids.empty()) return answers;
  const std::vector<std::string> addresses = options.addresses;
  auto statuses = client::Admin::Create(std::move(options))->StatusOf(addresses);
  for (size_t i = 0; i < ids.size(); ++i) answers.emplace(ids[i], std::move(statuses[i]));
  return answers;
}

const char* RoleName(client::ServerRole role) {
  switch (role) {
    case client::ServerRole::kLeader:
      return "leader";
    case client::ServerRole::kCandidate:
      return "candidate";
    case client::ServerRole::kLearner:
      return "learner";
    default:
      return "follower";
  }
}

class Report {
 public:
  void Problem(std::string code, std::string object, std::string why, std::string fix) {
    problems_.push_back({{"code", code}, {"object", object}, {"why", why}, {"fix", fix}});
  }

  // `statuses` by server id; `known` names all servers of the ensemble.
  void AddCoord(const std::vector<client::ServerPeer>& known,
                const std::map<uint32_t, ServerStatus>& statuses) {
    uint64_t newest = 0, term = 0, leader = 0;
    for (const auto& entry : statuses) {
      newest = std::max(newest, entry.second.commit_index);
      if (entry.second.role == client::ServerRole::kLeader && entry.second.term >= term) {
        leader = entry.first;
      }
      term = std::max(term, entry.second.term);
    }
    const ServerStatus& any = statuses.begin()->second;
    coord_["ensemble_id"] =
        any.ensemble_id.IsNil() ? Json(nullptr) : Json(any.ensemble_id.ToString());
    coord_["leader_id"] = leader == 0 ? Json(nullptr) : Json(leader);
    coord_["term"] = term;
    coord_["servers"] = Json::array();
    std::set<std::string> versions;
    for (const client::ServerPeer& peer : known) {
      const auto status = statuses.find(peer.id);
      coord_["servers"].push_back(
          Server(peer, status == statuses.end() ? nullptr : &status->second, newest));
      if (status == statuses.end()) continue;
      versions.insert(fmt::format("{} ({})", status->second.version, status->second.revision));
    }
    if (leader == 0) {
      Problem("no_leader", "coord", "the ensemble has no leader",
              "start enough servers for a majority");
    }
    if (versions.size() > 1) {
      Problem("version_mixed", "coord", fmt::format("versions {}", fmt::join(versions, ", ")),
              "install one release on all servers, then see `bell cluster upgrade`");
    }
  }

  bool has_leader() const { return !coord_["leader_id"].is_null(); }

  void AddBrokers(const client::ClusterInfo& cluster, const BrokerAnswers& answers) {
    if (cluster.controller_id.value() >= 0) controller_id_ = cluster.controller_id.value();
    if (cluster.controller_epoch > 0) controller_epoch_ = cluster.controller_epoch;
    for (const client::BrokerInfo& broker : cluster.brokers) {
      const auto answer = answers.find(broker.id);
      AddBroker(broker, answer == answers.end() ? nullptr : &answer->second);
    }
    for (const client::TopicInfo& topic : cluster.topics) {
      for (const client::PartitionInfo& partition : topic.partitions) {
        AddPartition(topic, partition);
      }
    }
  }

  Json Finish() const {
    Json report = {{"healthy", problems_.empty()}, {"problems", problems_}, {"coord", coord_}};
    report["brokers"] = {{"controller_id", controller_id_},
                         {"controller_epoch", controller_epoch_},
                         {"up", up_},
                         {"down", down_}};
    report["partitions"] = {{"total", total_},
                            {"online", total_ - offline_},
                            {"offline", offline_},
                            {"under_replicated", under_replicated_}};
    return report;
  }

 private:
  // `answer` is null when it wasn't asked, for lack of an address.
  void AddBroker(const client::BrokerInfo& broker,
                 const absl::StatusOr<client::BrokerStatus>* answer) {
    const std::string name = fmt::format("broker-{}", broker.id);
    if (!broker.up) {
      down_.insert(broker.id.value());
      return Problem("broker_down", name, "it holds partitions and isn't registered", "start it");
    }
    // One of an earlier release is there as well, and can't say more.
    const bool is_earlier = answer != nullptr && absl::IsUnimplemented(answer->status());
    const bool is_itself = answer != nullptr && answer->ok() && (*answer)->id == broker.id;
    if (!is_earlier && !is_itself) {
      down_.insert(broker.id.value());
      return Problem("broker_down", name,
                     fmt::format("it is registered and doesn't answer at '{}'", broker.grpc),
                     "start it, or check the network");
    }
    up_.insert(broker.id.value());
    if (is_itself) CheckDisk(name, (*answer)->disk_free_bytes);
  }

  void CheckDisk(const std::string& name, uint64_t free_bytes) {
    if (free_bytes >= kDiskLowBytes) return;
    Problem("disk_low", name, fmt::format("{} bytes are free on its disk", free_bytes),
            "free some space");
  }

  Json Server(const client::ServerPeer& peer, const ServerStatus* status, uint64_t newest) {
    Json server = {{"id", peer.id}};
    const auto address = [status](const std::string& text) {
      return status == nullptr || text.empty() ? Json(nullptr) : Json(text);
    };
    server["grpc"] = address(peer.grpc);
    server["peer"] = address(peer.peer);
    server["state"] = status == nullptr ? "down" : "up";
    if (status == nullptr) {
      for (const char* const field : {"role", "term", "commit_index", "applied_index", "zxid",
                                      "lag", "digest", "log_bytes", "version"}) {
        server[field] = nullptr;
      }
      Problem("server_down", fmt::format("coord-{}", peer.id),
              fmt::format("it doesn't answer (peer address {})", peer.peer),
              "start it, or check the network");
      return server;
    }
    server["role"] = RoleName(status->role);
    server["term"] = status->term;
    server["commit_index"] = status->commit_index;
    server["applied_index"] = status->applied_index;
    server["zxid"] = status->zxid.value();
    server["lag"] = newest - std::min(newest, status->applied_index);
    server["digest"] = fmt::format("{:#018x}", status->digest);
    server["log_bytes"] = status->log_bytes;
    server["version"] = status->version;
    CheckDisk(fmt::format("coord-{}", peer.id), status->disk_free_bytes);
    return server;
  }

  void AddPartition(const client::TopicInfo& topic, const client::PartitionInfo& partition) {
    const std::string name = fmt::format("{}/{}", topic.name, partition.partition);
    ++total_;
    if (!up_.contains(partition.leader.value())) {
      ++offline_;
      std::vector<int32_t> replicas;
      for (const client::BrokerId id : partition.replicas) replicas.push_back(id.value());
      Problem("partition_offline", name,
              partition.leader.value() < 0
                  ? "no replica is available"
                  : fmt::format("its leader, broker {}, doesn't answer", partition.leader),
              fmt::format("start broker {}", fmt::join(replicas, " or ")));
    } else if (partition.isr.size() < partition.replicas.size()) {
      ++under_replicated_;
      Problem("partition_under_replicated", name, "not all replicas are in sync",
              "start the brokers that are down");
    }
  }

  Json problems_ = Json::array();
  Json coord_;
  Json controller_id_ = nullptr;
  Json controller_epoch_ = nullptr;
  std::set<int32_t> up_;
  std::set<int32_t> down_;
  int total_ = 0;
  int offline_ = 0;
  int under_replicated_ = 0;
};

// The newest state if coord can tell, else that of any server that is up.
absl::StatusOr<client::ClusterInfo> ReadCluster(const Context& context, bool has_leader,
                                                absl::Duration timeout) {
  ASSIGN_OR_RETURN(const auto coord, context.ConnectCoordReadOnly());
  if (has_leader) {
    auto newest = ReadStoredCluster(*coord, /*stale_ok=*/false, timeout);
    if (newest.ok()) return newest;
  }
  return ReadStoredCluster(*coord, /*stale_ok=*/true, timeout);
}

}  // namespace

absl::StatusOr<Json> MakeClusterReport(const Context& context) {
  const absl::Duration server_timeout = std::min(kServerTimeout, context.RequestTimeout());
  ASSIGN_OR_RETURN(const std::vector<std::string> addresses, context.CoordAddresses());
  std::map<uint32_t, ServerStatus> statuses;
  std::vector<client::ServerPeer> known;
  {
    Servers servers(addresses);
    absl::Status last_error;
    std::set<std::string> further;
    for (auto& answer : servers.Ask(addresses, server_timeout)) {
      if (!answer.ok()) {
        last_error = answer.status();
        continue;
      }
      known = answer->servers;
      for (const client::ServerPeer& peer : known) {
        if (!peer.grpc.empty()) further.insert(peer.grpc);
      }
      statuses[answer->server_id] = *std::move(answer);
    }
    if (statuses.empty()) {
      return absl::UnavailableError(
          fmt::format("no coord server answers ({}); start one, or name one with --coord",
                      base::StdView(last_error.message())));
    }
    for (const std::string& address : addresses) further.erase(address);
    for (auto& answer : servers.Ask({further.begin(), further.end()}, server_timeout)) {
      if (answer.ok()) statuses[answer->server_id] = *std::move(answer);
    }
  }
  Report report;
  report.AddCoord(known, statuses);
  const auto cluster = ReadCluster(context, report.has_leader(), context.RequestTimeout());
  if (cluster.ok()) {
    report.AddBrokers(*cluster, AskBrokers(*cluster, server_timeout));
  } else if (report.has_leader()) {
    return cluster.status();  // without one the report says already why there is no more
  }
  return report.Finish();
}

}  // namespace bellwether::cli
