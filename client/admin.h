#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/broker_types.h"

namespace bellwether::client {

// Topics and the cluster, for programs that may block. Thread-safe. Errors are statuses with a
// reason (client/errors.h) and an outcome (base::OutcomeOf).
class Admin {
 public:
  struct Options {
    std::vector<std::string> addresses;  // "host:port" of brokers, one or more
    absl::Duration timeout = absl::Seconds(10);  // of each call
  };

  static std::unique_ptr<Admin> Create(Options options);
  virtual ~Admin() = default;

  struct NewTopic {
    std::string name;         // 1 to 249 of [a-zA-Z0-9._-]
    int32_t partitions = 1;   // 1 to 10,000
    int32_t replication = 0;  // 0: the cluster's default
    std::map<std::string, std::string> configs;  // Kafka's names, as "retention.ms"
  };
  // The new topic's id, when every partition has a leader. Errors: ALREADY_EXISTS,
  // INVALID_ARGUMENT, FAILED_PRECONDITION (replication), UNAVAILABLE.
  virtual absl::StatusOr<base::Uuid> CreateTopic(const NewTopic& topic) = 0;

  // Errors: NOT_FOUND.
  virtual absl::Status DeleteTopic(const std::string& name) = 0;

  // The cluster with the named topics and their configs. Errors: NOT_FOUND for any of them.
  virtual absl::StatusOr<ClusterInfo> Describe(const std::vector<std::string>& topics) = 0;

  // The cluster with all topics, without configs.
  virtual absl::StatusOr<ClusterInfo> List() = 0;

  // What ListOffsets may be asked for besides a time in ms since 1970.
  static constexpr int64_t kEnd = -1;        // the high watermark
  static constexpr int64_t kBeginning = -2;  // the log start offset

  // Offsets of every partition of a topic that has a leader; for an offline one UNAVAILABLE.
  virtual std::vector<absl::StatusOr<PartitionOffsets>> ListOffsets(const ClusterInfo& cluster,
                                                                    const TopicInfo& topic,
                                                                    int64_t timestamp_ms) = 0;

  // What single brokers, those of the options or any other, say of themselves: all are asked at the
  // same time. In the order of `addresses` ("host:port"). Errors, each for its broker: UNAVAILABLE
  // or DEADLINE_EXCEEDED when it doesn't answer; UNIMPLEMENTED from one of an earlier release.
  virtual std::vector<absl::StatusOr<BrokerStatus>> StatusOf(
      const std::vector<std::string>& addresses) = 0;
};

}  // namespace bellwether::client
