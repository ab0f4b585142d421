#include "coord/tree/tree.h"

#include <cstdint>
#include <optional>
#include <set>
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
  parent.access = AclPtr(new Access{{}, 4, RefCount()});
  parent.SetExpirable();
  parent.mutable_children().Insert(CompactString("a"), CowPtr<Znode>(new Znode()));
  const Znode copy(parent);
  EXPECT_EQ(copy.Child("a"), parent.Child("a"));
  parent.mutable_children().Remove("a");
  EXPECT_EQ(copy.num_children(), 1u);
  EXPECT_EQ(copy.version, 3);
  EXPECT_EQ(copy.access.get(), parent.access.get());
  EXPECT_TRUE(copy.is_expirable());
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

const Acl kReadOnly = {{kRead, "world", "anyone"}};

TEST(Tree, CountsWhatNamesTakeThatHaveNoRoomInTheirSlots) {
  Tree tree;
  const auto make = [](bool ephemeral) {
    auto* const znode = new Znode();
    if (ephemeral) znode->SetOwner(SessionId(7));
    return CowPtr<Znode>(znode);
  };
  const std::string name(100, 'n');
  InsertChild(tree, "/", "short");
  EXPECT_EQ(tree.name_bytes(), 0u);
  InsertChild(tree, "/short", name);
  const size_t one = tree.name_bytes();
  EXPECT_GE(one, 100u);
  EXPECT_LE(one, 120u);
  // These are kept by their paths, too.
  tree.Insert("/", name, make(true), {});
  EXPECT_EQ(tree.name_bytes(), 3 * one + 1);
  tree.Insert("/", name + "t", make(false), {}, 1000);
  EXPECT_EQ(tree.name_bytes(), 5 * one + 4);
  const Tree copy = tree;
  const std::optional<int64_t> ttl_ms = tree.Remove("/", name + "t", {}).ttl_ms;
  tree.Remove("/", name, {});
  tree.Insert("/", name + "t", make(false), {}, ttl_ms);  // as undo does
  tree.RemoveDescendants("/", {});
  EXPECT_EQ(tree.name_bytes(), 0u);
  EXPECT_EQ(copy.name_bytes(), 5 * one + 4);
}

TEST(Tree, CountsAccessesAndKeepsTheDigest) {
  Tree tree;
  InsertChild(tree, "/", "a");
  const uint64_t open = tree.digest();
  EXPECT_EQ(tree.acl_bytes(), 0u);

  const AclPtr access = tree.MakeAccess(kReadOnly, 1);
  EXPECT_EQ(tree.SetAccess("/a", access).ToStat().aversion, 1);
  const uint64_t read_only = tree.digest();
  EXPECT_NE(read_only, open);
  EXPECT_EQ(read_only, tree.RecomputeDigest());
  EXPECT_EQ(tree.acl_bytes(), AclBytes(kReadOnly));
  tree.SetContent("/a", {SharedBytes::Copy("1"), Zxid(3), 0, 2});
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());

  CowPtr<Znode> child(new Znode());
  child.Owned().access = access;
  tree.Insert("/a", "b", std::move(child), {Zxid(4), 1});
  EXPECT_EQ(tree.acl_bytes(), 2 * AclBytes(kReadOnly));
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
  const Tree::Removed removed = tree.Remove("/a", "b", {});
  EXPECT_EQ(removed.znode->access.get(), access.get());
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
  tree.RemoveDescendants("/", {});
  EXPECT_EQ(tree.acl_bytes(), 0u);
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
}

// What an ACL says counts, not which object says it.
TEST(Tree, DigestTellsAccessesApart) {
  std::set<uint64_t> digests;
  const std::vector<std::pair<Acl, int32_t>> accesses = {
      {OpenAcl(), 0},
      {OpenAcl(), 1},
      {{}, 0},
      {kReadOnly, 0},
      {kReadOnly, -1},
      {{{kRead, "worlda", "nyone"}}, 0},
      {{{kRead, "world", "anyone"}, {kRead, "world", "anyone"}}, 0}};
  for (const auto& [acl, aversion] : accesses) {
    Tree one;
    Tree other;
    one.SetAccess("/", one.MakeAccess(acl, aversion));
    other.SetAccess("/", other.MakeAccess(acl, aversion));
    EXPECT_EQ(one.digest(), other.digest());
    digests.insert(one.digest());
  }
  EXPECT_EQ(digests.size(), accesses.size());
  EXPECT_TRUE(digests.contains(Tree().digest()));  // the first
}

TEST(Tree, KeepsTtlsWithTheirZnodes) {
  Tree tree;
  const uint64_t empty = tree.digest();
  tree.Insert("/", "c", CowPtr<Znode>(new Znode()), {Zxid(1), 1}, 0);
  tree.Insert("/c", "t", CowPtr<Znode>(new Znode()), {Zxid(2), 1}, 500);
  InsertChild(tree, "/c", "plain");
  EXPECT_EQ(tree.TtlOf("/c"), 0);
  EXPECT_EQ(tree.TtlOf("/c/t"), 500);
  EXPECT_EQ(tree.TtlOf("/c/plain"), std::nullopt);
  EXPECT_EQ(tree.TtlOf("/"), std::nullopt);
  EXPECT_TRUE(tree.Find("/c/t")->is_expirable());
  EXPECT_EQ(tree.Find("/c/t")->ToStat().ephemeral_owner, SessionId());  // Z6
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());

  const uint64_t before = tree.digest();
  const Tree::ParentFields fields = Tree::ParentFieldsOf(*tree.Find("/c"));
  {
    Tree::Removed removed = tree.Remove("/c", "t", fields);
    EXPECT_EQ(removed.ttl_ms, 500);
    EXPECT_EQ(tree.TtlOf("/c/t"), std::nullopt);
    EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
    tree.Insert("/c", "t", std::move(removed.znode), fields, removed.ttl_ms);
  }
  EXPECT_EQ(tree.digest(), before);
  tree.RemoveDescendants("/", {});
  EXPECT_TRUE(tree.expirables().empty());
  EXPECT_EQ(tree.digest(), empty);
}

TEST(Tree, DigestTellsTtlsApart) {
  std::set<uint64_t> digests;
  for (const std::optional<int64_t> ttl_ms : {std::optional<int64_t>(), {0}, {1}, {kTtlMsMax}}) {
    Tree tree;
    tree.Insert("/", "a", CowPtr<Znode>(new Znode()), {Zxid(1), 1}, ttl_ms);
    digests.insert(tree.digest());
  }
  EXPECT_EQ(digests.size(), 4u);
}

// Z17.
TEST(Znode, ExpiresByItsKind) {
  Znode znode;
  znode.mtime_ms = 1000;
  EXPECT_FALSE(IsExpired(znode, 5, 1005));
  EXPECT_TRUE(IsExpired(znode, 5, 1006));
  EXPECT_FALSE(IsExpired(znode, 5, 0));
  EXPECT_FALSE(IsExpired(znode, 0, 2000));
  znode.create_counter = 1;
  EXPECT_TRUE(IsExpired(znode, 0, 0));
  znode.create_counter = -1;  // wrapped
  EXPECT_TRUE(IsExpired(znode, 0, 0));
  znode.mutable_children().Insert(CompactString("a"), CowPtr<Znode>(new Znode()));
  EXPECT_FALSE(IsExpired(znode, 0, 2000));
  EXPECT_FALSE(IsExpired(znode, 5, 2000));

  Znode ancient;
  ancient.mtime_ms = INT64_MIN;
  EXPECT_TRUE(IsExpired(ancient, 5, INT64_MAX));
}

TEST(Edit, DeletesSubtreesUpToABound) {
  Tree tree;
  Sessions sessions;
  std::vector<Change> changes;
  InsertChild(tree, "/", "top");
  for (size_t i = 0; i < kRecursiveDeleteZnodesMax; ++i) {
    InsertChild(tree, "/top", std::to_string(i));
  }
  const Identities nobody;
  Edit edit({SessionId(), Zxid(2), 0, kFeatureLevelFirst, nobody}, Edit::Undo::kNone, tree,
            sessions, changes);
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
