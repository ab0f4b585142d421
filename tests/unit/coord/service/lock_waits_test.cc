#include "coord/service/lock_waits.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Keeps what it was told, as in "granted /l/a-0000000000".
class RecordingWaiter : public LockWaiter {
 public:
  bool QueueGrantEvent(GrantEvent event) override {
    events.push_back(event);
    texts.push_back(fmt::format(
        "{} {}", event.type == GrantEvent::Type::kGranted ? "granted" : "gone", event.path));
    return true;
  }
  void PostWake() override {}
  std::vector<std::string> Take() { return std::exchange(texts, {}); }

  std::vector<GrantEvent> events;
  std::vector<std::string> texts;
};

class LockWaitsTest : public testing::Test {
 protected:
  LockWaitsTest() { Do(tree::Create{"/l"}); }

  void Do(tree::Operation operation, SessionId session = SessionId()) {
    const SessionId who = session == SessionId() ? machine_.session : session;
    const tree::ApplyOutcome outcome = machine_.Apply(who, std::move(operation));
    ASSERT_EQ(outcome.result.code, tree::ResultCode::kOk);
    path_ = outcome.result.path;
    woken_.clear();
    waits_.Follow(outcome.changes, woken_);
  }
  // The path of a znode that stands in line.
  std::string Stand(std::string prefix, SessionId session = SessionId()) {
    Do(tree::Create{std::move(prefix), {}, tree::CreateMode::kEphemeralSequential}, session);
    return path_;
  }
  std::optional<bool> Await(const std::string& path, std::shared_ptr<RecordingWaiter> waiter) {
    return waits_.Await(machine_.state, path, Token(path), std::move(waiter));
  }
  Zxid Token(const std::string& path) { return machine_.state.Exists(path)->czxid; }
  // As a connection's request.
  Response Ask(const std::string& path, std::shared_ptr<RecordingWaiter> waiter) {
    Request request;
    request.operation = AwaitGrant{path};
    Response response;
    response.result = AwaitGrantResult{Token(path)};
    ServeAwaitGrant(request, machine_.state, std::move(waiter), waits_, response);
    return response;
  }

  tree::Machine machine_;
  LockWaits waits_{LockWaits::Options{
      .per_waiter_max = 3, .total_max = 5, .line_places_max = 6, .places_max = 8}};
  std::shared_ptr<RecordingWaiter> a_ = std::make_shared<RecordingWaiter>();
  std::shared_ptr<RecordingWaiter> b_ = std::make_shared<RecordingWaiter>();
  std::string path_;
  WakeList woken_;
};

TEST_F(LockWaitsTest, TheFirstHoldsAndTheNextIsToldOnceWithItsTokenAndTheZxidOfTheChange) {
  const std::string first = Stand("/l/x-");
  const std::string second = Stand("/l/a-");  // sorts before the other by name
  const Zxid token = Token(second);
  EXPECT_EQ(Await(first, a_), true);
  EXPECT_EQ(Await(second, b_), false);
  Do(tree::Delete{first});
  EXPECT_THAT(a_->Take(), ElementsAre("gone " + first));
  EXPECT_THAT(b_->Take(), ElementsAre("granted " + second));
  EXPECT_EQ(b_->events[0].token, token);
  EXPECT_EQ(b_->events[0].zxid, machine_.state.zxid());
  EXPECT_THAT(woken_, ElementsAre(a_, b_));
  Stand("/l/x-");
  Do(tree::Delete{path_});
  EXPECT_THAT(b_->Take(), IsEmpty());
  Do(tree::Delete{second});
  EXPECT_THAT(b_->Take(), ElementsAre("gone " + second));
  EXPECT_EQ(waits_.count(), 0u);
}

TEST_F(LockWaitsTest, NobodyIsToldOfOneThatLeavesTheMiddleOfTheLine) {
  const std::string first = Stand("/l/x-");
  const std::string second = Stand("/l/x-");
  const std::string third = Stand("/l/x-");
  EXPECT_EQ(Await(third, a_), false);
  Do(tree::Delete{second});
  EXPECT_THAT(a_->Take(), IsEmpty());
  EXPECT_THAT(woken_, IsEmpty());
  Do(tree::Delete{first});
  EXPECT_THAT(a_->Take(), ElementsAre("granted " + third));
}

// However many wait, one is told.
TEST_F(LockWaitsTest, OnlyTheNextInLineIsTold) {
  std::vector<std::string> line;
  for (int i = 0; i < 4; ++i) line.push_back(Stand("/l/x-"));
  for (size_t i = 1; i < line.size(); ++i) EXPECT_EQ(Await(line[i], a_), false);
  Do(tree::Delete{line[0]});
  EXPECT_THAT(a_->Take(), ElementsAre("granted " + line[1]));
}

TEST_F(LockWaitsTest, WhoeverStandsInLineCountsAlsoWithoutWaiting) {
  Do(tree::Create{"/l/no-ephemeral-0000000000"});
  const std::string own = Stand("/l/x-");
  EXPECT_EQ(Await(own, a_), false);
  Do(tree::Create{"/l/behind-all"});
  Do(tree::Create{"/l/-"});  // before all
  Do(tree::Delete{"/l/no-ephemeral-0000000000"});
  EXPECT_THAT(a_->Take(), IsEmpty());
  Do(tree::Delete{"/l/-"});
  EXPECT_THAT(a_->Take(), ElementsAre("granted " + own));
}

// What one command does counts as a whole.
TEST_F(LockWaitsTest, TheEndOfASessionThatHoldsAndWaitsGrantsTheLockToAnother) {
  const SessionId other = machine_.Open();
  const std::string first = Stand("/l/x-", other);
  const std::string second = Stand("/l/x-", other);
  const std::string third = Stand("/l/x-");
  EXPECT_EQ(Await(first, a_), true);
  EXPECT_EQ(Await(second, a_), false);
  EXPECT_EQ(Await(third, b_), false);
  Do(tree::CloseSession{}, other);
  EXPECT_THAT(a_->Take(), ElementsAre("gone " + first, "gone " + second));
  EXPECT_THAT(b_->Take(), ElementsAre("granted " + third));
}

TEST_F(LockWaitsTest, AskedAgainItTellsWhoAskedLastAndNothingTwice) {
  const std::string first = Stand("/l/x-");
  const std::string second = Stand("/l/x-");
  EXPECT_EQ(Await(second, a_), false);
  EXPECT_EQ(Await(second, b_), false);
  EXPECT_EQ(waits_.count(), 1u);
  waits_.RemoveAll(*a_);
  Do(tree::Delete{first});
  EXPECT_THAT(a_->Take(), IsEmpty());
  EXPECT_THAT(b_->Take(), ElementsAre("granted " + second));
  EXPECT_EQ(Await(second, b_), true);
  Stand("/l/x-");
  Do(tree::Delete{path_});
  EXPECT_THAT(b_->Take(), IsEmpty());
}

TEST_F(LockWaitsTest, AWaiterThatIsGoneIsNotToldAndItsLineIsFreed) {
  const std::string first = Stand("/l/x-");
  const std::string second = Stand("/l/x-");
  EXPECT_EQ(Await(second, a_), false);
  EXPECT_EQ(waits_.places(), 2u);
  waits_.RemoveAll(*a_);
  EXPECT_EQ(waits_.count(), 0u);
  waits_.FreeUnused();
  EXPECT_EQ(waits_.places(), 0u);
  Do(tree::Delete{first});
  EXPECT_THAT(a_->Take(), IsEmpty());
  EXPECT_EQ(Await(second, a_), true);
}

TEST_F(LockWaitsTest, LinesOfAReplacedStateAreForgotten) {
  const std::string first = Stand("/l/x-");
  const std::string second = Stand("/l/x-");
  EXPECT_EQ(Await(second, a_), false);
  waits_.Clear();
  machine_.Apply(machine_.session, tree::Delete{first});  // by the snapshot: nobody is told
  EXPECT_EQ(Await(second, a_), true);
  waits_.RemoveAll(*b_);
}

TEST_F(LockWaitsTest, LocksThatAreBelowTheRootOrEachOtherAreLines) {
  const std::string at_root = Stand("/x-");
  const std::string nested = Stand("/l/x-");
  EXPECT_EQ(Await(at_root, a_), true);
  EXPECT_EQ(Await(nested, b_), true);
  Do(tree::DeleteRecursive{"/l"});
  EXPECT_THAT(b_->Take(), ElementsAre("gone " + nested));
  EXPECT_THAT(a_->Take(), IsEmpty());
}

TEST_F(LockWaitsTest, BoundsAreOfWaitersOfAllOfALineAndOfAllLines) {
  Do(tree::Create{"/m"});
  std::vector<std::string> line;
  for (int i = 0; i < 6; ++i) line.push_back(Stand("/l/x-"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Await(line[i], a_).has_value());
  EXPECT_FALSE(Await(line[3], a_).has_value());  // of one waiter
  EXPECT_TRUE(Await(line[2], a_).has_value());   // has its place
  std::vector<std::string> other;
  for (int i = 0; i < 3; ++i) other.push_back(Stand("/m/x-"));
  EXPECT_FALSE(Await(other[0], b_).has_value());  // 9 places
  Do(tree::Delete{other[2]});
  EXPECT_TRUE(Await(other[0], b_).has_value());
  EXPECT_TRUE(Await(other[1], b_).has_value());
  EXPECT_FALSE(Await(line[3], b_).has_value());  // of all
  waits_.RemoveAll(*a_);
  EXPECT_FALSE(Await(line[3], b_).has_value());  // the line of before takes room still
  waits_.FreeUnused();
  EXPECT_TRUE(Await(line[3], b_).has_value());
  waits_.RemoveAll(*b_);
  waits_.FreeUnused();
  Stand("/l/x-");
  EXPECT_FALSE(Await(line[0], a_).has_value());  // 7 in line
}

TEST_F(LockWaitsTest, ARequestIsAnsweredWithWhetherItHoldsOrWhyItCannotWait) {
  const std::string own = Stand("/l/x-");
  const Response response = Ask(own, a_);
  EXPECT_TRUE(std::get<AwaitGrantResult>(response.result).held);
  for (int i = 0; i < 6; ++i) Stand("/l/x-");
  waits_.RemoveAll(*a_);
  waits_.FreeUnused();
  const Response refused = Ask(own, a_);
  ASSERT_TRUE(refused.failure.has_value());
  EXPECT_EQ(refused.failure->reason, "too_many_waits");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(refused.result));
}

}  // namespace
}  // namespace bellwether::coord
