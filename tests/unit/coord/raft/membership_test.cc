#include "coord/raft/membership.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwether::coord::raft {
namespace {

Membership Joint() {
  Membership membership;
  membership.members = {{ServerId(1), "a:1", true}, {ServerId(2), "b:1", true}};
  membership.next = {{ServerId(2), "b:1", false}, {ServerId(3), "c:1", true}};
  return membership;
}

TEST(Membership, EncodedAndDecodedIsTheSame) {
  const absl::StatusOr<Membership> decoded = DecodeMembership(Encode(Joint()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, Joint());
}

TEST(Membership, EveryCutOfItsBytesIsDamage) {
  const std::string bytes = Encode(Joint());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeMembership(bytes.substr(0, length)).status())) << length;
  }
}

TEST(Membership, LaterFormatIsNotGuessedAt) {
  std::string bytes = Encode(Joint());
  bytes[0] = 2;
  EXPECT_TRUE(absl::IsUnimplemented(DecodeMembership(bytes).status()));
}

TEST(Membership, VoterInEitherHalfIsAVoter) {
  EXPECT_TRUE(Joint().IsVoter(ServerId(1)));
  EXPECT_TRUE(Joint().IsVoter(ServerId(2)));
  EXPECT_TRUE(Joint().IsVoter(ServerId(3)));
  EXPECT_FALSE(Joint().IsVoter(ServerId(4)));
  EXPECT_EQ(Joint().Servers(), (std::vector<ServerId>{ServerId(1), ServerId(2), ServerId(3)}));
}

TEST(Membership, WithoutAVoterOrOutOfOrderIsRefused) {
  EXPECT_FALSE(Validate(std::vector<Member>{}).ok());
  EXPECT_FALSE(Validate({{ServerId(1), "", false}}).ok());
  EXPECT_FALSE(Validate({{ServerId(2), "", true}, {ServerId(1), "", true}}).ok());
  EXPECT_FALSE(Validate({{ServerId(1), "", true}, {ServerId(1), "", true}}).ok());
  EXPECT_FALSE(Validate({{ServerId(0), "", true}}).ok());
}

}  // namespace
}  // namespace bellwether::coord::raft
