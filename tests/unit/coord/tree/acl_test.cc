#include "coord/tree/acl.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coord/tree/acl_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;

const Identity kUser = {"digest", "user:hash"};
const Identity kAddress = {"ip", "10.1.2.3"};

bool Lets(const Acl& acl, uint32_t any_of, const Identities& identities) {
  return Allows(&acl, any_of, identities);
}

bool AddressMatches(std::string_view id, std::string_view address) {
  return Lets({{kRead, "ip", std::string(id)}}, kRead, {{"ip", std::string(address)}});
}

std::optional<Acl> FixedUpId(std::string_view scheme, std::string_view id) {
  return FixUpAcl({{kRead, std::string(scheme), std::string(id)}}, {kUser});
}

// Z49.
TEST(Allows, EverythingWithoutAnAcl) {
  EXPECT_TRUE(Allows(nullptr, kAllPermissions, {}));
  EXPECT_TRUE(Allows(AclPtr(), kAdmin, {}));
  EXPECT_TRUE(Lets({}, kAdmin, {}));
}

// Z50.
TEST(Allows, WhoeverHasTheIdentity) {
  const Acl acl = {{kRead | kWrite, "digest", "user:hash"}, {kCreate, "world", "anyone"}};
  EXPECT_TRUE(Lets(acl, kRead, {kUser}));
  EXPECT_TRUE(Lets(acl, kWrite, {kAddress, kUser}));
  EXPECT_FALSE(Lets(acl, kDelete, {kUser}));
  EXPECT_FALSE(Lets(acl, kRead, {}));
  EXPECT_FALSE(Lets(acl, kRead, {{"digest", "user:other"}}));
  EXPECT_FALSE(Lets(acl, kRead, {{"x509", "user:hash"}}));
  EXPECT_TRUE(Lets(acl, kCreate, {}));
}

TEST(Allows, AnyOneOfThePermissions) {
  const Acl acl = {{kAdmin, "digest", "user:hash"}};
  EXPECT_TRUE(Lets(acl, kRead | kAdmin, {kUser}));
  EXPECT_FALSE(Lets(acl, kRead | kWrite, {kUser}));
}

TEST(Allows, TheSuperuserEverything) {
  const Acl nobody = {{0, "world", "anyone"}};
  EXPECT_FALSE(Lets(nobody, kRead, {kUser, kAddress}));
  EXPECT_TRUE(Lets(nobody, kRead, {kUser, {"super", ""}}));
}

// An entry of a scheme that can't be kept matches nothing but an identity like it.
TEST(Allows, OnlyAnyoneOfTheWorld) {
  EXPECT_FALSE(Lets({{kRead, "world", "somebody"}}, kRead, {kUser}));
  EXPECT_FALSE(Lets({{kRead, "auth", ""}}, kRead, {kUser}));
}

// Z50.
TEST(Allows, AddressesByPrefix) {
  EXPECT_TRUE(AddressMatches("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(AddressMatches("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(AddressMatches("10.0.0.0/8", "10.1.2.3"));
  EXPECT_FALSE(AddressMatches("10.0.0.0/8", "11.1.2.3"));
  EXPECT_TRUE(AddressMatches("10.1.2.255/23", "10.1.3.0"));
  EXPECT_FALSE(AddressMatches("10.1.2.255/24", "10.1.3.0"));
  EXPECT_TRUE(AddressMatches("1.2.3.4/0", "200.0.0.1"));
  EXPECT_TRUE(AddressMatches("10.1.2.2/31", "10.1.2.3"));
  EXPECT_FALSE(AddressMatches("10.1.2.2/32", "10.1.2.3"));

  EXPECT_TRUE(AddressMatches("fd00::1", "fd00:0:0:0:0:0:0:1"));
  EXPECT_TRUE(AddressMatches("fd00::/8", "fdff::1"));
  EXPECT_FALSE(AddressMatches("fd00::/8", "fe00::1"));
  EXPECT_TRUE(AddressMatches("2001:db8::/33", "2001:db8:7fff::"));
  EXPECT_FALSE(AddressMatches("2001:db8::/33", "2001:db8:8000::"));
  EXPECT_FALSE(AddressMatches("::1/128", "::2"));
  EXPECT_FALSE(AddressMatches("::/0", "10.1.2.3"));
  EXPECT_FALSE(AddressMatches("0.0.0.0/0", "::1"));
  EXPECT_FALSE(AddressMatches("0.0.0.0/0", "not an address"));
  EXPECT_FALSE(AddressMatches("10.1.2.3/33", "10.1.2.3"));
}

// Z49.
TEST(FixUpAcl, RefusesWhatIsInvalid) {
  EXPECT_FALSE(FixUpAcl({}, {kUser}).has_value());
  for (const auto& [scheme, id] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", ""},           {"world", ""},       {"world", "somebody"}, {"super", ""},
           {"super", "a:b"},   {"unknown", "a:b"},  {"World", "anyone"},   {"digest", ""},
           {"digest", "user"}, {"digest", "user:"}, {"digest", ":"},       {"digest", "a:b:c"},
           {"digest", "::a"},  {"x509", ""},        {"x509", "=a"},        {"x509", "CN"}}) {
    EXPECT_FALSE(FixedUpId(scheme, id).has_value()) << scheme << ":" << id;
    EXPECT_FALSE(
        FixUpAcl({{kRead, "world", "anyone"}, {kRead, scheme, id}}, {kUser}).has_value());
  }
  for (const char* id : {"", "10.1.2", "10.1.2.3.4", "256.1.1.1", "10.1.2.3/", "10.1.2.3/33",
                         "10.1.2.3/-1", "10.1.2.3/8/8", "10.1.2.3/0008", "a.b.c.d", "::1/129",
                         ":::", "fd00::/x", "/8", " 10.1.2.3", "localhost"}) {
    EXPECT_FALSE(FixedUpId("ip", id).has_value()) << id;
  }
  EXPECT_FALSE(FixedUpId("ip", std::string_view("10.1.2.3\0", 9)).has_value());
  EXPECT_FALSE(FixedUpId("ip", std::string(1 << 15, '1')).has_value());
}

TEST(FixUpAcl, KeepsWhatIsValidInItsOrder) {
  const Acl valid = {{kRead, "world", "anyone"},
                     {~uint32_t{0}, "digest", "user:hash"},
                     {0, "digest", ":hash"},
                     {kRead, "digest", "user:hash::"},
                     {kRead, "ip", "10.0.0.0/8"},
                     {kRead, "ip", "0.0.0.0/0"},
                     {kRead, "ip", "fd00::/128"},
                     {kRead, "x509", "CN=a,O=b"}};
  EXPECT_EQ(FixUpAcl(valid, {}), valid);
}

// Z49.
TEST(FixUpAcl, DropsDuplicates) {
  const AclEntry open = {kRead, "world", "anyone"};
  const AclEntry other = {kWrite, "world", "anyone"};
  EXPECT_THAT(*FixUpAcl({open, other, open, other, open}, {}), ElementsAre(open, other));
}

// Z49.
TEST(FixUpAcl, PutsTheCallersIdentitiesForAuth) {
  const AclEntry open = {kRead, "world", "anyone"};
  const AclEntry auth = {kWrite, "auth", "whatever"};
  EXPECT_THAT(*FixUpAcl({auth, open}, {kAddress, kUser, {"super", ""}, {"x509", "CN=a"}}),
              ElementsAre(AclEntry{kWrite, "digest", "user:hash"},
                          AclEntry{kWrite, "x509", "CN=a"}, open));
  EXPECT_FALSE(FixUpAcl({auth, open}, {}).has_value());
  EXPECT_FALSE(FixUpAcl({open, auth}, {kAddress}).has_value());
  EXPECT_FALSE(FixUpAcl({auth}, {{"super", ""}}).has_value());
}

TEST(FixUpAcl, RefusesWhatExceedsTheLimits) {
  Acl acl;
  for (uint32_t i = 0; i < kAclEntriesMax; ++i) acl.push_back({i, "world", "anyone"});
  EXPECT_FALSE(ExceedsLimits(acl));
  EXPECT_TRUE(FixUpAcl(acl, {}).has_value());
  acl.push_back({0, "world", "anyone"});
  EXPECT_TRUE(ExceedsLimits(acl));
  EXPECT_FALSE(FixUpAcl(acl, {}).has_value());

  const Acl large = {{kRead, "digest", "user:" + std::string(kAclBytesMax, 'h')}};
  EXPECT_TRUE(ExceedsLimits(large));
  EXPECT_FALSE(FixUpAcl(large, {}).has_value());
}

// Each "auth" stands for all identities: what they come to is bounded as well.
TEST(FixUpAcl, BoundsWhatAuthStandsFor) {
  Acl given;
  for (uint32_t i = 0; i < 100; ++i) given.push_back({i, "auth", ""});
  Identities many;
  for (int i = 0; i < 10; ++i) many.push_back({"digest", "user:" + std::to_string(i)});
  EXPECT_EQ(FixUpAcl(given, many)->size(), kAclEntriesMax);
  many.push_back(kUser);
  EXPECT_FALSE(FixUpAcl(given, many).has_value());
  EXPECT_FALSE(FixUpAcl(given, {{"digest", "user:" + std::string(1000, 'h')}}).has_value());
}

// Z50.
TEST(MaskedAcl, HidesTheHashesOfDigests) {
  const Acl acl = {{kRead, "digest", "user:hash"},
                   {kRead, "digest", "user:two\nlines:"},
                   {kRead, "digest", "nothing to hide"},
                   {kRead, "ip", "fd00::1"},
                   {kRead, "x509", "CN=a:b"}};
  EXPECT_THAT(MaskedAcl(acl),
              ElementsAre(AclEntry{kRead, "digest", "user:x"}, AclEntry{kRead, "digest", "user:x"},
                          acl[2], acl[3], acl[4]));
}

TEST(AclTable, SharesByContent) {
  AclTable table;
  const Acl acl = {{kRead, "world", "anyone"}};
  const AclPtr one = table.Get(acl, 1);
  EXPECT_EQ(table.Get(acl, 1).get(), one.get());
  EXPECT_EQ(one->acl, acl);
  const AclPtr other = table.Get(acl, 2);
  EXPECT_NE(other.get(), one.get());
  EXPECT_FALSE(SameAccess(one, other));
  EXPECT_FALSE(SameAccess(one, {}));
  EXPECT_TRUE(SameAccess({}, {}));
  AclTable another;
  EXPECT_NE(another.Get(acl, 1).get(), one.get());
  EXPECT_TRUE(SameAccess(another.Get(acl, 1), one));
}

TEST(AclTable, HasNothingForAnOpenAclThatNeverChanged) {
  AclTable table;
  EXPECT_FALSE(table.Get(OpenAcl(), 0));
  EXPECT_TRUE(table.Get(OpenAcl(), 1));
  EXPECT_TRUE(table.Get({}, 0));
  EXPECT_EQ(AclOf(AclPtr()), OpenAcl());
  EXPECT_EQ(AversionOf(AclPtr()), 0);
}

// What nobody holds goes while others come, and what is held stays the same object.
TEST(AclTable, ForgetsWhatNobodyHolds) {
  AclTable table;
  const Acl acl = {{kRead, "world", "anyone"}};
  std::vector<AclPtr> held;
  for (int32_t aversion = 1; aversion <= 10'000; ++aversion) {
    AclPtr access = table.Get(acl, aversion);
    if (aversion % 1000 == 0) held.push_back(std::move(access));
    ASSERT_LE(table.size(), 2 * held.size() + 4) << aversion;
  }
  for (int32_t aversion = 10'001; aversion <= 10'100; ++aversion) table.Get(acl, aversion);
  for (const AclPtr& access : held) {
    EXPECT_EQ(table.Get(acl, access->aversion).get(), access.get());
  }
}

TEST(AclTable, ACopyIsEmptyAndAMovedOneIsNot) {
  AclTable table;
  const Acl acl = {{kRead, "world", "anyone"}};
  const AclPtr access = table.Get(acl, 1);
  EXPECT_EQ(AclTable(table).size(), 0u);
  AclTable moved(std::move(table));
  EXPECT_EQ(moved.Get(acl, 1).get(), access.get());
  AclTable assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.Get(acl, 1).get(), access.get());
}

}  // namespace
}  // namespace bellwether::coord::tree
