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

TEST(FindLastWord, ReadsAWordThatIsStillQuoted) {
  EXPECT_EQ(FindLastWord("get \"/two w").text, "/two w");
  EXPECT_EQ(FindLastWord("get \"/two w").quote, '"');
  EXPECT_EQ(FindLastWord("get /two\\ w").text, "/two w");
  EXPECT_EQ(FindLastWord("get '/a b'/c").quote, 0);
  EXPECT_EQ(FindLastWord("get '/a b'/c").text, "/a b/c");
}

TEST(FindLastWord, KnowsTheVerb) {
  EXPECT_TRUE(FindLastWord("  ge").first);
  EXPECT_TRUE(FindLastWord("").first);
  EXPECT_FALSE(FindLastWord("get ").first);
  EXPECT_EQ(FindLastWord("get ").text, "");
}

// What TAB adds to a line that ends in a word.
std::string Added(std::string_view line, std::vector<std::string> choices) {
  return CompleteWord(FindLastWord(line), std::move(choices)).more;
}

TEST(CompleteWord, GoesAsFarAsAllChoicesAgree) {
  EXPECT_EQ(Added("ls /a", {"/apple", "/apricot"}), "p");
  EXPECT_EQ(Added("ls /ap", {"/apple", "/apricot"}), "");
  EXPECT_EQ(Added("ls /x", {}), "");
}

TEST(CompleteWord, EndsTheOnlyChoice) {
  EXPECT_EQ(Added("ls /apple", {"/apple"}), " ");
  EXPECT_EQ(Added("ls \"/two words", {"/two words"}), "\" ");
}

TEST(CompleteWord, QuotesAsTheLineDoes) {
  const std::string name = R"(/a b'c"d\e)";
  for (const std::string line : {"ls /a", "ls '/a", "ls \"/a"}) {
    const std::string closing = line[3] == '/' ? "" : line.substr(3, 1);
    const auto words = SplitWords(line + Added(line, {name}) + closing);
    ASSERT_TRUE(words.ok()) << line;
    EXPECT_THAT(*words, ElementsAre("ls", name));
  }
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
