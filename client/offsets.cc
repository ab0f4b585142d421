#include "client/offsets.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "client/errors.h"
#include "fmt/format.h"

namespace bellwether::client {
namespace {

PartitionOffsets ToOffsets(const broker::v1::ListOffsetsResponse::Answer& from) {
  return {.offset = Offset(from.offset()),
          .timestamp_ms = from.timestamp_ms(),
          .log_start_offset = Offset(from.log_start_offset()),
          .high_watermark = Offset(from.high_watermark()),
          .log_end_offset = Offset(from.log_end_offset())};
}

// Answers as they come in; shared by the callbacks of the questions.
struct Gathering {
  std::vector<absl::StatusOr<PartitionOffsets>> answers;
  size_t waiting = 0;
  absl::AnyInvocable<void(std::vector<absl::StatusOr<PartitionOffsets>>)> done;
};

void Take(Gathering& gathering, const std::vector<size_t>& positions,
          const absl::StatusOr<broker::v1::ListOffsetsResponse>& response) {
  for (size_t i = 0; i < positions.size(); ++i) {
    auto& answer = gathering.answers[positions[i]];
    if (!response.ok()) {
      answer = response.status();
    } else if (static_cast<size_t>(response->answers_size()) != positions.size()) {
      answer = absl::InternalError("the broker answered another number of questions");
    } else if (response->answers(static_cast<int>(i)).has_error()) {
      answer = FromWire(response->answers(static_cast<int>(i)).error());
    } else {
      answer = ToOffsets(response->answers(static_cast<int>(i)));
    }
  }
  if (--gathering.waiting == 0) gathering.done(std::move(gathering.answers));
}

}  // namespace

absl::StatusOr<std::string> LeaderAddress(const ClusterInfo& cluster, const TopicInfo& topic,
                                          const PartitionInfo& partition) {
  for (const BrokerInfo& broker : cluster.brokers) {
    if (broker.id == partition.leader && broker.up) return broker.grpc;
  }
  std::vector<int32_t> replicas;
  for (const BrokerId id : partition.replicas) replicas.push_back(id.value());
  return ErrorWithReason(
      absl::StatusCode::kUnavailable, "partition_offline",
      fmt::format("partition {}/{} is offline: no replica is available (on broker {}); start it",
                  topic.name, partition.partition, fmt::join(replicas, ", ")));
}

bool SameLeaders(const TopicInfo& a, const TopicInfo& b) {
  return std::equal(a.partitions.begin(), a.partitions.end(), b.partitions.begin(),
                    b.partitions.end(), [](const PartitionInfo& one, const PartitionInfo& other) {
                      return one.leader == other.leader && one.leader_epoch == other.leader_epoch;
                    });
}

broker::v1::PartitionRef RefOf(const TopicInfo& topic, const PartitionInfo& partition) {
  broker::v1::PartitionRef ref;
  ref.set_topic_id(topic.topic_id.Bytes());
  ref.set_partition(partition.partition);
  ref.set_leader_epoch(partition.leader_epoch.value());
  return ref;
}

void AskOffsets(BrokerConnector& connector, const ClusterInfo& cluster, const TopicInfo& topic,
                int64_t timestamp_ms, absl::Duration timeout,
                absl::AnyInvocable<void(std::vector<absl::StatusOr<PartitionOffsets>>)> done) {
  auto gathering = std::make_shared<Gathering>();
  gathering->done = std::move(done);
  std::map<std::string, std::vector<size_t>> positions_by_leader;
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const auto address = LeaderAddress(cluster, topic, topic.partitions[i]);
    gathering->answers.emplace_back(address.status().ok() ? absl::UnknownError("") :
                                                            address.status());
    if (address.ok()) positions_by_leader[*address].push_back(i);
  }
  if (positions_by_leader.empty()) return gathering->done(std::move(gathering->answers));
  gathering->waiting = positions_by_leader.size();
  for (auto& entry : positions_by_leader) {
    broker::v1::ListOffsetsRequest request;
    for (const size_t i : entry.second) {
      auto* const query = request.add_queries();
      *query->mutable_partition() = RefOf(topic, topic.partitions[i]);
      query->set_timestamp_ms(timestamp_ms);
    }
    connector.ListOffsets(entry.first, timeout, std::move(request),
                          [gathering, positions = std::move(entry.second)](auto response) {
                            Take(*gathering, positions, response);
                          });
  }
}

}  // namespace bellwether::client
