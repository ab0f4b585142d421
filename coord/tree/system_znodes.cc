#include "coord/tree/system_znodes.h"

#include <cstdint>
#include <utility>

#include "coord/tree/acl.h"
#include "coord/tree/path.h"
#include "coord/tree/shared_bytes.h"

namespace bellwether::coord::tree {
namespace {

// ZooKeeper gives its config an ACL without counting it, and from -1 on.
constexpr int32_t kConfigAversion = -1;

AclPtr AccessOfNew(Tree& tree, std::string_view path) {
  if (path != kConfigPath) return {};
  return tree.MakeAccess({AclEntry{kRead, "world", "anyone"}}, kConfigAversion);
}

}  // namespace

bool IsSystemPath(std::string_view path) {
  return path == "/" || path == kSystemPath || path == kConfigPath || path == kQuotaPath;
}

void AddSystemZnodes(Tree& tree,
                     absl::FunctionRef<void(Change::Type type, std::string_view path)> report) {
  const SharedBytes empty = SharedBytes::Copy("");
  Tree::Content root = Tree::ContentOf(*tree.Find("/"));
  if (root.data.is_null() && root.version == 0) {
    root.data = empty;
    tree.SetContent("/", std::move(root));
    report(Change::Type::kChanged, "/");
  }
  for (const std::string_view path : {kSystemPath, kConfigPath, kQuotaPath}) {
    const PathParts parts = *SplitPath(path);
    const Znode& parent = *tree.Find(parts.parent);
    if (parent.is_ephemeral() || parent.Child(parts.name) != nullptr) continue;
    CowPtr<Znode> znode(new Znode());
    znode.Owned().data = empty;
    znode.Owned().access = AccessOfNew(tree, path);
    tree.Insert(parts.parent, parts.name, std::move(znode), Tree::ParentFieldsOf(parent));
    report(Change::Type::kCreated, path);
    report(Change::Type::kChildren, parts.parent);
  }
}

}  // namespace bellwether::coord::tree
