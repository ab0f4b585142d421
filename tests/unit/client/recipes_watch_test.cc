#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "client/recipes/config_cache.h"
#include "client/recipes/discovery.h"
#include "tests/unit/client/fake_tree.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

// Discovery and ConfigCache: what they make of the frames of a watch.
class WatchRecipesTest : public ::testing::Test {
 protected:
  void DeliverState(const std::vector<std::pair<std::string, std::string>>& znodes, bool last) {
    coord::v1::WatchResponse frame;
    frame.mutable_state()->set_zxid(20);
    frame.mutable_state()->set_last(last);
    for (const auto& [path, data] : znodes) {
      coord::v1::Znode& znode = *frame.mutable_state()->add_znodes();
      znode.set_path(path);
      znode.set_data(data);
      znode.mutable_stat()->set_czxid(15);
      znode.mutable_stat()->set_mzxid(15);
    }
    ensemble_.watches.back()->Deliver(executor_, frame);
  }
  void DeliverChange(coord::v1::ChangeType type, const std::string& path, const std::string& data) {
    coord::v1::WatchResponse frame;
    frame.mutable_changes()->set_zxid(++zxid_);
    coord::v1::Change& change = *frame.mutable_changes()->add_changes();
    change.set_type(type);
    change.set_path(path);
    if (type != coord::v1::CHANGE_TYPE_DELETED) change.set_data(data);
    ensemble_.watches.back()->Deliver(executor_, frame);
  }
  void EndWatch() {
    ensemble_.watches.back()->End(executor_, absl::InvalidArgumentError("bad path"));
  }

  ManualExecutor executor_;
  FakeEnsemble ensemble_;
  FakeTree tree_{ensemble_, executor_};
  std::unique_ptr<CoordClient> client_ = tree_.NewClient();
  int64_t zxid_ = 20;
  std::vector<std::string> events_;
};

TEST_F(WatchRecipesTest, DiscoveryTellsTheMembersOnceKnownAndAfterEveryChangeOfThem) {
  Discovery discovery(*client_, "/group",
                      {.on_change =
                           [this](const Discovery::Members& members) {
                             events_.push_back(absl::StrJoin(members, " ", absl::PairFormatter("=")));
                           },
                       .on_end = [this](const absl::Status&) { events_.push_back("end"); }});
  executor_.Run();
  EXPECT_EQ(ensemble_.watches.back()->request.path(), "/group");
  EXPECT_TRUE(ensemble_.watches.back()->request.recursive());
  DeliverState({{"/group", ""}, {"/group/a", "1"}}, false);
  EXPECT_THAT(events_, ElementsAre());
  DeliverState({{"/group/a/x", "not a member"}, {"/group/b", "2"}}, true);
  DeliverChange(coord::v1::CHANGE_TYPE_CHANGED, "/group/a/x", "");
  DeliverChange(coord::v1::CHANGE_TYPE_CHANGED, "/group/a", "3");
  DeliverChange(coord::v1::CHANGE_TYPE_DELETED, "/group/b", "");
  DeliverChange(coord::v1::CHANGE_TYPE_CREATED, "/group/c", "4");
  EndWatch();
  EXPECT_THAT(events_, ElementsAre("a=1 b=2", "a=3 b=2", "a=3", "a=3 c=4", "end"));
}

TEST_F(WatchRecipesTest, AnEmptyGroupIsKnownToBeEmpty) {
  int calls = 0;
  Discovery discovery(*client_, "/group",
                      {.on_change =
                           [&calls](const Discovery::Members& members) {
                             EXPECT_TRUE(members.empty());
                             ++calls;
                           },
                       .on_end = [](const absl::Status&) {}});
  executor_.Run();
  DeliverState({}, true);
  EXPECT_EQ(calls, 1);
}

TEST_F(WatchRecipesTest, JoiningMakesTheGroupAndFailsForANameThatIsTaken) {
  std::vector<absl::StatusCode> codes;
  for (int i = 0; i < 2; ++i) {
    Discovery::Join(*client_, "/deep/group", "a", "1",
                    [&codes](const auto& result) { codes.push_back(result.status().code()); });
    tree_.Serve();
  }
  EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(tree_.Paths(), ElementsAre("/deep", "/deep/group", "/deep/group/a"));
  EXPECT_EQ(ensemble_.sessions.back()->Requests().back().create().mode(),
            coord::v1::CREATE_MODE_EPHEMERAL);
}

TEST_F(WatchRecipesTest, ConfigCacheIsReadyAfterTheWholeStateAndFollowsChanges) {
  ConfigCache* self = nullptr;
  ConfigCache cache(*client_, "/config",
                    {.on_ready = [this] { events_.push_back("ready"); },
                     .on_change =
                         [&](const std::string& path, const Data& data) {
                           EXPECT_EQ(self->Get(path), data);  // in effect already
                           events_.push_back(path + "=" + data.value_or("null"));
                         },
                     .on_end = [this](const absl::Status&) { events_.push_back("end"); }});
  self = &cache;
  executor_.Run();
  DeliverState({{"/config", "root"}, {"/config/a", "1"}}, false);
  EXPECT_THAT(events_, ElementsAre());
  DeliverState({{"/config/b", "2"}}, true);
  EXPECT_EQ(cache.Get("/config/b"), "2");
  EXPECT_EQ(cache.Get("/config/c"), std::nullopt);
  DeliverChange(coord::v1::CHANGE_TYPE_CHANGED, "/config/a", "3");
  DeliverChange(coord::v1::CHANGE_TYPE_DELETED, "/config/b", "");
  EndWatch();
  EXPECT_THAT(events_, ElementsAre("ready", "/config/a=3", "/config/b=null", "end"));
  EXPECT_EQ(cache.Get("/config/a"), "3");  // the last known value
  EXPECT_EQ(cache.Get("/config/b"), std::nullopt);
}

}  // namespace
}  // namespace bellwether::client
