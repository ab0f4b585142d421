#include "client/outstanding_calls.h"

#include <memory>
#include <optional>
#include <vector>

#include "base/thread.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

// Keeps the tasks posted to it.
class KeepingExecutor : public base::Executor {
 public:
  void Post(base::Task task) override { tasks.push_back(std::move(task)); }
  base::TimerId RunAfter(absl::Duration, base::Task) override { return 0; }
  void Cancel(base::TimerId) override {}

  std::vector<base::Task> tasks;
};

struct Call {
  grpc::ClientContext context;
};

TEST(OutstandingCalls, LeavesAFinishedCallToTheExecutorAlone) {
  KeepingExecutor executor;
  std::weak_ptr<Call> watched;
  {
    OutstandingCalls calls;
    auto call = std::make_shared<Call>();
    watched = call;
    calls.Add(call->context);
    base::Thread grpc("grpc", [&calls, &executor, call = std::move(call)]() mutable {
      grpc::ClientContext& context = call->context;
      calls.Finish(context, executor, [call = std::move(call)] {});
    });
  }
  ASSERT_EQ(executor.tasks.size(), 1u);
  EXPECT_EQ(watched.use_count(), 1);
  executor.tasks.clear();
  EXPECT_TRUE(watched.expired());
}

TEST(OutstandingCalls, DestructionWaitsUntilTheExecutorHasTheCall) {
  KeepingExecutor executor;
  std::optional<base::Thread> grpc;  // outlives the calls
  {
    OutstandingCalls calls;
    auto call = std::make_shared<Call>();
    calls.Add(call->context);
    grpc.emplace("grpc", [&calls, &executor, call = std::move(call)]() mutable {
      grpc::ClientContext& context = call->context;
      calls.Finish(context, executor, [call = std::move(call)] {});
    });
  }
  EXPECT_EQ(executor.tasks.size(), 1u);
  grpc->Join();
}

}  // namespace
}  // namespace bellwether::client
