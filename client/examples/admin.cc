// Makes a topic, looks at it and deletes it.

#include "client/admin.h"
#include "client/examples/brokers.h"

using namespace bellwether::client;  // an example is short

int main() {
  const auto admin = Admin::Create({.addresses = examples::Brokers()});
  const std::string topic = "examples-admin";
  const auto made = admin->CreateTopic(
      {.name = topic, .partitions = 3, .configs = {{"retention.ms", "3600000"}}});
  examples::ExitUnlessOk(made.status());

  const auto cluster = admin->Describe({topic});
  examples::ExitUnlessOk(cluster.status());
  const TopicInfo& described = cluster->topics.at(0);
  for (const PartitionInfo& partition : described.partitions) {
    fmt::print("broker {} leads partition {}\n", partition.leader, partition.partition);
  }
  for (const TopicConfig& config : described.configs) {
    if (config.source == "topic") fmt::print("{} is {}\n", config.name, config.value);
  }
  const bool right = described.topic_id == *made && described.partitions.size() == 3;
  examples::ExitUnlessOk(admin->DeleteTopic(topic));
  return right ? 0 : 1;
}
