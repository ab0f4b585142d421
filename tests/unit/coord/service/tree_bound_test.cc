#include "coord/service/tree_bound.h"

#include <string>

#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::HasSubstr;

constexpr uint64_t kBytesMax = 20'000;

ServiceOptions Bounded() {
  ServiceOptions options;
  options.server_id = 1;
  options.tree_bytes_max = kBytesMax;
  return options;
}

class TreeBoundTest : public ServiceTest {
 protected:
  TreeBoundTest() : ServiceTest(Bounded()) {}

  uint64_t Bytes() const { return EstimateTreeBytes(service_->View()); }

  // A client with a full tree: /full has the data.
  std::shared_ptr<TestClient> Filled() {
    auto client = Connect();
    client->Create("/full", std::string(kBytesMax, 'x'));
    Settle();
    EXPECT_GE(Bytes(), kBytesMax);
    return client;
  }
  // The answer to one that uses no sequence when it is refused.
  std::string Try(TestClient& client, RequestOperation operation) {
    Request request = client.Make(std::move(operation));
    request.sequence = kNextSequence;
    const uint64_t id = request.id;
    client.Send(std::move(request));
    Settle();
    return client.ReasonOf(id);
  }
};

tree::SharedBytes Data(std::string_view text) { return tree::SharedBytes::Copy(text); }

TEST_F(TreeBoundTest, RefusesWhatGrowsAndNothingElse) {
  auto client = Filled();
  using tree::Transaction;
  EXPECT_EQ(Try(*client, tree::Create{"/a"}), "tree_full");
  EXPECT_EQ(Try(*client, tree::SetData{"/full", Data("y")}), "tree_full");
  EXPECT_EQ(Try(*client, tree::SetAcl{"/full", {{31, "world", "anyone"}}}), "tree_full");
  EXPECT_EQ(Try(*client, tree::Import{}), "tree_full");
  EXPECT_EQ(Try(*client, Transaction{{}, {tree::Check{"/full"}, tree::Create{"/a"}}}), "tree_full");
  EXPECT_EQ(Try(*client, Transaction{{}, {tree::Check{"/full"}}}), "ok");
  EXPECT_EQ(Try(*client, GetRead{"/full"}), "ok");
  const auto other = Connect();
  EXPECT_FALSE(other->attached()->failure.has_value());
  EXPECT_EQ(Try(*other, tree::CloseSession{}), "ok");
  EXPECT_EQ(Try(*client, tree::Delete{"/full"}), "ok");
}

TEST_F(TreeBoundTest, SaysWhatIsFullAndThatNothingHappened) {
  auto client = Filled();
  const uint64_t id = client->Create("/a");
  Settle();
  const Failure& failure = *client->Find(id)->failure;
  EXPECT_EQ(failure.code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(failure.outcome, base::Outcome::kRejected);
  EXPECT_THAT(failure.message, HasSubstr("--tree-bytes-max"));
  EXPECT_EQ(service_->View().FindZnode("/a"), nullptr);
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_writes_refused_tree_full_total 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_tree_bytes_max 20000\n"));
}

TEST_F(TreeBoundTest, LetsTheTreeGrowAgainWhenItHasShrunk) {
  for (const bool by_delete : {true, false}) {
    auto client = Filled();
    EXPECT_EQ(Try(*client, tree::Create{"/a"}), "tree_full");
    if (by_delete) {
      EXPECT_EQ(Try(*client, tree::Delete{"/full"}), "ok");
    } else {
      EXPECT_EQ(Try(*client, tree::SetData{"/full", Data("")}), "ok");
    }
    EXPECT_EQ(Try(*client, tree::Create{"/a"}), "ok");
    EXPECT_EQ(Try(*client, tree::Delete{"/a"}), "ok");
  }
}

TEST_F(TreeBoundTest, HoldsForARestoredStateAtOnce) {
  Filled();
  TreeBound bound(kBytesMax, metrics_);
  EXPECT_FALSE(bound.Refuses(tree::Create{"/a"}).has_value());
  bound.Measure(service_->View());
  EXPECT_TRUE(bound.Refuses(tree::Create{"/a"}).has_value());
}

TEST_F(TreeBoundTest, WithoutABoundNothingIsRefused) {
  Filled();
  TreeBound none(0, metrics_);
  none.Measure(service_->View());
  EXPECT_FALSE(none.Refuses(tree::Create{"/a"}).has_value());
}

// Z46: what a client that counts no writes has behind a refused one is proposed as ever.
TEST_F(TreeBoundTest, AClientThatCountsNoWritesGoesOnBehindARefusal) {
  auto client = Filled();
  Request create = client->Make(tree::Create{"/a"});
  Request remove = client->Make(tree::Delete{"/full"});
  const uint64_t refused = create.id;
  const uint64_t behind = remove.id;
  create.sequence = remove.sequence = kNextSequence;
  client->Send(std::move(create));
  client->Send(std::move(remove));
  Settle();
  EXPECT_EQ(client->ReasonOf(refused), "tree_full");
  EXPECT_EQ(client->ReasonOf(behind), "ok");
}

// Z46: but when the log refused one, what is behind it must not take effect without it.
TEST_F(TreeBoundTest, AClientThatCountsNoWritesProposesNothingBehindALostOne) {
  auto client = Connect();
  log_.RejectNext();
  Request lost = client->Make(tree::Create{"/lost"});
  Request read = client->Make(GetRead{"/"});
  Request behind = client->Make(tree::Create{"/behind"});
  lost.sequence = behind.sequence = kNextSequence;
  const uint64_t id = behind.id;
  client->Send(std::move(lost));
  client->Send(std::move(read));
  client->Send(std::move(behind));
  Settle();
  EXPECT_EQ(client->ReasonOf(id), "sequence_gap");
  EXPECT_EQ(service_->View().FindZnode("/behind"), nullptr);
}

TEST_F(TreeBoundTest, CountsWhatTakesMemory) {
  auto client = Connect();
  const uint64_t before = Bytes();
  const auto grown_by = [&](RequestOperation operation) {
    const uint64_t bytes = Bytes();
    EXPECT_EQ(Try(*client, std::move(operation)), "ok");
    return Bytes() - bytes;
  };
  const uint64_t znode = grown_by(tree::Create{"/short"});
  EXPECT_GE(znode, 100u);
  const std::string name(1000, 'n');
  EXPECT_EQ(grown_by(tree::Create{"/b", Data("12345")}), znode + 5);
  EXPECT_GE(grown_by(tree::Create{"/" + name}), znode + 1000);
  // Kept with its session by its whole path, too.
  EXPECT_GE(grown_by(tree::Create{"/c" + name, {}, tree::CreateMode::kEphemeral}), znode + 2000);
  for (const std::string path : {"/short", "/b"}) client->Ask(tree::Delete{path});
  EXPECT_EQ(Try(*client, tree::Delete{"/" + name}), "ok");
  EXPECT_EQ(Try(*client, tree::CloseSession{}), "ok");
  EXPECT_LT(Bytes(), before);
}

}  // namespace
}  // namespace bellwether::coord
