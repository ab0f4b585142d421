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
  tree.Insert(parent_path, name, Znode::Make(), {Zxid(1), 1});
}

// Each field with a value of its own.
ZnodeFields AllFields() {
  ZnodeFields fields;
  fields.czxid = Zxid(1);
  fields.mzxid = Zxid(2);
  fields.pzxid = Zxid(3);
  fields.ctime_ms = 4;
  fields.mtime_ms = 5;
  fields.version = 6;
  fields.create_counter = 7;
  fields.data = SharedBytes::Copy("data");
  fields.access = AclPtr(new Access{{}, 8, RefCount()});
  return fields;
}

void ExpectFields(const Znode& znode, const ZnodeFields& fields) {
  EXPECT_EQ(znode.czxid(), fields.czxid);
  EXPECT_EQ(znode.mzxid(), fields.mzxid);
  EXPECT_EQ(znode.pzxid(), fields.pzxid);
  EXPECT_EQ(znode.ctime_ms(), fields.ctime_ms);
  EXPECT_EQ(znode.mtime_ms(), fields.mtime_ms);
  EXPECT_EQ(znode.version(), fields.version);
  EXPECT_EQ(znode.create_counter(), fields.create_counter);
  EXPECT_EQ(znode.data, fields.data);
  EXPECT_TRUE(SameAccess(znode.access(), fields.access));
  EXPECT_EQ(znode.ephemeral_owner(), fields.owner);
  EXPECT_EQ(znode.is_ephemeral(), fields.owner != SessionId());
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
  CowPtr<Znode> top = Znode::Make();
  for (int depth = 0; depth < 100'000; ++depth) {
    CowPtr<Znode> above = Znode::Make();
    Znode::MutableChildren(above).Insert(CompactString("x"), std::move(top));
    top = std::move(above);
  }
}

TEST(Znode, ACopySharesAndThenKeepsWhatItHad) {
  CowPtr<Znode> parent = Znode::Make(AllFields());
  parent.Owned().SetExpirable();
  Znode::MutableChildren(parent).Insert(CompactString("a"), Znode::Make());
  const CowPtr<Znode> copy(Znode::Copy(*parent));
  EXPECT_EQ(copy->Child("a"), parent->Child("a"));
  Znode::MutableChildren(parent).Remove("a");
  EXPECT_EQ(copy->num_children(), 1u);
  ExpectFields(*copy, AllFields());
  EXPECT_EQ(copy->access().get(), parent->access().get());
  EXPECT_TRUE(copy->is_expirable());

  ZnodeFields ephemeral;
  ephemeral.owner = SessionId(5);
  const CowPtr<Znode> other(Znode::Copy(*Znode::Make(ephemeral)));
  ExpectFields(*other, ephemeral);
  EXPECT_TRUE(other->children().empty());
  EXPECT_EQ(other->Child("a"), nullptr);
}

// With every combination of fields that differ from those of a new znode.
TEST(Znode, SaysWhatItWasMadeOf) {
  for (int differing = 0; differing < 1 << 8; ++differing) {
    const auto differs = [differing](int field) { return (differing & 1 << field) != 0; };
    const ZnodeFields all = AllFields();
    ZnodeFields fields;
    fields.czxid = fields.mzxid = fields.pzxid = all.czxid;
    fields.ctime_ms = fields.mtime_ms = all.ctime_ms;
    if (differs(0)) fields.mzxid = all.mzxid;
    if (differs(1)) fields.pzxid = all.pzxid;
    if (differs(2)) fields.mtime_ms = all.mtime_ms;
    if (differs(3)) fields.version = all.version;
    if (differs(4)) fields.create_counter = all.create_counter;
    if (differs(5)) fields.data = all.data;
    if (differs(6)) fields.access = all.access;
    if (differs(7)) fields.owner = SessionId(5);
    CowPtr<Znode> znode = Znode::Make(fields);
    ExpectFields(*znode, fields);
    ExpectFields(*CowPtr<Znode>(Znode::Copy(*znode)), fields);

    Znode::SetAccess(znode, {});
    fields.access = {};
    ExpectFields(*znode, fields);
    Znode::SetAccess(znode, all.access);
    fields.access = all.access;
    ExpectFields(*znode, fields);
    Znode::SetContent(znode, Zxid(20), 21, 22, SharedBytes());
    fields.mzxid = Zxid(20);
    fields.mtime_ms = 21;
    fields.version = 22;
    fields.data = SharedBytes();
    ExpectFields(*znode, fields);
    Znode::SetParentFields(znode, Zxid(23), 24);
    fields.pzxid = Zxid(23);
    fields.create_counter = 24;
    ExpectFields(*znode, fields);
  }
}

TEST(Znode, BecomesLargerAndStaysWhatItIs) {
  ZnodeFields fields;
  fields.czxid = fields.mzxid = fields.pzxid = Zxid(7);
  fields.data = SharedBytes::Copy("data");
  CowPtr<Znode> znode = Znode::Make(fields);
  znode.Owned().SetExpirable();
  const size_t as_created = znode->OwnBytes();
  fields.access = AllFields().access;
  Znode::SetAccess(znode, fields.access);
  EXPECT_EQ(znode->OwnBytes(), as_created);

  fields.version = 1;
  Znode::SetContent(znode, Zxid(7), 0, 1, fields.data);
  ExpectFields(*znode, fields);
  const size_t changed = znode->OwnBytes();
  EXPECT_GT(changed, as_created);

  Znode::MutableChildren(znode).Insert(CompactString("a"), Znode::Make());
  ExpectFields(*znode, fields);
  EXPECT_EQ(znode->num_children(), 1u);
  EXPECT_TRUE(znode->is_expirable());
  EXPECT_GT(znode->OwnBytes(), changed);
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
    ZnodeFields fields;
    if (ephemeral) fields.owner = SessionId(7);
    return Znode::Make(std::move(fields));
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

  ZnodeFields child;
  child.access = access;
  tree.Insert("/a", "b", Znode::Make(std::move(child)), {Zxid(4), 1});
  EXPECT_EQ(tree.acl_bytes(), 2 * AclBytes(kReadOnly));
  EXPECT_EQ(tree.digest(), tree.RecomputeDigest());
  const Tree::Removed removed = tree.Remove("/a", "b", {});
  EXPECT_EQ(removed.znode->access().get(), access.get());
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
  tree.Insert("/", "c", Znode::Make(), {Zxid(1), 1}, 0);
  tree.Insert("/c", "t", Znode::Make(), {Zxid(2), 1}, 500);
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
    tree.Insert("/", "a", Znode::Make(), {Zxid(1), 1}, ttl_ms);
    digests.insert(tree.digest());
  }
  EXPECT_EQ(digests.size(), 4u);
}

// Z17.
TEST(Znode, ExpiresByItsKind) {
  ZnodeFields fields;
  fields.mtime_ms = 1000;
  CowPtr<Znode> znode = Znode::Make(std::move(fields));
  EXPECT_FALSE(IsExpired(*znode, 5, 1005));
  EXPECT_TRUE(IsExpired(*znode, 5, 1006));
  EXPECT_FALSE(IsExpired(*znode, 5, 0));
  EXPECT_FALSE(IsExpired(*znode, 0, 2000));
  Znode::SetParentFields(znode, {}, 1);
  EXPECT_TRUE(IsExpired(*znode, 0, 0));
  Znode::SetParentFields(znode, {}, -1);  // wrapped
  EXPECT_TRUE(IsExpired(*znode, 0, 0));
  Znode::MutableChildren(znode).Insert(CompactString("a"), Znode::Make());
  EXPECT_FALSE(IsExpired(*znode, 0, 2000));
  EXPECT_FALSE(IsExpired(*znode, 5, 2000));

  ZnodeFields ancient;
  ancient.mtime_ms = INT64_MIN;
  EXPECT_TRUE(IsExpired(*Znode::Make(std::move(ancient)), 5, INT64_MAX));
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
