#include "client/broker_runtime.h"

#include "base/thread_executor.h"
#include "client/grpc_broker_channel.h"

namespace bellwether::client {
namespace {

class GrpcBrokerRuntime : public BrokerRuntime {
 public:
  explicit GrpcBrokerRuntime(const std::string& name)
      : executor_(name), connector_(NewGrpcBrokerConnector(executor_)) {}
  ~GrpcBrokerRuntime() override { executor_.Stop(); }

  base::Executor& executor() override { return executor_; }
  base::Clock& clock() override { return base::SystemClock(); }
  BrokerConnector& connector() override { return *connector_; }
  void Stop() override { executor_.Stop(); }

 private:
  base::ThreadExecutor executor_;
  const std::unique_ptr<BrokerConnector> connector_;
};

}  // namespace

std::unique_ptr<BrokerRuntime> NewGrpcBrokerRuntime(const std::string& name) {
  return std::make_unique<GrpcBrokerRuntime>(name);
}

}  // namespace bellwether::client
