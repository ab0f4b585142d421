// What a connection is told of its znode that stands in line for a lock.
#include <string>

#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class GrantsTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    maker_ = Connect();
    maker_->Create("/l");
    Settle();
  }
  // The path of a new znode in line.
  std::string Stand(TestClient& client) {
    const uint64_t id = client.Ask(
        tree::Create{"/l/x-", tree::SharedBytes(), tree::CreateMode::kEphemeralSequential});
    Settle();
    return std::get<CreateResult>(client.Find(id)->result).path;
  }
  // "held", "waits" or the reason of the refusal.
  std::string Await(TestClient& client, const std::string& path) {
    const uint64_t id = client.AskStale(AwaitGrant{path});
    Settle();
    if (const std::string reason = client.ReasonOf(id); reason != "ok") return reason;
    return std::get<AwaitGrantResult>(client.Find(id)->result).held ? "held" : "waits";
  }
  // Paths, with what happened.
  static std::vector<std::string> Told(const TestClient& client) {
    std::vector<std::string> told;
    for (const GrantEvent& event : client.All<GrantEvent>()) {
      told.push_back((event.type == GrantEvent::Type::kGranted ? "granted " : "gone ") + event.path);
    }
    return told;
  }

  std::shared_ptr<TestClient> maker_;
};

TEST_F(GrantsTest, TheNextIsToldWhenTheFirstIsDeleted) {
  auto a = Connect();
  auto b = Connect();
  const std::string first = Stand(*a);
  const std::string second = Stand(*b);
  EXPECT_EQ(Await(*a, first), "held");
  EXPECT_EQ(Await(*b, second), "waits");
  a->Ask(tree::Delete{first});
  Settle();
  EXPECT_THAT(Told(*a), ElementsAre("gone " + first));
  EXPECT_THAT(Told(*b), ElementsAre("granted " + second));
  EXPECT_EQ(Await(*b, second), "held");
}

// Z25: also when it is the waiting client itself that deletes the one before, or reads right after.
TEST_F(GrantsTest, TheEventComesBeforeAnyReplyThatCouldRevealIt) {
  auto a = Connect();
  auto b = Connect();
  const std::string first = Stand(*a);
  const std::string second = Stand(*b);
  EXPECT_EQ(Await(*b, second), "waits");
  const uint64_t deleted = b->Ask(tree::Delete{first});
  Settle();
  ASSERT_EQ(b->ReasonOf(deleted), "ok");
  ASSERT_THAT(Told(*b), ElementsAre("granted " + second));
  const size_t size = b->frames.size();
  EXPECT_TRUE(std::holds_alternative<GrantEvent>(b->frames[size - 2]));
  EXPECT_EQ(std::get<GrantEvent>(b->frames[size - 2]).zxid,
            std::get<Response>(b->frames[size - 1]).zxid);
}

TEST_F(GrantsTest, AnotherConnectionOfTheSessionAsksAgain) {
  auto a = Connect();
  auto b = Connect();
  const std::string first = Stand(*a);
  const std::string second = Stand(*b);
  EXPECT_EQ(Await(*b, second), "waits");
  auto again = Connect(Again(*b));
  EXPECT_EQ(Await(*again, second), "waits");
  a->Ask(tree::CloseSession());
  Settle();
  EXPECT_THAT(Told(*b), IsEmpty());
  EXPECT_THAT(Told(*again), ElementsAre("granted " + second));
}

TEST_F(GrantsTest, AConnectionThatIsClosedWaitsForNothing) {
  auto a = Connect();
  const std::string first = Stand(*maker_);
  EXPECT_EQ(Await(*a, Stand(*a)), "waits");
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_lock_waits 1\n"));
  a->Close();
  Settle();
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_lock_waits 0\n"));
}

TEST_F(GrantsTest, OnlyAnEphemeralZnodeOfTheSessionWaits) {
  auto a = Connect();
  const std::string first = Stand(*a);
  maker_->Create("/l/y-0000000009");
  Settle();
  EXPECT_EQ(Await(*maker_, first), "not_owner");
  EXPECT_EQ(Await(*maker_, "/l/y-0000000009"), "not_owner");
  EXPECT_EQ(Await(*maker_, "/l/x-0000000077"), "no_node");
  EXPECT_EQ(Await(*maker_, "/m/x-0000000077"), "no_node");
  EXPECT_EQ(Await(*maker_, "/"), "not_owner");
  EXPECT_EQ(Await(*maker_, "l"), "bad_arguments");
  EXPECT_EQ(Await(*maker_, ""), "bad_arguments");
  AttachRequest read_only;
  read_only.read_only = true;
  auto reader = Connect(read_only);
  EXPECT_EQ(Await(*reader, "/l/y-0000000009"), "not_owner");
}

TEST_F(GrantsTest, WhoMayNotReadTheLineIsNotTold) {
  auto a = Connect();
  const std::string first = Stand(*a);
  maker_->Ask(tree::SetAcl{"/l", {{tree::kCreate, "world", "anyone"}}});
  Settle();
  EXPECT_EQ(Await(*a, first), "no_auth");
}

}  // namespace
}  // namespace bellwether::coord
