#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coord/tree/command.h"
#include "coord/tree/result.h"
#include "coord/tree/types.h"
#include "fmt/format.h"

namespace bellwether::coord::tree {

// The rules written a second time, as plainly as they can be said: one flat map from path to znode,
// children found by scanning it, a transaction run on a copy. Takes only the paths that the
// property test makes: whether a path is valid is path_test's question.
class ReferenceModel {
 public:
  struct Node {
    Stat stat;  // data_length is kept by nobody: see Find()
    SharedBytes data;
    int32_t creations = 0;
    Acl acl;                     // empty: open
    std::optional<int64_t> ttl;  // 0: a container
  };
  // Of a command that may be sent again.
  struct Kept {
    Operation operation;
    ResultCode code = ResultCode::kOk;
    std::string created;
    int64_t zxid = 0;
  };
  struct Client {
    SessionPassword password;
    base::Uuid nonce;
    int64_t timeout_ms = 0;
    uint64_t generation = 1;
    uint64_t last_sequence = 0;
    std::map<uint64_t, Kept> kept;  // by sequence
  };

  ReferenceModel() { nodes["/"] = {}; }

  // The code and, where the operation has one, the path it created.
  std::pair<ResultCode, std::string> Apply(const Command& command, int64_t now_ms) {
    ++zxid;
    time_ms = now_ms > time_ms ? now_ms : time_ms;
    answered_zxid = zxid;
    created_.clear();
    identities_ = command.identities;
    return {std::visit([&](const auto& operation) { return Run(command, operation); },
                       command.operation),
            created_};
  }

  // A client's view of a znode. Requires: it exists.
  Stat StatOf(const std::string& path) const {
    const Node& node = nodes.at(path);
    Stat stat = node.stat;
    stat.data_length = static_cast<int32_t>(node.data.size());
    stat.num_children = static_cast<int32_t>(ChildrenOf(path).size());
    return stat;
  }

  std::vector<std::string> ChildrenOf(const std::string& path) const {
    std::vector<std::string> names;
    for (const auto& [other, node] : nodes) {
      if (other == "/" || ParentOf(other) != path) continue;
      names.push_back(other.substr(other.rfind('/') + 1));
    }
    return names;
  }

  std::vector<std::string> EphemeralsOf(uint64_t session) const {
    std::vector<std::string> paths;
    for (const auto& [path, node] : nodes) {
      if (node.stat.ephemeral_owner == SessionId(session)) paths.push_back(path);
    }
    return paths;
  }

  std::map<std::string, Node> nodes;
  std::map<uint64_t, Client> clients;
  int64_t zxid = 0;
  int64_t answered_zxid = 0;  // zxid, or that of the command that was applied before
  int64_t time_ms = 0;
  uint32_t level = 1;

 private:
  static std::string ParentOf(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
  }

  ResultCode Run(const Command&, const CreateSession& operation) {
    for (auto& [id, client] : clients) {
      if (client.nonce != operation.nonce) continue;
      ++client.generation;
      return ResultCode::kOk;
    }
    const uint64_t id = uint64_t{operation.server_id} << 56 | static_cast<uint64_t>(zxid);
    clients[id] = {operation.password, operation.nonce, operation.timeout_ms};
    return ResultCode::kOk;
  }

  ResultCode Run(const Command&, const AttachSession& operation) {
    const auto client = clients.find(operation.session.value());
    if (client == clients.end() || client->second.password != operation.password) {
      return ResultCode::kSessionExpired;
    }
    ++client->second.generation;
    client->second.timeout_ms = operation.timeout_ms;
    return ResultCode::kOk;
  }

  ResultCode Run(const Command&, const ExpireSession& operation) {
    const auto client = clients.find(operation.session.value());
    if (client == clients.end()) return ResultCode::kSessionExpired;
    if (client->second.generation != operation.generation.value()) {
      return ResultCode::kStaleGeneration;
    }
    End(operation.session.value());
    return ResultCode::kOk;
  }

  // The random commands have none of these.
  ResultCode Run(const Command&, const SetEnsembleId&) { return ResultCode::kOk; }
  ResultCode Run(const Command&, const SetEnsembleConfig&) { return ResultCode::kOk; }
  ResultCode Do(SessionId, const Import&) { return ResultCode::kOk; }
  ResultCode Do(SessionId, const RaiseZxid&) { return ResultCode::kOk; }

  ResultCode Run(const Command&, const SetFeatureLevel& operation) {
    if (operation.level <= level) return ResultCode::kAlreadySet;
    const bool adds_system_znodes = level < 3 && operation.level >= 3;
    level = operation.level;
    if (!adds_system_znodes) return ResultCode::kOk;
    // Nobody created them: that counts in no cversion (Z3).
    Node& root = nodes["/"];
    --root.stat.cversion;
    if (root.stat.version == 0 && root.data.is_null()) root.data = SharedBytes::Copy("");
    for (const char* path : {"/zookeeper", "/zookeeper/config", "/zookeeper/quota"}) {
      nodes[path].data = SharedBytes::Copy("");
    }
    nodes["/zookeeper"].stat.cversion = -2;
    nodes["/zookeeper/config"].acl = {{kRead, "world", "anyone"}};
    nodes["/zookeeper/config"].stat.aversion = -1;
    return ResultCode::kOk;
  }

  ResultCode Run(const Command&, const DeleteExpired& operation) {
    if (level < 3) return ResultCode::kBadArguments;
    const auto node = nodes.find(operation.path);
    if (node == nodes.end()) return ResultCode::kNoNode;
    if (!node->second.ttl.has_value()) return ResultCode::kNotExpired;
    if (!ChildrenOf(operation.path).empty()) return ResultCode::kNotEmpty;
    const int64_t unchanged_ms = time_ms - node->second.stat.mtime_ms;
    const bool is_expired = *node->second.ttl == 0 ? node->second.creations > 0
                                                   : unchanged_ms > *node->second.ttl;
    if (!is_expired) return ResultCode::kNotExpired;
    Erase(operation.path);
    return ResultCode::kOk;
  }

  template <typename SessionOperation>
  ResultCode Run(const Command& command, const SessionOperation& operation) {
    const auto client = clients.find(command.session.value());
    if (client == clients.end()) return ResultCode::kSessionExpired;
    if (client->second.generation != command.generation.value()) {
      return ResultCode::kStaleGeneration;
    }
    if (client->second.last_sequence + 1 != command.sequence.value()) {
      return RunAgain(client->second, command);
    }
    ++client->second.last_sequence;
    const ResultCode code = Do(command.session, operation);
    if (level >= 4 && clients.contains(command.session.value())) {
      Keep(client->second, command, code);
    }
    return code;
  }

  // Few enough that no bound is reached.
  void Keep(Client& client, const Command& command, ResultCode code) {
    const uint64_t floor = command.acknowledged_floor.value();
    if (floor == 0 || floor > command.sequence.value()) return client.kept.clear();
    client.kept.erase(client.kept.begin(), client.kept.lower_bound(floor));
    client.kept[command.sequence.value()] = {command.operation, code, created_, zxid};
  }

  ResultCode RunAgain(Client& client, const Command& command) {
    const uint64_t sequence = command.sequence.value();
    if (level < 4 || sequence == 0 || sequence > client.last_sequence) {
      return ResultCode::kSequenceGap;
    }
    ResultCode code = ResultCode::kResultForgotten;
    const auto kept = client.kept.find(sequence);
    if (kept != client.kept.end() && kept->second.operation == command.operation) {
      code = kept->second.code;
      created_ = kept->second.created;
      answered_zxid = kept->second.zxid;
    } else if (kept != client.kept.end()) {
      code = ResultCode::kSequenceReused;
    }
    const uint64_t floor = command.acknowledged_floor.value();
    client.kept.erase(client.kept.begin(), client.kept.lower_bound(floor));
    return code;
  }

  ResultCode Do(SessionId session, const CloseSession&) {
    End(session.value());
    return ResultCode::kOk;
  }

  bool May(const Node& node, uint32_t permission) const {
    if (node.acl.empty()) return true;
    for (const Identity& identity : identities_) {
      if (identity.scheme == "super") return true;
    }
    for (const AclEntry& entry : node.acl) {
      if ((entry.permissions & permission) == 0) continue;
      if (entry.scheme == "world") return true;
      for (const Identity& identity : identities_) {
        if (identity == Identity{entry.scheme, entry.id}) return true;
      }
    }
    return false;
  }

  // The random commands know only "world", "digest", "auth" and a scheme that there is not.
  std::optional<Acl> FixedUp(const Acl& given) const {
    Acl fixed;
    for (auto entry = given.begin(); entry != given.end(); ++entry) {
      if (std::find(given.begin(), entry, *entry) != entry) continue;
      if (entry->scheme == "none") return std::nullopt;
      if (entry->scheme != "auth") fixed.push_back(*entry);
      if (entry->scheme != "auth") continue;
      const size_t before = fixed.size();
      for (const Identity& identity : identities_) {
        if (identity.scheme != "digest") continue;
        fixed.push_back({entry->permissions, identity.scheme, identity.id});
      }
      if (fixed.size() == before) return std::nullopt;
    }
    if (fixed.empty()) return std::nullopt;
    return fixed;
  }

  bool IsValidMode(const Create& operation) const {
    const auto mode = static_cast<uint8_t>(operation.mode);
    const bool is_later = mode > 3 || operation.ttl_ms != 0 || operation.acl.has_value();
    if (mode > 6 || (is_later && level < 3)) return false;
    return mode < 5 ? operation.ttl_ms == 0 : operation.ttl_ms > 0;
  }

  ResultCode Do(SessionId session, const Create& operation) {
    if (!IsValidMode(operation)) return ResultCode::kBadArguments;
    std::optional<Acl> acl;
    if (operation.acl.has_value()) {
      acl = FixedUp(*operation.acl);
      if (!acl.has_value()) return ResultCode::kInvalidAcl;
    }
    const auto parent = nodes.find(ParentOf(operation.path));
    if (parent == nodes.end()) return ResultCode::kNoNode;
    if (!May(parent->second, kCreate)) return ResultCode::kNoAuth;
    const CreateMode mode = operation.mode;
    const bool is_ephemeral =
        mode == CreateMode::kEphemeral || mode == CreateMode::kEphemeralSequential;
    const bool has_ttl = mode == CreateMode::kPersistentWithTtl ||
                         mode == CreateMode::kPersistentSequentialWithTtl;
    const bool is_sequential = mode == CreateMode::kPersistentSequential ||
                               mode == CreateMode::kEphemeralSequential ||
                               mode == CreateMode::kPersistentSequentialWithTtl;
    std::string path = operation.path;
    if (is_sequential) path += fmt::format("{:010}", parent->second.creations);
    if (nodes.contains(path)) return ResultCode::kNodeExists;
    if (parent->second.stat.ephemeral_owner != SessionId()) {
      return ResultCode::kNoChildrenForEphemerals;
    }
    ++parent->second.creations;
    TouchParent(path);
    Node node;
    node.stat.czxid = node.stat.mzxid = node.stat.pzxid = Zxid(zxid);
    node.stat.ctime_ms = node.stat.mtime_ms = time_ms;
    node.data = operation.data;
    if (is_ephemeral) node.stat.ephemeral_owner = session;
    if (has_ttl || mode == CreateMode::kContainer) node.ttl = operation.ttl_ms;
    node.acl = acl.value_or(Acl());
    nodes[path] = node;
    created_ = path;
    return ResultCode::kOk;
  }

  ResultCode Do(SessionId, const SetData& operation) {
    const auto node = nodes.find(operation.path);
    if (node == nodes.end()) return ResultCode::kNoNode;
    if (!May(node->second, kWrite)) return ResultCode::kNoAuth;
    Stat& stat = node->second.stat;
    if (operation.expected_version != -1 && operation.expected_version != stat.version) {
      return ResultCode::kBadVersion;
    }
    ++stat.version;
    stat.mzxid = Zxid(zxid);
    stat.mtime_ms = time_ms;
    node->second.data = operation.data;
    return ResultCode::kOk;
  }

  ResultCode Do(SessionId, const SetAcl& operation) {
    if (level < 3) return ResultCode::kBadArguments;
    const std::optional<Acl> acl = FixedUp(operation.acl);
    if (!acl.has_value()) return ResultCode::kInvalidAcl;
    const auto node = nodes.find(operation.path);
    if (node == nodes.end()) return ResultCode::kNoNode;
    if (!May(node->second, kAdmin)) return ResultCode::kNoAuth;
    Stat& stat = node->second.stat;
    if (operation.expected_version != -1 && operation.expected_version != stat.aversion) {
      return ResultCode::kBadVersion;
    }
    node->second.acl = *acl;
    ++stat.aversion;
    return ResultCode::kOk;
  }

  ResultCode Do(SessionId, const Check& operation) {
    if (level < 3) return ResultCode::kBadArguments;
    const auto node = nodes.find(operation.path);
    if (node == nodes.end()) return ResultCode::kNoNode;
    if (!May(node->second, kRead)) return ResultCode::kNoAuth;
    const bool matches = operation.expected_version == -1 ||
                         operation.expected_version == node->second.stat.version;
    return matches ? ResultCode::kOk : ResultCode::kBadVersion;
  }

  // Whether a znode's parent lets it be deleted; kNoNode when there is no parent.
  ResultCode ParentPermits(const std::string& path) const {
    const auto parent = nodes.find(ParentOf(path));
    if (parent == nodes.end()) return ResultCode::kNoNode;
    return May(parent->second, kDelete) ? ResultCode::kOk : ResultCode::kNoAuth;
  }

  ResultCode Do(SessionId, const Delete& operation) {
    if (operation.path == "/") return ResultCode::kBadArguments;
    if (const ResultCode code = ParentPermits(operation.path); code != ResultCode::kOk) return code;
    const auto node = nodes.find(operation.path);
    if (node == nodes.end()) return ResultCode::kNoNode;
    if (operation.expected_version != -1 &&
        operation.expected_version != node->second.stat.version) {
      return ResultCode::kBadVersion;
    }
    if (!ChildrenOf(operation.path).empty()) return ResultCode::kNotEmpty;
    Erase(operation.path);
    return ResultCode::kOk;
  }

  ResultCode Do(SessionId, const DeleteRecursive& operation) {
    if (const ResultCode code = ParentPermits(operation.path); code != ResultCode::kOk) return code;
    if (!nodes.contains(operation.path)) return ResultCode::kNoNode;
    const std::string prefix = operation.path == "/" ? "/" : operation.path + "/";
    std::vector<std::string> below;
    for (const auto& [path, node] : nodes) {
      const bool is_system = level >= 3 && path.starts_with("/zookeeper");
      if (path.starts_with(prefix) && path != "/" && !is_system) below.push_back(path);
    }
    std::vector<std::string> parents = below;
    parents.push_back(operation.path);
    for (const std::string& path : parents) {
      if (!ChildrenOf(path).empty() && !May(nodes.at(path), kDelete)) return ResultCode::kNoAuth;
    }
    // Longer paths first: no znode goes before its children.
    std::multimap<size_t, std::string, std::greater<>> by_length;
    for (const std::string& path : below) by_length.emplace(path.size(), path);
    for (const auto& [length, path] : by_length) Erase(path);
    if (operation.path != "/") Erase(operation.path);
    return ResultCode::kOk;
  }

  ResultCode Do(SessionId session, const Transaction& transaction) {
    for (const Compare& compare : transaction.compares) {
      const auto node = nodes.find(compare.path);
      if (node != nodes.end() && !May(node->second, kRead)) return ResultCode::kNoAuth;
      if (!Holds(compare)) return ResultCode::kCompareFailed;
    }
    const std::map<std::string, Node> before = nodes;
    for (const TransactionOperation& operation : transaction.operations) {
      const ResultCode code =
          std::visit([&](const auto& change) { return Do(session, change); }, operation);
      if (code == ResultCode::kOk) continue;
      nodes = before;
      return code;
    }
    created_.clear();
    return ResultCode::kOk;
  }

  bool Holds(const Compare& compare) const {
    const auto node = nodes.find(compare.path);
    const bool exists = node != nodes.end();
    if (compare.field == Compare::Field::kExists) return compare.value == (exists ? 1 : 0);
    if (!exists) return false;
    const Stat& stat = node->second.stat;
    const std::map<Compare::Field, int64_t> fields = {
        {Compare::Field::kVersion, stat.version},
        {Compare::Field::kCzxid, stat.czxid.value()},
        {Compare::Field::kMzxid, stat.mzxid.value()},
        {Compare::Field::kEphemeralOwner, static_cast<int64_t>(stat.ephemeral_owner.value())}};
    return fields.at(compare.field) == compare.value;
  }

  void End(uint64_t session) {
    for (const std::string& path : EphemeralsOf(session)) Erase(path);
    clients.erase(session);
  }

  void Erase(const std::string& path) {
    nodes.erase(path);
    TouchParent(path);
  }

  void TouchParent(const std::string& path) {
    Stat& parent = nodes.at(ParentOf(path)).stat;
    ++parent.cversion;
    parent.pzxid = Zxid(zxid);
  }

  std::string created_;
  Identities identities_;  // of the command
};

}  // namespace bellwether::coord::tree
