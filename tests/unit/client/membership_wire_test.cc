// Questions about the members of an ensemble, and their answers, as they go over the wire.

#include "client/wire.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using Kind = MembershipChange::Kind;
using coord::v1::MembershipRequest;

TEST(MembershipWire, EveryChangeIsAnOperationOfItsOwn) {
  EXPECT_EQ(ToWire(MembershipChange()).operation_case(), MembershipRequest::OPERATION_NOT_SET);
  const MembershipRequest add = ToWire(MembershipChange{Kind::kAdd, 4, "h:1"});
  ASSERT_EQ(add.operation_case(), MembershipRequest::kAdd);
  EXPECT_EQ(add.add().id(), 4u);
  EXPECT_EQ(add.add().address(), "h:1");
  const MembershipRequest promote = ToWire(MembershipChange{Kind::kPromote, 5, ""});
  ASSERT_EQ(promote.operation_case(), MembershipRequest::kPromote);
  EXPECT_EQ(promote.promote().id(), 5u);
  const MembershipRequest remove = ToWire(MembershipChange{Kind::kRemove, 6, ""});
  ASSERT_EQ(remove.operation_case(), MembershipRequest::kRemove);
  EXPECT_EQ(remove.remove().id(), 6u);
  const MembershipRequest transfer = ToWire(MembershipChange{Kind::kTransfer, 0, ""});
  ASSERT_EQ(transfer.operation_case(), MembershipRequest::kTransfer);
  EXPECT_EQ(transfer.transfer().id(), 0u);
}

TEST(MembershipWire, AnswersKeepEveryField) {
  coord::v1::MembershipResponse response;
  response.set_term(3);
  response.set_leader_id(2);
  response.set_index(40);
  response.set_last_index(50);
  response.set_changing(true);
  coord::v1::Member& sent = *response.add_members();
  sent.set_id(7);
  sent.set_peer("p:1");
  sent.set_grpc("g:1");
  sent.set_active(true);
  sent.set_needs_snapshot(true);
  sent.set_match_index(45);
  const MembershipStatus status = FromWire(response);
  EXPECT_EQ(status.term, 3u);
  EXPECT_EQ(status.leader_id, 2u);
  EXPECT_EQ(status.index, 40u);
  EXPECT_EQ(status.last_index, 50u);
  EXPECT_TRUE(status.changing);
  ASSERT_EQ(status.members.size(), 1u);
  const MembershipStatus::Member& member = status.members.front();
  EXPECT_EQ(member.id, 7u);
  EXPECT_EQ(member.peer, "p:1");
  EXPECT_EQ(member.grpc, "g:1");
  EXPECT_TRUE(member.active && member.needs_snapshot);
  EXPECT_FALSE(member.voter || member.leaving || member.awaiting_readmission);
  EXPECT_EQ(member.match_index, 45u);
}

}  // namespace
}  // namespace bellwether::client
