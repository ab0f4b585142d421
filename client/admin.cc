#include "client/admin.h"

#include <utility>

#include "base/random.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "client/any_broker.h"
#include "client/broker_runtime.h"
#include "client/errors.h"
#include "client/offsets.h"

namespace bellwether::client {
namespace {

absl::StatusOr<BrokerStatus> ToBrokerStatus(
    const absl::StatusOr<broker::v1::StatusResponse>& response) {
  if (!response.ok()) return response.status();
  return BrokerStatus{.id = BrokerId(response->broker_id()),
                      .disk_free_bytes = response->disk_free_bytes()};
}

class BlockingAdmin : public Admin {
 public:
  BlockingAdmin(Options options, std::unique_ptr<BrokerRuntime> runtime)
      : timeout_(options.timeout),
        runtime_(std::move(runtime)),
        executor_(runtime_->executor()),
        any_(std::move(options.addresses), runtime_->connector(), runtime_->clock(), executor_,
             base::SystemRandom()) {}
  ~BlockingAdmin() override { runtime_->Stop(); }

  absl::StatusOr<base::Uuid> CreateTopic(const NewTopic& topic) override {
    broker::v1::CreateTopicRequest request;
    request.set_name(topic.name);
    request.set_partitions(topic.partitions);
    request.set_replication(topic.replication);
    for (const auto& [name, value] : topic.configs) {
      auto* const config = request.add_configs();
      config->set_name(name);
      config->set_value(value);
    }
    return Run<base::Uuid>([&](auto done) {
      any_.CreateTopic(std::move(request), timeout_, std::move(done));
    });
  }

  absl::Status DeleteTopic(const std::string& name) override {
    return Run<bool>([&](auto done) { any_.DeleteTopic(name, timeout_, std::move(done)); })
        .status();
  }

  absl::StatusOr<ClusterInfo> Describe(const std::vector<std::string>& topics) override {
    return Run<ClusterInfo>([&](auto done) { any_.Metadata(topics, timeout_, std::move(done)); });
  }

  absl::StatusOr<ClusterInfo> List() override { return Describe({}); }

  std::vector<absl::StatusOr<PartitionOffsets>> ListOffsets(const ClusterInfo& cluster,
                                                            const TopicInfo& topic,
                                                            int64_t timestamp_ms) override {
    auto answers = base::Rendezvous<std::vector<absl::StatusOr<PartitionOffsets>>>::Make();
    executor_.Post([&, answers] {
      AskOffsets(runtime_->connector(), cluster, topic, timestamp_ms, timeout_,
                 [answers](auto offsets) { answers->Set(std::move(offsets)); });
    });
    return answers->Wait();
  }

  std::vector<absl::StatusOr<BrokerStatus>> StatusOf(
      const std::vector<std::string>& addresses) override {
    using Answer = base::Rendezvous<absl::StatusOr<BrokerStatus>>;
    std::vector<std::shared_ptr<Answer>> waiting;
    for (const std::string& address : addresses) {
      waiting.push_back(Answer::Make());
      executor_.Post([this, address, answer = waiting.back()] {
        runtime_->connector().Status(
            address, timeout_, broker::v1::StatusRequest(),
            [answer](const auto& response) { answer->Set(ToBrokerStatus(response)); });
      });
    }
    std::vector<absl::StatusOr<BrokerStatus>> answers;
    for (const auto& answer : waiting) answers.push_back(answer->Wait());
    return answers;
  }

 private:
  // Runs `start(done)` on the executor and waits for the result it gives.
  template <typename Result, typename Start>
  absl::StatusOr<Result> Run(Start start) {
    auto result = base::Rendezvous<absl::StatusOr<Result>>::Make();
    executor_.Post([&start, result] {
      start(AnyBroker::Done<Result>([result](auto value) { result->Set(std::move(value)); }));
    });
    return result->Wait();
  }

  const absl::Duration timeout_;
  const std::unique_ptr<BrokerRuntime> runtime_;
  base::Executor& executor_;
  AnyBroker any_;  // executor_
};

}  // namespace

std::unique_ptr<Admin> NewAdmin(Admin::Options options, std::unique_ptr<BrokerRuntime> runtime) {
  return std::make_unique<BlockingAdmin>(std::move(options), std::move(runtime));
}

std::unique_ptr<Admin> Admin::Create(Options options) {
  return NewAdmin(std::move(options), NewGrpcBrokerRuntime("admin"));
}

}  // namespace bellwether::client
