#include "coord/tree/child_table.h"

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "coord/tree/znode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord::tree {
namespace {

TEST(ChildName, KeepsNamesOfAnyLength) {
  for (const size_t length : {0, 1, 7, 8, 14, 15, 16, 17, 255, 4000}) {
    std::string name(length, 'x');
    if (length > 0) name.back() = 'y';
    ChildName kept(name);
    EXPECT_EQ(kept.view(), name);
    ChildName moved(std::move(kept));
    EXPECT_EQ(moved.view(), name);
    ChildName assigned("other name that is long enough for the heap");
    assigned = std::move(moved);
    EXPECT_EQ(assigned.view(), name);
  }
}

TEST(ChildTable, KeepsChildrenSortedByBytes) {
  ChildTable table;
  for (const char* name : {"b", "a", "\xc3\xa4", "a-name-of-more-than-15-bytes", "B", "aa"}) {
    table.Insert(name, std::make_unique<Znode>());
  }
  std::vector<std::string> names;
  for (const ChildEntry& entry : table.entries()) names.emplace_back(entry.name.view());
  EXPECT_THAT(names, testing::ElementsAre("B", "a", "a-name-of-more-than-15-bytes", "aa", "b",
                                          "\xc3\xa4"));
}

TEST(ChildTable, FindsWhatWasInsertedAndNotWhatWasRemoved) {
  ChildTable table;
  base::Random random(11);
  std::vector<std::string> names;
  for (int i = 0; i < 2000; ++i) {
    names.push_back(std::to_string(i) + std::string(random.Below(30), 'n'));
    auto znode = std::make_unique<Znode>();
    znode->version = i;
    table.Insert(names.back(), std::move(znode));
  }
  for (int i = 0; i < 2000; i += 2) EXPECT_EQ(table.Remove(names[i])->version, i);
  EXPECT_EQ(table.size(), 1000u);
  for (int i = 0; i < 2000; ++i) {
    const Znode* const found = table.Find(names[i]);
    ASSERT_EQ(found != nullptr, i % 2 == 1) << i;
    if (found != nullptr) {
      EXPECT_EQ(found->version, i);
    }
  }
}

// One recursion per level would overflow the stack long before this depth.
TEST(ChildTable, FreesADeepChainWithoutRecursion) {
  auto top = std::make_unique<ChildTable>();
  for (int depth = 0; depth < 100'000; ++depth) {
    auto znode = std::make_unique<Znode>();
    znode->children = std::move(top);
    top = std::make_unique<ChildTable>();
    top->Insert("x", std::move(znode));
  }
  top.reset();
}

}  // namespace
}  // namespace bellwether::coord::tree
