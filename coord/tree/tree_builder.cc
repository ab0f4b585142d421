#include "coord/tree/tree_builder.h"

#include <utility>

#include "base/check.h"
#include "coord/tree/path.h"

namespace bellwether::coord::tree {

bool TreeBuilder::Add(size_t depth, std::string_view name, CowPtr<Znode> znode,
                      std::optional<int64_t> ttl_ms) {
  if (ttl_ms.has_value() && (depth == 0 || znode->is_ephemeral())) return false;
  if (depth == 0) {
    if (!open_.empty() || !name.empty()) return false;
  } else {
    if (depth > open_.size() || !IsValidName(name)) return false;
    CompleteFrom(depth);
    const Znode& parent = *open_.back().znode;
    if (parent.is_ephemeral() || path_.size() + 1 + name.size() > kPathBytesMax) return false;
    if (parent.num_children() > 0 && !(parent.children().Last().key < name)) return false;
    path_ += '/';
    path_ += name;
  }
  ++parts_.znode_count;
  parts_.data_bytes += znode->data.size();
  if (znode->access()) parts_.acl_bytes += AclBytes(znode->access()->acl);
  if (ttl_ms.has_value()) znode.Mutable().SetExpirable();
  parts_.name_bytes += Tree::NameBytesOf(path(), *znode);
  if (ttl_ms.has_value()) {
    parts_.expirables.Insert(CompactString(path_), *ttl_ms);
    parts_.digest += Tree::DigestOf(path_, *ttl_ms);
  }
  open_.push_back({std::move(znode), path_.size()});
  return true;
}

AclPtr TreeBuilder::MakeAccess(Acl acl, int32_t aversion) {
  return parts_.acls.Get(std::move(acl), aversion);
}

void TreeBuilder::CompleteFrom(size_t depth) {
  while (open_.size() > depth) {
    CowPtr<Znode> znode = std::move(open_.back().znode);
    open_.pop_back();
    parts_.digest += Tree::DigestOf(path_, *znode);
    Open& parent = open_.back();
    const std::string_view name = std::string_view(path_).substr(parent.path_bytes + 1);
    Znode::MutableChildren(parent.znode).Append(CompactString(name), std::move(znode));
    path_.resize(parent.path_bytes);
  }
}

Tree TreeBuilder::Finish() {
  CHECK(!open_.empty());
  CompleteFrom(1);
  parts_.digest += Tree::DigestOf("/", *open_.front().znode);
  parts_.root = std::move(open_.front().znode);
  return Tree(std::move(parts_));
}

}  // namespace bellwether::coord::tree
