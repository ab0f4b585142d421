#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/recipes/leader_election.h"
#include "client/recipes/lock.h"
#include "tests/unit/client/fake_tree.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Param: whether the servers wait for their clients.
class LockTest : public ::testing::TestWithParam<bool> {
 protected:
  LockTest() { tree_.knows_grants = GetParam(); }

  // One program with a session and a lock.
  struct Contender {
    std::unique_ptr<CoordClient> client;
    std::unique_ptr<Lock> lock;
    std::optional<Zxid> token;
    absl::Status lost;
  };

  std::unique_ptr<Contender> Acquire() {
    auto contender = std::make_unique<Contender>();
    contender->client = tree_.NewClient();
    AcquireAgain(*contender);
    return contender;
  }
  void AcquireAgain(Contender& contender) {
    contender.token.reset();
    contender.lost = absl::OkStatus();
    contender.lock = std::make_unique<Lock>(*contender.client, "/locks/x", "name", Events(contender));
    contender.lock->Acquire();
    tree_.Serve();
  }
  static LockCallbacks Events(Contender& contender) {
    return {.on_acquired =
                [&contender](Zxid token) {
                  EXPECT_FALSE(contender.token.has_value());
                  contender.token = token;
                },
            .on_lost =
                [&contender](const absl::Status& why) {
                  EXPECT_TRUE(contender.lost.ok());
                  contender.lost = why;
                }};
  }
  absl::Status Release(Contender& contender) {
    absl::Status released = absl::UnknownError("not called");
    contender.lock->Release([&released](const absl::Status& status) { released = status; });
    tree_.Serve();
    return released;
  }

  ManualExecutor executor_;
  FakeEnsemble ensemble_;
  FakeTree tree_{ensemble_, executor_};
};

// R41.
TEST_P(LockTest, MakesItsParentsAndIsHeldByOneAtATimeWithGrowingTokens) {
  const auto a = Acquire();
  const auto b = Acquire();
  ASSERT_TRUE(a->token.has_value());
  EXPECT_FALSE(b->token.has_value());
  EXPECT_TRUE(Release(*a).ok());
  ASSERT_TRUE(b->token.has_value());
  EXPECT_GT(*b->token, *a->token);
  EXPECT_TRUE(a->lost.ok());
  EXPECT_THAT(tree_.Children("/locks/x"), SizeIs(1));
}

TEST_P(LockTest, WhoLeavesTheLineLetsNobodyPast) {
  const auto a = Acquire();
  const auto b = Acquire();
  const auto c = Acquire();
  EXPECT_TRUE(Release(*b).ok());
  EXPECT_FALSE(c->token.has_value());
  EXPECT_TRUE(Release(*a).ok());
  EXPECT_TRUE(c->token.has_value());
  EXPECT_FALSE(b->token.has_value());
}

// R31: an answer that was lost leaves no second znode behind.
TEST_P(LockTest, ACreateOfUnknownOutcomeStandsInLineOnce) {
  const auto a = Acquire();
  EXPECT_TRUE(Release(*a).ok());
  tree_.loses_answer = true;
  AcquireAgain(*a);
  EXPECT_FALSE(tree_.loses_answer);
  EXPECT_EQ(ensemble_.sessions.size(), 2u);
  EXPECT_TRUE(a->token.has_value());
  EXPECT_THAT(tree_.Children("/locks/x"), SizeIs(1));
}

TEST_P(LockTest, IsLostWhenSomeoneDeletesItsZnode) {
  const auto holder = Acquire();
  const auto waiter = Acquire();
  tree_.Delete(waiter->lock->own_path());
  tree_.Delete(holder->lock->own_path());
  EXPECT_TRUE(absl::IsAborted(holder->lost));
  EXPECT_TRUE(absl::IsAborted(waiter->lost));
  EXPECT_FALSE(waiter->token.has_value());
}

TEST_P(LockTest, IsLostAtTheSessionDeadlineAndLeavesTheLineWhenTheSessionComesBack) {
  const auto a = Acquire();
  executor_.Advance(absl::Milliseconds(8999));
  EXPECT_TRUE(a->lost.ok());
  executor_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(absl::IsAborted(a->lost));
  executor_.Advance(absl::Minutes(1));  // longer than requests live
  for (int i = 0; i < 5; ++i) {
    tree_.Serve();
    executor_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(a->client->state(), SessionState::kConnected);
  EXPECT_THAT(tree_.Children("/locks/x"), IsEmpty());
  AcquireAgain(*a);  // not behind itself
  EXPECT_TRUE(a->token.has_value());
}

TEST_P(LockTest, AReleaseBeforeTheCreateIsAnsweredLeavesNothingBehind) {
  const auto a = Acquire();
  EXPECT_TRUE(Release(*a).ok());
  a->token.reset();
  a->lock = std::make_unique<Lock>(*a->client, "/locks/x", "name", Events(*a));
  a->lock->Acquire();
  EXPECT_TRUE(Release(*a).ok());
  EXPECT_THAT(tree_.Children("/locks/x"), IsEmpty());
  EXPECT_FALSE(a->token.has_value());
}

TEST_P(LockTest, IsSilentOnceDestroyed) {
  const auto a = Acquire();
  const auto b = Acquire();
  const std::string path = b->lock->own_path();
  b->lock.reset();
  EXPECT_TRUE(Release(*a).ok());
  tree_.Delete(path);
  EXPECT_FALSE(b->token.has_value());
  EXPECT_TRUE(b->lost.ok());
}

TEST_P(LockTest, SurvivesALostConnectionAlsoToAServerOfAnotherRelease) {
  const auto a = Acquire();
  const auto b = Acquire();
  tree_.knows_grants = !tree_.knows_grants;
  a->client->Reconnect();
  b->client->Reconnect();
  executor_.Advance(absl::Milliseconds(500));
  tree_.Serve();
  EXPECT_TRUE(a->lost.ok());
  EXPECT_FALSE(b->token.has_value());
  EXPECT_TRUE(Release(*a).ok());
  EXPECT_TRUE(b->token.has_value());
  tree_.Delete(b->lock->own_path());
  EXPECT_TRUE(absl::IsAborted(b->lost));
}

// Contenders of both kinds stand in one line.
TEST_P(LockTest, IsOneForClientsOfBothReleases) {
  const auto a = Acquire();
  tree_.knows_grants = !tree_.knows_grants;
  const auto b = Acquire();
  tree_.knows_grants = !tree_.knows_grants;
  const auto c = Acquire();
  EXPECT_FALSE(b->token.has_value());
  EXPECT_TRUE(Release(*a).ok());
  EXPECT_TRUE(b->token.has_value());
  EXPECT_FALSE(c->token.has_value());
  EXPECT_TRUE(Release(*b).ok());
  EXPECT_TRUE(c->token.has_value());
}

TEST_P(LockTest, AsksAServerThatWaitsOnceHoweverLongTheLine) {
  const auto a = Acquire();
  const auto b = Acquire();
  int before = tree_.requests;
  const auto c = Acquire();
  EXPECT_EQ(tree_.requests == before + 2, GetParam());  // create, await
  before = tree_.requests;
  EXPECT_TRUE(Release(*b).ok());
  EXPECT_TRUE(Release(*a).ok());
  EXPECT_EQ(tree_.requests == before + 2, GetParam());  // the two deletes
  EXPECT_TRUE(c->token.has_value());
}

INSTANTIATE_TEST_SUITE_P(Servers, LockTest, ::testing::Bool());

class ElectionTest : public LockTest {
 protected:
  struct Candidate {
    std::unique_ptr<CoordClient> client;
    std::unique_ptr<LeaderElection> election;
    std::optional<Zxid> term;
  };
  std::unique_ptr<Candidate> Campaign(const std::string& name) {
    auto candidate = std::make_unique<Candidate>();
    candidate->client = tree_.NewClient();
    candidate->election = std::make_unique<LeaderElection>(
        *candidate->client, "/elections/x", name,
        LockCallbacks{.on_acquired = [c = candidate.get()](Zxid term) { c->term = term; },
                      .on_lost = [](const absl::Status&) {}});
    candidate->election->Campaign();
    tree_.Serve();
    return candidate;
  }
  absl::StatusOr<std::pair<std::string, Zxid>> CurrentLeader(Candidate& candidate) {
    absl::StatusOr<std::pair<std::string, Zxid>> leader = absl::UnknownError("not called");
    LeaderElection::CurrentLeader(*candidate.client, "/elections/x",
                                  [&leader](auto result) { leader = std::move(result); });
    tree_.Serve();
    return leader;
  }
};

// R41.
TEST_P(ElectionTest, TellsWhoLeadsSinceWhichTerm) {
  const auto a = Campaign("a:1");
  const auto b = Campaign("b:1");
  ASSERT_TRUE(a->term.has_value());
  EXPECT_EQ(CurrentLeader(*b).value(), std::pair(std::string("a:1"), *a->term));
  a->election->Resign([](const absl::Status&) {});
  tree_.Serve();
  ASSERT_TRUE(b->term.has_value());
  EXPECT_GT(*b->term, *a->term);
  EXPECT_EQ(CurrentLeader(*a).value(), std::pair(std::string("b:1"), *b->term));
  b->election->Resign([](const absl::Status&) {});
  tree_.Serve();
  EXPECT_TRUE(absl::IsNotFound(CurrentLeader(*a).status()));
}

INSTANTIATE_TEST_SUITE_P(Servers, ElectionTest, ::testing::Bool());

}  // namespace
}  // namespace bellwether::client
