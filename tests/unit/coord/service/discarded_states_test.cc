// What is freed where no command waits for it.
#include "coord/service/discarded_states.h"

#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord {
namespace {

using testing::HasSubstr;

// Keeps its tasks until it is told to run them.
class HeldExecutor : public base::Executor {
 public:
  void Post(base::Task task) override { tasks.push_back(std::move(task)); }
  base::TimerId RunAfter(absl::Duration, base::Task) override { return 0; }
  void Cancel(base::TimerId) override {}
  void RunAll() {
    for (base::Task& task : std::exchange(tasks, {})) task();
  }

  std::vector<base::Task> tasks;
};

TEST(DiscardedStates, AreFreedByTheExecutor) {
  HeldExecutor executor;
  base::Metrics metrics;
  DiscardedStates discarded(executor, metrics);
  tree::Machine machine;
  machine.Create("/a", "data");
  discarded.Free(machine.state.View());
  EXPECT_EQ(executor.tasks.size(), 1u);
  executor.RunAll();
  for (size_t i = 0; i < DiscardedStates::kWaitingMax; ++i) discarded.Free(machine.state.View());
  EXPECT_EQ(executor.tasks.size(), DiscardedStates::kWaitingMax) << "there was room again";
}

TEST(DiscardedStates, BeyondTheBoundWhoGivesThemFreesThem) {
  HeldExecutor executor;
  base::Metrics metrics;
  DiscardedStates discarded(executor, metrics);
  tree::Machine machine;
  for (size_t i = 0; i < DiscardedStates::kWaitingMax + 3; ++i) {
    discarded.Free(machine.state.View());
  }
  EXPECT_EQ(executor.tasks.size(), DiscardedStates::kWaitingMax);
  EXPECT_THAT(metrics.Text(), HasSubstr("\nbell_states_freed_by_applier_total 3\n"));
}

// The executor of operators' questions is the last one for streams here, unless a server has one.
class DiscardingServiceTest : public ServiceTest {
 protected:
  bool Waits(int states) {
    return metrics_.Text().find(fmt::format("\nbell_discarded_states {}\n", states)) !=
           std::string::npos;
  }
};

TEST_F(DiscardingServiceTest, ALargeDeletionIsAnsweredBeforeItIsFreed) {
  auto client = Connect();
  client->Create("/a");
  for (int i = 0; i < 100; ++i) client->Create(fmt::format("/a/{}", i), "data");
  client->Create("/b");
  Settle();
  other_io_executor_.Pause();
  const uint64_t deleted = client->Ask(tree::DeleteRecursive{"/a"});
  const uint64_t single = client->Ask(tree::DeleteRecursive{"/b"});
  Settle();
  EXPECT_EQ(std::get<DeleteResult>(client->Find(deleted)->result).deleted, 101u);
  EXPECT_EQ(client->ReasonOf(single), "ok");
  EXPECT_TRUE(Waits(1)) << "only what has something below it";
  other_io_executor_.Resume();
  Settle();
  EXPECT_TRUE(Waits(0));
}

}  // namespace
}  // namespace bellwether::coord
