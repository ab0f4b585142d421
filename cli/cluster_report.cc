#include "cli/cluster_report.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "base/thread_executor.h"
#include "cli/context.h"
#include "client/admin.h"
#include "client/coord_client.h"
#include "client/grpc_channel.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Json = nlohmann::ordered_json;
using client::ServerStatus;

constexpr uint64_t kDiskLowBytes = 256 << 20;
constexpr absl::Duration kServerTimeout = absl::Seconds(2);

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

  void AddBrokers(const client::ClusterInfo& cluster) {
    controller_id_ = cluster.controller_id.value() < 0 ? Json(nullptr)
                                                       : Json(cluster.controller_id.value());
    controller_epoch_ = cluster.controller_epoch;
    for (const client::BrokerInfo& broker : cluster.brokers) {
      (broker.up ? up_ : down_).push_back(broker.id.value());
      if (!broker.up) {
        Problem("broker_down", fmt::format("broker-{}", broker.id),
                "it holds partitions and isn't registered", "start it");
      }
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
    if (status->disk_free_bytes < kDiskLowBytes) {
      Problem("disk_low", fmt::format("coord-{}", peer.id),
              fmt::format("{} bytes are free on its disk", status->disk_free_bytes),
              "free some space");
    }
    return server;
  }

  void AddPartition(const client::TopicInfo& topic, const client::PartitionInfo& partition) {
    const std::string name = fmt::format("{}/{}", topic.name, partition.partition);
    ++total_;
    if (partition.leader.value() < 0) {
      ++offline_;
      std::vector<int32_t> replicas;
      for (const client::BrokerId id : partition.replicas) replicas.push_back(id.value());
      Problem("partition_offline", name, "no replica is available",
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
  int64_t controller_epoch_ = 0;
  std::vector<int32_t> up_;
  std::vector<int32_t> down_;
  int total_ = 0;
  int offline_ = 0;
  int under_replicated_ = 0;
};

}  // namespace

absl::StatusOr<Json> MakeClusterReport(const Context& context) {
  ASSIGN_OR_RETURN(const std::vector<std::string> addresses, context.CoordAddresses());
  std::map<uint32_t, ServerStatus> statuses;
  std::vector<client::ServerPeer> known;
  {
    Servers servers(addresses);
    absl::Status last_error;
    std::set<std::string> further;
    for (auto& answer : servers.Ask(addresses, std::min(kServerTimeout, context.RequestTimeout()))) {
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
    for (auto& answer : servers.Ask({further.begin(), further.end()}, kServerTimeout)) {
      if (answer.ok()) statuses[answer->server_id] = *std::move(answer);
    }
  }
  Report report;
  report.AddCoord(known, statuses);
  if (const auto admin = context.ConnectAdmin(); admin.ok()) {
    if (const auto cluster = (*admin)->List(); cluster.ok()) report.AddBrokers(*cluster);
  }
  return report.Finish();
}

}  // namespace bellwether::cli
