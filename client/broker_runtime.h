#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "client/admin.h"
#include "client/broker_channel.h"
#include "client/consumer.h"
#include "client/producer.h"

namespace bellwether::client {

// What a producer, a consumer or an admin client runs on: an executor of its own, time, and the way
// to brokers. Owned by the object that runs on it; Create and Open of the public headers make one
// with a thread and gRPC, tests bring theirs.
class BrokerRuntime {
 public:
  virtual ~BrokerRuntime() = default;
  virtual base::Executor& executor() = 0;
  virtual base::Clock& clock() = 0;
  virtual BrokerConnector& connector() = 0;

  // Finishes the task under way; none runs after it. Idempotent; not from the executor.
  virtual void Stop() = 0;
};

using MakeBrokerRuntime = std::function<std::unique_ptr<BrokerRuntime>(const std::string& name)>;

// A thread called `name`, the machine's clock, gRPC.
std::unique_ptr<BrokerRuntime> NewGrpcBrokerRuntime(const std::string& name);

// As Create and Open of the public headers.
std::unique_ptr<Producer> NewProducer(Producer::Options options,
                                      std::unique_ptr<BrokerRuntime> runtime);
std::unique_ptr<Admin> NewAdmin(Admin::Options options, std::unique_ptr<BrokerRuntime> runtime);
absl::StatusOr<std::unique_ptr<Consumer>> OpenConsumer(Consumer::Options options,
                                                       const MakeBrokerRuntime& make_runtime);

}  // namespace bellwether::client
