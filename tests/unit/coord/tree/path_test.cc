#include "coord/tree/path.h"

#include <limits>

#include "coord/tree/types.h"
#include "gtest/gtest.h"

namespace bellwether::coord::tree {
namespace {

TEST(Path, AcceptsWhatZooKeeperAccepts) {
  for (const char* path : {"/", "/a", "/a/b", "/a b", "/...", "/.a", "/a.", "/a../b", "/zoo\u00e4",
                           "/\u65e5\u672c", "/~", "/\u00a0", "/\uf900", "/\uffef"}) {
    EXPECT_TRUE(IsValidPath(path)) << path;
  }
}

// Z48.
TEST(Path, RefusesWhatZooKeeperRefuses) {
  for (const char* path :
       {"", "a", "a/b", "/a/", "//", "//a", "/a//b", "/.", "/..", "/a/./b", "/a/../b", "/a/.",
        "/a\x01", "/a\x1f", "/a\x7f", "/a\u0080", "/a\u009f", "/\ue000", "/\uf8ff", "/\ufff0",
        "/\uffff", "/\U0001f600"}) {
    EXPECT_FALSE(IsValidPath(path)) << path;
  }
  EXPECT_FALSE(IsValidPath(std::string("/a\0b", 4)));
}

TEST(Path, RefusesWhatIsNotUtf8) {
  for (const char* path : {"/\x80", "/\xff", "/\xc3", "/\xc0\xaf", "/\xe0\x80\xaf", "/\xed\xa0\x80",
                           "/\xc3(", "/\xe6\x97"}) {
    EXPECT_FALSE(IsValidPath(path));
  }
}

TEST(Path, HasABound) {
  EXPECT_TRUE(IsValidPath("/" + std::string(kPathBytesMax - 1, 'x')));
  EXPECT_FALSE(IsValidPath("/" + std::string(kPathBytesMax, 'x')));
}

TEST(Path, SplitsAtTheLastSlash) {
  EXPECT_EQ(SplitPath("/a/b")->parent, "/a");
  EXPECT_EQ(SplitPath("/a/b")->name, "b");
  EXPECT_EQ(SplitPath("/a")->parent, "/");
  EXPECT_EQ(SplitPath("/a")->name, "a");
  EXPECT_EQ(SplitPath("/a/")->parent, "/a");
  EXPECT_EQ(SplitPath("/a/")->name, "");
  EXPECT_FALSE(SplitPath("a").has_value());
  EXPECT_FALSE(SplitPath(std::string("/a\0", 3)).has_value());
}

TEST(Path, IsBelowAnotherOnlyBehindItsSlash) {
  EXPECT_TRUE(IsBelow("/a", "/"));
  EXPECT_TRUE(IsBelow("/a/b/c", "/a"));
  EXPECT_FALSE(IsBelow("/", "/"));
  EXPECT_FALSE(IsBelow("/a", "/a"));
  EXPECT_FALSE(IsBelow("/a/", "/a"));
  EXPECT_FALSE(IsBelow("/ab", "/a"));
  EXPECT_FALSE(IsBelow("/a", "/a/b"));
  EXPECT_FALSE(IsBelow("a", "/"));
  EXPECT_FALSE(IsBelow("", "/a"));
}

TEST(Path, JoinsWithoutADoubleSlash) {
  EXPECT_EQ(ChildPath("/", "a"), "/a");
  EXPECT_EQ(ChildPath("/a", "b"), "/a/b");
}

// Z11.
TEST(Path, SequenceWrapsLikeASignedInt) {
  EXPECT_EQ(SequenceSuffix(0), "0000000000");
  EXPECT_EQ(SequenceSuffix(42), "0000000042");
  EXPECT_EQ(SequenceSuffix(std::numeric_limits<int32_t>::max()), "2147483647");
  EXPECT_EQ(SequenceSuffix(NextCounter(std::numeric_limits<int32_t>::max())), "-2147483648");
}

TEST(Path, VersionNeverBecomesAnyVersion) {
  EXPECT_EQ(NextVersion(0), 1);
  EXPECT_EQ(NextVersion(-3), -2);
  EXPECT_EQ(NextVersion(-2), 0);
}

}  // namespace
}  // namespace bellwether::coord::tree
