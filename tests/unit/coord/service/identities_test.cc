#include "coord/service/identities.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using tree::Identities;
using tree::Identity;

const Identity kLocal{"ip", "127.0.0.1"};
// As ZooKeeper's documentation has it for "super:test".
constexpr std::string_view kSuperDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

TEST(AddressIdentity, IsTheAddressWithoutItsPort) {
  for (const char* address : {"127.0.0.1:2181", "127.0.0.1", "ipv4:127.0.0.1:52010"}) {
    EXPECT_EQ(AddressIdentity(address), kLocal) << address;
  }
}

TEST(AddressIdentity, KnowsTheWaysToWriteIpv6) {
  for (const char* address : {"::1", "[::1]:2181", "[::1]", "ipv6:[::1]:7", "ipv6:%5B::1%5D:7"}) {
    EXPECT_EQ(AddressIdentity(address).id, "::1") << address;
  }
  EXPECT_EQ(AddressIdentity("[fe80::1%eth0]:5").id, "fe80::1");
  EXPECT_EQ(AddressIdentity("[::ffff:127.0.0.1]:5"), kLocal);
}

TEST(AddressIdentity, TakesWhateverTransportsWrite) {
  EXPECT_EQ(AddressIdentity("").id, "");
  EXPECT_EQ(AddressIdentity("[").id, "");
  EXPECT_EQ(AddressIdentity("test").id, "test");
}

TEST(DigestIdentity, IsZookeepers) {
  EXPECT_EQ(DigestIdentity("super:test"), (Identity{"digest", std::string(kSuperDigest)}));
  EXPECT_EQ(DigestIdentity("bob:a:b").id.substr(0, 4), "bob:");
  EXPECT_EQ(DigestIdentity("").id, ":2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
}

TEST(Authenticate, AddsWhatIsProvedOnce) {
  const auto once = Authenticate({kLocal}, "digest", "bob:pw", "");
  ASSERT_TRUE(once.has_value());
  EXPECT_THAT(*once, ElementsAre(kLocal, DigestIdentity("bob:pw")));
  EXPECT_EQ(Authenticate(*once, "digest", "bob:pw", ""), once);
  EXPECT_EQ(Authenticate(*once, "ip", "", ""), once);
}

TEST(Authenticate, TheSuperuserIsWhoProvesItsDigest) {
  const auto super = Authenticate({kLocal}, "digest", "super:test", kSuperDigest);
  ASSERT_TRUE(super.has_value());
  EXPECT_THAT(*super, ElementsAre(kLocal, Identity{"super", ""}, DigestIdentity("super:test")));
  for (const std::string_view digest : {std::string_view(), kSuperDigest.substr(1)}) {
    EXPECT_EQ(Authenticate({kLocal}, "digest", "super:test", digest)->size(), 2u);
  }
  EXPECT_EQ(Authenticate({kLocal}, "digest", "super:wrong", kSuperDigest)->size(), 2u);
}

TEST(Authenticate, OtherSchemesFail) {
  for (const char* scheme : {"", "world", "auth", "super", "sasl", "x509"}) {
    EXPECT_FALSE(Authenticate({kLocal}, scheme, "a:b", kSuperDigest).has_value()) << scheme;
  }
}

TEST(Authenticate, IsBounded) {
  EXPECT_FALSE(Authenticate({}, "digest", std::string(kIdentityBytesMax, 'u'), "").has_value());
  Identities identities;
  for (size_t i = 0; i < tree::kIdentitiesMax; ++i) {
    auto more = Authenticate(identities, "digest", "u" + std::to_string(i) + ":", "");
    ASSERT_TRUE(more.has_value());
    identities = *more;
  }
  EXPECT_FALSE(Authenticate(identities, "digest", "one:more", "").has_value());
}

}  // namespace
}  // namespace bellwether::coord
