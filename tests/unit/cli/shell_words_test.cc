#include "cli/shell_words.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SplitWords, HonoursQuotesAndBackslashes) {
  EXPECT_THAT(*SplitWords("  set /a \"two words\" 'it''s' "),
              ElementsAre("set", "/a", "two words", "its"));
  EXPECT_THAT(*SplitWords(R"(set /a "a\"b" 'c\d' e\ f)"),
              ElementsAre("set", "/a", "a\"b", "c\\d", "e f"));
  EXPECT_THAT(*SplitWords("create /a ''"), ElementsAre("create", "/a", ""));
  EXPECT_THAT(*SplitWords(" \t\r"), IsEmpty());
}

TEST(SplitWords, RefusesAQuoteThatIsNotClosed) {
  EXPECT_EQ(SplitWords("set /a 'x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ParseVerbArguments, ReadsFlagsBeforeArgumentsOnly) {
  const auto arguments = ParseVerbArguments({"create", "-es", "/a", "-x"}, "es");
  ASSERT_TRUE(arguments.ok());
  EXPECT_TRUE(arguments->Has('e'));
  EXPECT_TRUE(arguments->Has('s'));
  EXPECT_THAT(arguments->positional, ElementsAre("/a", "-x"));
}

TEST(ParseVerbArguments, TakesValuesJoinedOrApart) {
  EXPECT_EQ(ParseVerbArguments({"set", "-v", "3", "/a"}, "v:s")->flags.at('v'), "3");
  EXPECT_EQ(ParseVerbArguments({"set", "-sv3", "/a"}, "v:s")->flags.at('v'), "3");
}

TEST(ParseVerbArguments, RefusesUnknownFlagsAndMissingValues) {
  EXPECT_FALSE(ParseVerbArguments({"ls", "-x", "/"}, "sRw").ok());
  EXPECT_FALSE(ParseVerbArguments({"set", "-v"}, "v:").ok());
  EXPECT_FALSE(ParseVerbArguments({"set", "-:"}, "v:").ok());
}

}  // namespace
}  // namespace bellwether::cli
