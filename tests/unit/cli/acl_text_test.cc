#include "cli/acl_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(AclText, IsSchemeIdAndPermissions) {
  EXPECT_THAT(*ParseAcl("world:anyone:r,digest:bob:hash=:cdrwa,auth::"),
              ElementsAre(client::AclEntry{1, "world", "anyone"},
                          client::AclEntry{31, "digest", "bob:hash="},
                          client::AclEntry{0, "auth", ""}));
  EXPECT_EQ(AclEntryText({31, "digest", "bob:hash="}), "digest:bob:hash=:cdrwa");
  EXPECT_EQ(AclEntryText({3, "world", "anyone"}), "world:anyone:rw");
}

TEST(AclText, RefusesWhatIsNone) {
  for (const char* text : {"", "world", "world:anyone", "world:anyone:r,", "world:anyone:x",
                           ",world:anyone:r"}) {
    EXPECT_EQ(ParseAcl(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(AclText, ShowsWhetherHashesAreHidden) {
  EXPECT_TRUE(HasHiddenHashes({{31, "world", "anyone"}, {31, "digest", "bob:x"}}));
  EXPECT_FALSE(HasHiddenHashes({{31, "world", "anyone"}, {31, "digest", "bob:hashx"}}));
}

TEST(AclText, PermissionsAreLetters) {
  EXPECT_EQ(PermissionsText(*ParsePermissions("awc")), "cwa");
  EXPECT_EQ(PermissionsText(0), "");
  EXPECT_FALSE(ParsePermissions("rx").ok());
}

TEST(CredentialText, IsADigestsUserAndPassword) {
  const auto credential = ParseCredential("digest:bob:pass:word");
  ASSERT_TRUE(credential.ok());
  EXPECT_EQ(credential->scheme, "digest");
  EXPECT_EQ(credential->credential, "bob:pass:word");
  for (const char* text : {"", "digest", "digest:secret", "sasl:bob:secret", "bob:secret"}) {
    const auto bad = ParseCredential(text).status();
    EXPECT_EQ(bad.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(bad.message()), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace bellwether::cli
