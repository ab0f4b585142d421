#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "client/coord_types.h"

namespace bellwether::broker {

// coord as a map: commits transactions one after the other, each under its own zxid, and records
// what a watch of "/" would deliver. Faults: none; a test makes races by committing in the order
// it likes, and by reading batches late.
class ModelCoord {
 public:
  struct Node {
    std::string data;
    client::Stat stat;
  };

  // Parents need not exist.
  void Put(const std::string& path, const std::string& data,
           client::SessionId owner = client::SessionId()) {
    client::WatchBatch batch;
    batch.zxid = ++zxid_;
    PutAt(path, data, owner, batch);
    batches_.push_back(std::move(batch));
  }

  void Delete(const std::string& path) {
    client::WatchBatch batch;
    batch.zxid = ++zxid_;
    DeleteAt(path, batch);
    batches_.push_back(std::move(batch));
  }

  // Removes what the session owns, under one zxid.
  void Expire(client::SessionId session) {
    client::WatchBatch batch;
    batch.zxid = ++zxid_;
    std::vector<std::string> owned;
    for (const auto& [path, node] : nodes_) {
      if (node.stat.ephemeral_owner == session) owned.push_back(path);
    }
    for (const std::string& path : owned) DeleteAt(path, batch);
    batches_.push_back(std::move(batch));
  }

  // All or nothing; takes a zxid either way.
  bool Commit(const client::Transaction& transaction, client::SessionId session) {
    client::WatchBatch batch;
    batch.zxid = ++zxid_;
    const std::map<std::string, Node> before = nodes_;
    bool ok = true;
    for (const client::Compare& compare : transaction.compares) ok = ok && Holds(compare);
    for (const client::Operation& operation : transaction.operations) {
      ok = ok && Run(operation, session, batch);
    }
    if (!ok) {
      nodes_ = before;
      batch.changes.clear();
    }
    batches_.push_back(std::move(batch));
    return ok;
  }

  const std::vector<client::WatchBatch>& batches() const { return batches_; }
  const std::map<std::string, Node>& nodes() const { return nodes_; }
  client::Zxid zxid() const { return zxid_; }

 private:
  bool Holds(const client::Compare& compare) const {
    const auto it = nodes_.find(compare.path);
    const bool exists = it != nodes_.end();
    if (compare.exists) return *compare.exists == exists;
    if (!exists) return false;
    const client::Stat& stat = it->second.stat;
    return (!compare.version || *compare.version == stat.version) &&
           (!compare.czxid || *compare.czxid == stat.czxid) &&
           (!compare.mzxid || *compare.mzxid == stat.mzxid) &&
           (!compare.ephemeral_owner || *compare.ephemeral_owner == stat.ephemeral_owner);
  }

  bool Run(const client::Operation& operation, client::SessionId session,
           client::WatchBatch& batch) {
    if (const auto* create = std::get_if<client::CreateOperation>(&operation)) {
      if (nodes_.contains(create->path)) return false;
      const bool ephemeral = create->mode == client::CreateMode::kEphemeral;
      PutAt(create->path, create->data.value_or(""), ephemeral ? session : client::SessionId(),
            batch);
      return true;
    }
    if (const auto* set = std::get_if<client::SetOperation>(&operation)) {
      const auto it = nodes_.find(set->path);
      if (it == nodes_.end()) return false;
      PutAt(set->path, set->data.value_or(""), it->second.stat.ephemeral_owner, batch);
      return true;
    }
    const auto& erase = std::get<client::DeleteOperation>(operation);
    if (!nodes_.contains(erase.path)) return false;
    DeleteAt(erase.path, batch);
    return true;
  }

  void PutAt(const std::string& path, const std::string& data, client::SessionId owner,
             client::WatchBatch& batch) {
    const bool created = !nodes_.contains(path);
    Node& node = nodes_[path];
    node.data = data;
    if (created) {
      node.stat.czxid = zxid_;
      node.stat.ephemeral_owner = owner;
    } else {
      ++node.stat.version;
    }
    node.stat.mzxid = zxid_;
    batch.changes.push_back({.type = created ? client::WatchEventType::kCreated
                                             : client::WatchEventType::kChanged,
                             .path = path,
                             .data = data,
                             .stat = node.stat});
  }

  // With all below.
  void DeleteAt(const std::string& path, client::WatchBatch& batch) {
    std::vector<std::string> gone;
    for (const auto& [candidate, node] : nodes_) {
      if (candidate == path || candidate.starts_with(path + "/")) gone.push_back(candidate);
    }
    for (const std::string& victim : gone) {
      nodes_.erase(victim);
      batch.changes.push_back({.type = client::WatchEventType::kDeleted, .path = victim});
    }
  }

  client::Zxid zxid_;
  std::map<std::string, Node> nodes_;
  std::vector<client::WatchBatch> batches_;
};

}  // namespace bellwether::broker
