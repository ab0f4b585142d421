#include "coord/replica/forwarding.h"

#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/forward_run.h"

namespace bellwether::coord {
namespace {

struct Answers {
  Proposal Make(std::string command) {
    Proposal proposal;
    proposal.bytes = command.size();
    proposal.commands.push_back({std::move(command), "who"});
    proposal.done = [this](absl::Status status) { statuses.push_back(std::move(status)); };
    return proposal;
  }
  std::vector<Proposal> Group(std::vector<std::string> commands) {
    std::vector<Proposal> group;
    for (std::string& command : commands) group.push_back(Make(std::move(command)));
    return group;
  }
  std::vector<absl::Status> statuses;
};

ForwardReply ReplyTo(uint64_t stream, uint64_t position, absl::Status status = absl::OkStatus()) {
  ForwardReply reply;
  reply.stream_id = stream;
  reply.position = position;
  reply.status = std::move(status);
  return reply;
}

bool HasUnknownOutcome(const absl::Status& status) {
  return !status.ok() && base::OutcomeOf(status) == base::Outcome::kUnknown;
}

TEST(ForwardSender, NumbersGroupsAndCompletesThemInOrder) {
  Answers answers;
  ForwardSender sender;
  sender.Open(7, ServerId(2), Term(3));
  const Forward first = sender.Add(answers.Group({"a", "b"}), absl::Seconds(1));
  const Forward second = sender.Add(answers.Group({"c"}), absl::Seconds(2));
  EXPECT_EQ(first.position, 1u);
  EXPECT_EQ(second.position, 2u);
  EXPECT_EQ(first.commands, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(first.principals, (std::vector<std::string>{"who", "who"}));
  EXPECT_EQ(first.term, Term(3));
  EXPECT_EQ(sender.bytes(), 3u);
  EXPECT_EQ(sender.oldest(), absl::Seconds(1));
  EXPECT_TRUE(sender.OnReply(ReplyTo(7, 1)));
  EXPECT_TRUE(sender.OnReply(ReplyTo(7, 2, absl::ResourceExhaustedError("full"))));
  ASSERT_EQ(answers.statuses.size(), 3u);
  EXPECT_TRUE(answers.statuses[0].ok() && answers.statuses[1].ok());
  EXPECT_EQ(base::OutcomeOf(answers.statuses[2]), base::Outcome::kRejected);
  EXPECT_EQ(sender.bytes(), 0u);
}

TEST(ForwardSender, BreakingMakesTheUnansweredUnknown) {
  Answers answers;
  ForwardSender sender;
  sender.Open(7, ServerId(2), Term(3));
  sender.Add(answers.Group({"a"}), absl::ZeroDuration());
  sender.Add(answers.Group({"b"}), absl::ZeroDuration());
  sender.OnReply(ReplyTo(7, 1));
  sender.Break("the leader changed");
  sender.Open(8, ServerId(3), Term(4));
  ASSERT_EQ(answers.statuses.size(), 2u);
  EXPECT_TRUE(answers.statuses[0].ok());
  EXPECT_TRUE(HasUnknownOutcome(answers.statuses[1]));
  EXPECT_EQ(sender.Add(answers.Group({"c"}), absl::ZeroDuration()).position, 1u);
}

TEST(ForwardSender, MissingAnswerAndGapEndTheStream) {
  Answers answers;
  ForwardSender sender;
  sender.Open(7, ServerId(2), Term(3));
  sender.Add(answers.Group({"a"}), absl::ZeroDuration());
  sender.Add(answers.Group({"b"}), absl::ZeroDuration());
  EXPECT_FALSE(sender.OnReply(ReplyTo(7, 2)));
  EXPECT_FALSE(sender.OnReply(ReplyTo(7, 1, absl::AbortedError("gap"))));
  EXPECT_TRUE(answers.statuses.empty());
  sender.Break("lost");
  EXPECT_TRUE(HasUnknownOutcome(answers.statuses.at(0)));
  EXPECT_TRUE(HasUnknownOutcome(answers.statuses.at(1)));
}

TEST(ForwardSender, IgnoresAnswersToAnEarlierStream) {
  Answers answers;
  ForwardSender sender;
  sender.Open(7, ServerId(2), Term(3));
  sender.Add(answers.Group({"a"}), absl::ZeroDuration());
  sender.Break("the leader changed");
  sender.Open(8, ServerId(2), Term(4));
  sender.Add(answers.Group({"b"}), absl::ZeroDuration());
  EXPECT_TRUE(sender.OnReply(ReplyTo(7, 1)));
  EXPECT_EQ(answers.statuses.size(), 1u);
}

Forward ForwardOf(uint64_t stream, uint64_t position) {
  Forward forward;
  forward.stream_id = stream;
  forward.position = position;
  return forward;
}

TEST(ForwardReceiver, AcceptsOnlyTheNextPosition) {
  ForwardReceiver receiver;
  EXPECT_TRUE(receiver.Accept(ServerId(2), ForwardOf(7, 1)).ok());
  EXPECT_TRUE(receiver.Accept(ServerId(3), ForwardOf(9, 1)).ok());
  EXPECT_TRUE(receiver.Accept(ServerId(2), ForwardOf(7, 2)).ok());
  EXPECT_TRUE(absl::IsAborted(receiver.Accept(ServerId(2), ForwardOf(7, 2))));
}

TEST(ForwardReceiver, StreamWithAGapIsOverUntilANewOneBegins) {
  ForwardReceiver receiver;
  EXPECT_TRUE(receiver.Accept(ServerId(2), ForwardOf(7, 1)).ok());
  EXPECT_TRUE(absl::IsAborted(receiver.Accept(ServerId(2), ForwardOf(7, 3))));
  EXPECT_TRUE(absl::IsAborted(receiver.Accept(ServerId(2), ForwardOf(7, 2))));
  EXPECT_TRUE(receiver.Accept(ServerId(2), ForwardOf(8, 1)).ok());
  receiver.Forget(ServerId(2));
  EXPECT_TRUE(absl::IsAborted(receiver.Accept(ServerId(2), ForwardOf(8, 2))));
}

// Thesis section 6.2: clients may talk to any server, which hands on to the leader what it is asked.
TEST(Forwards, AreAppendedInOrderWhoeverLeads) {
  uint64_t applied = 0;
  uint64_t refused = 0;
  uint64_t leaders_back = 0;
  constexpr uint64_t kSeeds = 20 / BELLWETHER_SEEDS_DIVISOR;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const ForwardRun run = RunForwards(seed);
    EXPECT_EQ(run.violation, "");
    applied += run.applied;
    refused += run.refused;
    leaders_back += run.leaders_back;
  }
  // A run that did too little proves nothing.
  EXPECT_GT(applied, 60 * kSeeds);
  EXPECT_GT(refused, kSeeds);
  EXPECT_GT(leaders_back, kSeeds);
}

}  // namespace
}  // namespace bellwether::coord
