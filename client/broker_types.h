#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/strong_id.h"
#include "base/uuid.h"

// What a program that uses brokers sees of them: plain values, no protobuf.
namespace bellwether::client {

// Position of a record in its partition, from 0.
using Offset = base::StrongId<struct OffsetTag, int64_t>;
// Raised with each new leader of a partition; -1: unknown, not checked.
using LeaderEpoch = base::StrongId<struct LeaderEpochTag, int32_t>;
// Of a broker, from 0; -1: none.
using BrokerId = base::StrongId<struct BrokerIdTag, int32_t>;

// A broker that is registered, or only named in assignments.
struct BrokerInfo {
  BrokerId id;
  bool up = false;         // registered now
  int64_t epoch = 0;       // of its registration, a zxid; 0 when down
  std::string grpc;        // advertised "host:port"; empty when down
  std::string rack;        // empty: none
  int64_t started_ms = 0;  // registered at; ms since 1970; 0 when down
};

// How a broker is, as it says itself.
struct BrokerStatus {
  BrokerId id;
  uint64_t disk_free_bytes = 0;  // free for it on the disk of its data folder
};

// Who serves a partition.
struct PartitionInfo {
  int32_t partition = 0;
  BrokerId leader{-1};  // -1: offline
  LeaderEpoch leader_epoch{-1};
  std::vector<BrokerId> replicas;  // the preferred leader first
  std::vector<BrokerId> isr;       // those in sync
};

// A setting in force.
struct TopicConfig {
  std::string name;    // as in "retention.ms"
  std::string value;   // as text
  std::string source;  // "default", "broker" or "topic"
};

// A topic; deleted and made again under the same name it is another one.
struct TopicInfo {
  std::string name;
  base::Uuid topic_id;
  std::vector<PartitionInfo> partitions;  // in order of their number
  std::vector<TopicConfig> configs;       // sorted by name; empty unless asked for by name
};

// The cluster as one broker sees it.
struct ClusterInfo {
  base::Uuid ensemble_id;      // of the coordination ensemble
  int64_t zxid = 0;            // the view is that of this zxid
  BrokerId controller_id{-1};  // -1: none now
  int64_t controller_epoch = 0;
  std::vector<BrokerInfo> brokers;  // sorted by id
  std::vector<TopicInfo> topics;    // sorted by name
};

// Offsets of a partition.
struct PartitionOffsets {
  // The answer to the question asked: end, beginning, or first record at or after a timestamp (the
  // high watermark when no record is that new).
  Offset offset;
  int64_t timestamp_ms = -1;  // of the record found; -1: none
  Offset log_start_offset;    // first that is kept
  Offset high_watermark;      // after the last durable record
  Offset log_end_offset;      // after the last appended record
};

}  // namespace bellwether::client
