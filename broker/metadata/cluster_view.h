#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "broker/metadata/ids.h"
#include "broker/metadata/shared_collections.h"

namespace bellwether::broker {

// A broker that is registered now: /brokers/ids/<id>.
struct Broker {
  BrokerId id;
  BrokerEpoch epoch;        // czxid of the registration
  client::SessionId session_id;  // owner of the registration
  std::string host;         // name of the machine it runs on
  int64_t pid = 0;
  std::string grpc;         // advertised HOST:PORT
  std::string rack;         // empty: none
  int64_t started_ms = 0;   // since 1970
  base::Uuid folder_id;     // of its data folder
};

// A replica known to hold all acknowledged records, and which incarnation and disk that is.
struct IsrMember {
  BrokerId broker;
  BrokerEpoch epoch;
  base::Uuid folder_id;

  friend bool operator==(const IsrMember&, const IsrMember&) = default;
};

// Who leads a partition: /brokers/topics/<t>/partitions/<p>/state.
struct PartitionState {
  int64_t controller_epoch = 0;  // of the controller that wrote it
  BrokerId leader = kNoBroker;   // kNoBroker: offline
  LeaderEpoch leader_epoch;
  std::vector<IsrMember> isr;    // kept while offline: it names the disks that hold the data
  std::string unknown_fields;    // JSON object of fields that we don't know; empty: none
  Zxid mzxid;                    // of the znode
};

// One partition of a topic.
struct Partition {
  std::vector<BrokerId> replicas;  // assigned brokers, the preferred leader first; empty: none yet
  std::optional<PartitionState> state;  // nullopt: no znode yet, or it can't be read
  bool state_unreadable = false;        // then nobody leads and nobody overwrites it
};

// One topic: /brokers/topics/<t> and what is below.
struct Topic {
  std::string name;
  base::Uuid topic_id;
  bool readable = false;  // false: the assignment is missing or can't be read; hands off
  Zxid czxid;             // tells a topic from an earlier one of the same name
  Zxid mzxid;             // last change of the assignment
  SharedVector<std::shared_ptr<const Partition>> partitions;  // shared between views; none is null

  int32_t partition_count() const { return static_cast<int32_t>(partitions.size()); }
};

// A deleted topic whose data some brokers still hold: /admin/deleted_topics/<topic id>.
struct DeletionRecord {
  base::Uuid topic_id;
  std::string name;
  std::set<BrokerId> pending;  // brokers that have not confirmed yet
  std::string unknown_fields;  // as in PartitionState
  Zxid mzxid;                  // of the znode
};

// The controller: /controller and /controller_epoch.
struct ControllerView {
  BrokerId id = kNoBroker;   // kNoBroker: none, or unreadable
  bool exists = false;       // the znode is there
  Zxid czxid;                // of /controller: the zxid of its election
  client::SessionId session_id;  // its owner
  int64_t epoch = 0;         // content of /controller_epoch; 0: none yet
  bool epoch_exists = false;
  Zxid epoch_mzxid;          // of /controller_epoch
};

// The cluster as of one zxid. Immutable; successive views share all that didn't change, so a
// pointer that is equal in two views means no change. Built by ViewBuilder.
class ClusterView {
 public:
  using Configs = std::map<std::string, std::string, std::less<>>;
  using BrokerMap = std::map<BrokerId, Broker>;

  Zxid zxid() const { return zxid_; }
  const ControllerView& controller() const { return controller_; }

  // Registered brokers.
  const std::shared_ptr<const BrokerMap>& brokers() const { return brokers_; }
  // nullptr when it isn't registered.
  const Broker* FindBroker(BrokerId id) const;

  // nullptr when there is none.
  std::shared_ptr<const Topic> FindTopic(std::string_view name) const;
  std::shared_ptr<const Topic> FindTopic(base::Uuid topic_id) const;
  const SharedMap<std::string, std::shared_ptr<const Topic>>& topics() const { return topics_; }

  // The topic's own settings; empty when it has none.
  const Configs& ConfigsOf(std::string_view topic) const;
  // Whether the znode of the topic's settings exists, readable or not.
  bool HasConfigs(std::string_view topic) const { return configs_.Find(topic) != nullptr; }

  const std::shared_ptr<const std::map<base::Uuid, DeletionRecord>>& deletions() const {
    return deletions_;
  }

  // Paths whose content can't be read, and why. For metrics and people.
  const std::shared_ptr<const std::map<std::string, std::string>>& unreadable() const {
    return unreadable_;
  }

 private:
  friend class ViewBuilder;

  // All pointers are shared with earlier and later views.
  Zxid zxid_;
  ControllerView controller_;
  std::shared_ptr<const BrokerMap> brokers_ = std::make_shared<BrokerMap>();
  SharedMap<std::string, std::shared_ptr<const Topic>> topics_;
  SharedMap<base::Uuid, std::string> topic_names_;
  SharedMap<std::string, std::shared_ptr<const Configs>> configs_;
  std::shared_ptr<const std::map<base::Uuid, DeletionRecord>> deletions_ =
      std::make_shared<std::map<base::Uuid, DeletionRecord>>();
  std::shared_ptr<const std::map<std::string, std::string>> unreadable_ =
      std::make_shared<std::map<std::string, std::string>>();
};

}  // namespace bellwether::broker
