#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/metadata/paths.h"
#include "broker/metadata/view_builder.h"
#include "broker/metadata/znode_json.h"
#include "broker/service/led_partitions.h"
#include "tests/unit/broker/metadata/model_coord.h"
#include "tests/unit/broker/service/fake_log.h"
#include "tests/unit/client/fake_ensemble.h"

namespace bellwether::broker {

// Broker 1 with its led partitions over fake logs, fed with views of a cluster that the test writes.
class ClusterFixture : public testing::Test {
 protected:
  static constexpr BrokerId kSelf{1};
  static constexpr BrokerEpoch kEpoch{77};

  static base::Uuid Folder() { return base::Uuid::FromRandom(1, 1); }
  static base::Uuid TopicId(int n = 0) { return base::Uuid::FromRandom(9, n); }
  static TopicPartition Id(int partition = 0, int topic = 0) {
    return {.topic_id = TopicId(topic), .partition = partition};
  }

  void PutTopic(const std::string& name, int partitions, int n = 0) {
    TopicAssignment assignment{.topic_id = TopicId(n)};
    assignment.replicas.assign(partitions, {kSelf});
    coord_.Put(paths::Topic(name), EncodeAssignment(assignment));
  }

  void PutState(const std::string& name, int partition, BrokerId leader, int32_t leader_epoch,
                BrokerEpoch epoch = kEpoch, base::Uuid folder = Folder()) {
    PartitionState state;
    state.leader = leader;
    state.leader_epoch = LeaderEpoch(leader_epoch);
    state.isr = {{.broker = kSelf, .epoch = epoch, .folder_id = folder}};
    coord_.Put(paths::PartitionState(name, partition), EncodePartitionState(state));
  }

  // Shows the broker all that was put, and lets the storage executor work.
  void Show(BrokerEpoch epoch = kEpoch) {
    for (; read_ < coord_.batches().size(); ++read_) builder_.Apply(coord_.batches()[read_]);
    led_.OnView(builder_.Build(), epoch);
    executor_.Run();
  }

  void Lead(int32_t leader_epoch = 0) {
    PutTopic("t", 1);
    PutState("t", 0, kSelf, leader_epoch);
    Show();
  }

  FakeLog& Log(int partition = 0) { return *store_.Fake(Id(partition)); }

  client::ManualExecutor executor_;
  base::Metrics metrics_;
  ModelCoord coord_;
  ViewBuilder builder_;
  size_t read_ = 0;
  FakeLogStore store_;
  std::vector<base::Uuid> confirmed_;
  LedPartitions led_{{.self = kSelf,
                      .folder_id = Folder(),
                      .confirm_deletion =
                          [this](const DeletionRecord& record) {
                            confirmed_.push_back(record.topic_id);
                          }},
                     store_,
                     executor_,
                     metrics_};
};

}  // namespace bellwether::broker
