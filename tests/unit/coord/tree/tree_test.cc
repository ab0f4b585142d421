#include "coord/tree/tree.h"

#include <memory>
#include <string>
#include <vector>

#include "coord/tree/edit.h"
#include "coord/tree/path.h"
#include "gtest/gtest.h"

namespace bellwether::coord::tree {
namespace {

Znode& InsertChild(Tree& tree, const std::string& parent_path, Znode& parent, std::string name) {
  tree.Insert(parent_path, parent, name, std::make_unique<Znode>(), {Zxid(1), 1});
  return *parent.Child(name);
}

TEST(Tree, HoldsAndFreesTheDeepestPath) {
  Tree tree;
  const uint64_t empty = tree.digest();
  std::string path = "/";
  Znode* znode = tree.Find(path);
  while (path.size() + 2 <= kPathBytesMax) {
    znode = &InsertChild(tree, path, *znode, "a");
    path = ChildPath(path, "a");
  }
  EXPECT_EQ(tree.znode_count(), kPathBytesMax / 2 + 1);
  EXPECT_EQ(tree.Find(path), znode);
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
  size_t visited = 0;
  tree.Walk("/", [&](const ZnodeVisit&) { return ++visited > 0; });
  EXPECT_EQ(visited, tree.znode_count());

  tree.RemoveDescendants("/", *tree.Find("/"), {});
  EXPECT_EQ(tree.znode_count(), 1u);
  EXPECT_EQ(tree.digest(), empty);
}

TEST(Tree, CountsDataBytes) {
  Tree tree;
  Znode& root = *tree.Find("/");
  Znode& a = InsertChild(tree, "/", root, "a");
  tree.SetContent("/a", a, {SharedBytes::Copy("12345"), Zxid(2), 0, 1});
  EXPECT_EQ(tree.data_bytes(), 5u);
  const Tree::Content before = tree.SetContent("/a", a, {SharedBytes::Copy("1"), Zxid(3), 0, 2});
  EXPECT_EQ(before.data.view(), "12345");
  EXPECT_EQ(before.mzxid, Zxid(2));
  EXPECT_EQ(before.version, 1);
  EXPECT_EQ(tree.data_bytes(), 1u);
  tree.Remove("/", root, "a", {});
  EXPECT_EQ(tree.data_bytes(), 0u);
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
}

TEST(Edit, DeletesSubtreesUpToABound) {
  Tree tree;
  Sessions sessions;
  std::vector<Change> changes;
  Znode& top = InsertChild(tree, "/", *tree.Find("/"), "top");
  for (size_t i = 0; i < kRecursiveDeleteZnodesMax; ++i) {
    InsertChild(tree, "/top", top, std::to_string(i));
  }
  Edit edit({SessionId(), Zxid(2), 0}, Edit::Undo::kNone, tree, sessions, changes);
  uint32_t deleted = 0;
  EXPECT_EQ(edit.DeleteSubtree("/top", deleted), ResultCode::kTooLarge);
  EXPECT_EQ(deleted, 0u);
  EXPECT_TRUE(changes.empty());
  tree.Remove("/top", top, "0", {});
  EXPECT_EQ(edit.DeleteSubtree("/top", deleted), ResultCode::kOk);
  EXPECT_EQ(deleted, kRecursiveDeleteZnodesMax);
  EXPECT_EQ(tree.znode_count(), 1u);
}

}  // namespace
}  // namespace bellwether::coord::tree
