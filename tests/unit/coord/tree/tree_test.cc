#include "coord/tree/tree.h"

#include <string>
#include <utility>
#include <vector>

#include "coord/tree/edit.h"
#include "coord/tree/path.h"
#include "gtest/gtest.h"

namespace bellwether::coord::tree {
namespace {

void InsertChild(Tree& tree, const std::string& parent_path, const std::string& name) {
  tree.Insert(parent_path, name, CowPtr<Znode>(new Znode()), {Zxid(1), 1});
}

TEST(Tree, HoldsAndFreesTheDeepestPath) {
  Tree tree;
  const uint64_t empty = tree.digest();
  std::string path = "/";
  while (path.size() + 2 <= kPathBytesMax) {
    InsertChild(tree, path, "a");
    path = ChildPath(path, "a");
  }
  EXPECT_EQ(tree.znode_count(), kPathBytesMax / 2 + 1);
  EXPECT_NE(tree.Find(path), nullptr);
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
  size_t visited = 0;
  tree.Walk("/", [&](const ZnodeVisit& visit) {
    EXPECT_EQ(visit.depth, visited);
    EXPECT_EQ(visit.name(), visited == 0 ? "" : "a");
    return ++visited > 0;
  });
  EXPECT_EQ(visited, tree.znode_count());

  tree.RemoveDescendants("/", {});
  EXPECT_EQ(tree.znode_count(), 1u);
  EXPECT_EQ(tree.digest(), empty);
}

// One recursion per level would overflow the stack long before this depth.
TEST(Znode, FreesADeepChainWithoutRecursion) {
  CowPtr<Znode> top(new Znode());
  for (int depth = 0; depth < 100'000; ++depth) {
    CowPtr<Znode> above(new Znode());
    above.Owned().mutable_children().Insert(CompactString("x"), std::move(top));
    top = std::move(above);
  }
}

TEST(Znode, ACopySharesAndThenKeepsWhatItHad) {
  Znode parent;
  parent.version = 3;
  parent.data = SharedBytes::Copy("data");
  parent.mutable_children().Insert(CompactString("a"), CowPtr<Znode>(new Znode()));
  const Znode copy(parent);
  EXPECT_EQ(copy.Child("a"), parent.Child("a"));
  parent.mutable_children().Remove("a");
  EXPECT_EQ(copy.num_children(), 1u);
  EXPECT_EQ(copy.version, 3);
  EXPECT_EQ(copy.data.view(), "data");

  Znode ephemeral;
  ephemeral.SetOwner(SessionId(5));
  const Znode other(ephemeral);
  EXPECT_TRUE(other.is_ephemeral());
  EXPECT_EQ(other.ephemeral_owner(), SessionId(5));
  EXPECT_TRUE(other.children().empty());
  EXPECT_EQ(other.Child("a"), nullptr);
}

TEST(Tree, CountsDataBytes) {
  Tree tree;
  InsertChild(tree, "/", "a");
  tree.SetContent("/a", {SharedBytes::Copy("12345"), Zxid(2), 0, 1});
  EXPECT_EQ(tree.data_bytes(), 5u);
  const Tree::Content before = Tree::ContentOf(*tree.Find("/a"));
  EXPECT_EQ(before.data.view(), "12345");
  EXPECT_EQ(before.mzxid, Zxid(2));
  EXPECT_EQ(before.version, 1);
  tree.SetContent("/a", {SharedBytes::Copy("1"), Zxid(3), 0, 2});
  EXPECT_EQ(tree.data_bytes(), 1u);
  tree.Remove("/", "a", {});
  EXPECT_EQ(tree.data_bytes(), 0u);
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
}

TEST(Edit, DeletesSubtreesUpToABound) {
  Tree tree;
  Sessions sessions;
  std::vector<Change> changes;
  InsertChild(tree, "/", "top");
  for (size_t i = 0; i < kRecursiveDeleteZnodesMax; ++i) {
    InsertChild(tree, "/top", std::to_string(i));
  }
  Edit edit({SessionId(), Zxid(2), 0}, Edit::Undo::kNone, tree, sessions, changes);
  uint32_t deleted = 0;
  EXPECT_EQ(edit.DeleteSubtree("/top", deleted), ResultCode::kTooLarge);
  EXPECT_EQ(deleted, 0u);
  EXPECT_TRUE(changes.empty());
  tree.Remove("/top", "0", {});
  EXPECT_EQ(edit.DeleteSubtree("/top", deleted), ResultCode::kOk);
  EXPECT_EQ(deleted, kRecursiveDeleteZnodesMax);
  EXPECT_EQ(tree.znode_count(), 1u);
}

}  // namespace
}  // namespace bellwether::coord::tree
