#include "tests/support/raft_trace.h"

#include <variant>
#include <vector>

#include "fmt/format.h"

namespace bellwether::coord::raft {

std::string Describe(const Entry& entry) {
  const std::string place = fmt::format("{}/{}", entry.index, entry.term);
  switch (entry.type) {
    case EntryType::kNoop:
      return place + " noop";
    case EntryType::kCommands:
      return fmt::format("{} '{}'", place, entry.payload);
    case EntryType::kReadmit:
      return place + " readmit";
    case EntryType::kMembership:
      return fmt::format("{} members {}", place, Describe(*DecodeMembership(entry.payload)));
  }
  return place;
}

namespace {

std::string DescribeHalf(const std::vector<Member>& members) {
  std::string voters;
  std::string learners;
  for (const Member& member : members) {
    (member.voter ? voters : learners) +=
        fmt::format("{}{}", member.voter ? (voters.empty() ? "" : ",") : "+", member.id);
  }
  return voters + learners;
}

}  // namespace

std::string Describe(const Membership& membership) {
  const std::string now = DescribeHalf(membership.members);
  return membership.IsJoint() ? now + " to " + DescribeHalf(membership.next) : now;
}

namespace {

std::string DescribeBody(const VoteRequest& request) {
  return fmt::format("{} for term {}, last={}/{}{}", request.pre_vote ? "pre-vote?" : "vote?",
                     request.campaign_term, request.last_index, request.last_term,
                     request.leadership_transfer ? " by transfer" : "");
}

std::string DescribeBody(const VoteResponse& response) {
  return fmt::format("{} {} for term {}", response.pre_vote ? "pre-vote" : "vote",
                     response.granted ? "granted" : "refused", response.campaign_term);
}

std::string DescribeBody(const AppendRequest& request) {
  std::string text = fmt::format("append prev={}/{}", request.prev_index, request.prev_term);
  for (const EntryPtr& entry : request.entries) text += fmt::format(" [{}]", Describe(*entry));
  text += fmt::format(" commit={}", request.commit);
  if (request.read_round > ReadRound(0)) text += fmt::format(" round={}", request.read_round);
  return text;
}

std::string DescribeBody(const InstallSnapshot& request) {
  std::string text =
      fmt::format("snapshot {}/{}", request.snapshot.index, request.snapshot.term);
  if (request.read_round > ReadRound(0)) text += fmt::format(" round={}", request.read_round);
  return text;
}

std::string DescribeBody(const TimeoutNow&) { return "stand now"; }

std::string DescribeBody(const AppendResponse& response) {
  std::string text = response.rejected
                         ? fmt::format("differs at {}, try {}/{}", response.prev_index,
                                       response.hint_index, response.hint_term)
                         : fmt::format("accepts {}", response.match);
  if (response.read_round > ReadRound(0)) text += fmt::format(" round={}", response.read_round);
  if (response.awaiting_readmission) text += " awaiting";
  return text;
}

}  // namespace

std::string Describe(const Message& message) {
  return fmt::format("t{} {}", message.term,
                     std::visit([](const auto& body) { return DescribeBody(body); }, message.body));
}

}  // namespace bellwether::coord::raft
