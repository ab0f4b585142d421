#include "client/admin.h"

#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "base/thread_executor.h"
#include "client/any_broker.h"
#include "client/errors.h"
#include "client/grpc_broker_channel.h"
#include "client/offsets.h"

namespace bellwether::client {
namespace {

class BlockingAdmin : public Admin {
 public:
  explicit BlockingAdmin(Options options)
      : timeout_(options.timeout),
        executor_("admin"),
        connector_(NewGrpcBrokerConnector(executor_)),
        any_(std::make_unique<AnyBroker>(std::move(options.addresses), *connector_,
                                         base::SystemClock(), executor_, base::SystemRandom())) {}
  ~BlockingAdmin() override {
    executor_.Stop();
    any_.reset();
    connector_.reset();
  }

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
      any_->CreateTopic(std::move(request), timeout_, std::move(done));
    });
  }

  absl::Status DeleteTopic(const std::string& name) override {
    return Run<bool>([&](auto done) { any_->DeleteTopic(name, timeout_, std::move(done)); })
        .status();
  }

  absl::StatusOr<ClusterInfo> Describe(const std::vector<std::string>& topics) override {
    return Run<ClusterInfo>([&](auto done) { any_->Metadata(topics, timeout_, std::move(done)); });
  }

  absl::StatusOr<ClusterInfo> List() override { return Describe({}); }

  std::vector<absl::StatusOr<PartitionOffsets>> ListOffsets(const ClusterInfo& cluster,
                                                            const TopicInfo& topic,
                                                            int64_t timestamp_ms) override {
    auto answers = base::Rendezvous<std::vector<absl::StatusOr<PartitionOffsets>>>::Make();
    executor_.Post([&, answers] {
      AskOffsets(*connector_, cluster, topic, timestamp_ms, timeout_,
                 [answers](auto offsets) { answers->Set(std::move(offsets)); });
    });
    return answers->Wait();
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
  base::ThreadExecutor executor_;
  std::unique_ptr<BrokerConnector> connector_;
  std::unique_ptr<AnyBroker> any_;
};

}  // namespace

std::unique_ptr<Admin> Admin::Create(Options options) {
  return std::make_unique<BlockingAdmin>(std::move(options));
}

}  // namespace bellwether::client
