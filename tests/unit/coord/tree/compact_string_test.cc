#include "coord/tree/compact_string.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace bellwether::coord::tree {
namespace {

TEST(CompactString, KeepsBytesOfAnyLength) {
  for (const size_t length : {0, 1, 7, 8, 14, 15, 16, 17, 255, 4000}) {
    std::string bytes(length, 'x');
    if (length > 0) bytes.back() = '\0';
    CompactString kept(bytes);
    EXPECT_EQ(kept.view(), bytes);
    const CompactString copied(kept);
    CompactString moved(std::move(kept));
    EXPECT_EQ(moved.view(), bytes);
    CompactString assigned("other bytes that are long enough for the heap");
    assigned = std::move(moved);
    EXPECT_EQ(assigned.view(), bytes);
    assigned = CompactString("short");
    EXPECT_EQ(copied.view(), bytes);
  }
}

TEST(CompactString, IsOrderedByBytes) {
  const CompactString a("a-string-of-more-than-15-bytes");
  const CompactString b("\xc3\xa4");
  EXPECT_TRUE(a < b);
  EXPECT_FALSE(b < a);
  EXPECT_FALSE(a < a);
  EXPECT_TRUE(a < std::string_view("b"));
  EXPECT_TRUE(std::string_view("a") < a);
}

}  // namespace
}  // namespace bellwether::coord::tree
