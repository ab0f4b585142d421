#include "coord/tree/tree.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "coord/tree/digest.h"
#include "coord/tree/path.h"

namespace bellwether::coord::tree {
namespace {

// A znode counts in the digest with two terms, so that a new child does not hash its parent's data.
uint64_t StatTerm(std::string_view path, const Znode& znode) {
  return Hasher('s')
      .Bytes(path)
      .Number(static_cast<uint64_t>(znode.czxid().value()))
      .Number(static_cast<uint64_t>(znode.mzxid().value()))
      .Number(static_cast<uint64_t>(znode.pzxid().value()))
      .Number(static_cast<uint64_t>(znode.ctime_ms()))
      .Number(static_cast<uint64_t>(znode.mtime_ms()))
      .Number(znode.ephemeral_owner().value())
      .Number(static_cast<uint32_t>(znode.version()))
      .Number(static_cast<uint32_t>(znode.create_counter()))
      .Number(znode.num_children())
      .Finish();
}

uint64_t DataTerm(std::string_view path, const SharedBytes& data) {
  return Hasher('d').Bytes(path).Number(data.is_null() ? 0 : 1).Bytes(data.view()).Finish();
}

// Only of a znode that has an access: without ACLs the digest is what it was before there were any.
uint64_t AccessTerm(std::string_view path, const Access& access) {
  Hasher hasher('a');
  hasher.Bytes(path).Number(static_cast<uint32_t>(access.aversion)).Number(access.acl.size());
  for (const AclEntry& entry : access.acl) {
    hasher.Number(entry.permissions).Bytes(entry.scheme).Bytes(entry.id);
  }
  return hasher.Finish();
}

size_t AclBytesOf(const Znode& znode) { return znode.access() ? AclBytes(znode.access()->acl) : 0; }

void SetFields(CowPtr<Znode>& parent, const Tree::ParentFields& fields) {
  Znode::SetParentFields(parent, fields.pzxid, fields.create_counter);
}

// Calls `step` with each name on the way from the root to a path, until it returns false.
// Requires: the path begins with '/'.
template <typename Step>
void ForEachName(std::string_view path, Step step) {
  if (path.size() == 1) return;
  std::string_view rest = path.substr(1);
  while (true) {
    const size_t slash = rest.find('/');
    if (!step(rest.substr(0, slash)) || slash == std::string_view::npos) return;
    rest.remove_prefix(slash + 1);
  }
}

// The way of a walk: the child tables from the top down to where it is.
class Walker {
 public:
  explicit Walker(std::string_view top) : path_(top == "/" ? "" : top) {}

  // Goes on with the children of a znode, which has the path where the walk is.
  void Enter(const Znode& znode) {
    if (znode.num_children() > 0) levels_.push_back({znode.children().begin(), path_.size()});
  }

  // The same, but with those behind a name. Returns the child of that name, and the walk is there,
  // or null when there is none.
  const Znode* EnterAfter(const Znode& znode, std::string_view name) {
    ChildTable::Iterator next = znode.children().LowerBound(name);
    const bool found = next != ChildTable::Iterator() && next->key.view() == name;
    const Znode* const child = found ? next->value.get() : nullptr;
    if (found) ++next;
    levels_.push_back({std::move(next), path_.size()});
    if (found) (path_ += '/') += name;
    return child;
  }

  void Run(absl::FunctionRef<bool(const ZnodeVisit&)> visitor) {
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next == ChildTable::Iterator()) {
        levels_.pop_back();
        continue;
      }
      path_.resize(level.path_bytes);
      const Znode& znode = *level.next->value;
      (path_ += '/') += level.next->key.view();
      ++level.next;
      if (!visitor({path_, levels_.size(), znode})) return;
      Enter(znode);
    }
  }

 private:
  struct Level {
    ChildTable::Iterator next;  // to visit
    size_t path_bytes;          // of the table's znode
  };
  std::vector<Level> levels_;
  std::string path_;  // where it is; empty for the root
};

}  // namespace

Tree::Tree() : root_(Znode::Make()) { digest_ = DigestOf("/", *root_); }

Tree::Tree(Parts parts)
    : root_(std::move(parts.root)),
      expirables_(std::move(parts.expirables)),
      acls_(std::move(parts.acls)),
      znode_count_(parts.znode_count),
      data_bytes_(parts.data_bytes),
      acl_bytes_(parts.acl_bytes),
      name_bytes_(parts.name_bytes),
      digest_(parts.digest) {}

const Znode* Tree::Find(std::string_view path) const {
  if (path.empty() || path[0] != '/') return nullptr;
  const Znode* znode = root_.get();
  ForEachName(path, [&znode](std::string_view name) {
    znode = znode->Child(name);
    return znode != nullptr;
  });
  return znode;
}

CowPtr<Znode>& Tree::Mutable(std::string_view path) {
  CowPtr<Znode>* znode = &root_;
  znode->Mutable();
  ForEachName(path, [&znode](std::string_view name) {
    znode = &Znode::MutableChildren(*znode).Mutable(name);
    znode->Mutable();
    return true;
  });
  return *znode;
}

bool Tree::Walk(std::string_view path, absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const {
  const Znode* const top = Find(path);
  if (top == nullptr) return false;
  if (!visitor({path, 0, *top})) return true;
  Walker walker(path);
  walker.Enter(*top);
  walker.Run(visitor);
  return true;
}

bool Tree::WalkAfter(std::string_view path, std::string_view after,
                     absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const {
  const Znode* znode = Find(path);
  if (znode == nullptr) return false;
  Walker walker(path);
  // "/" is the one path that ends with a slash.
  std::string_view rest = after.substr(std::min(after.size(), path == "/" ? 1 : path.size() + 1));
  while (znode != nullptr && !rest.empty()) {
    const size_t slash = rest.find('/');
    znode = walker.EnterAfter(*znode, rest.substr(0, slash));
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  if (znode != nullptr) walker.Enter(*znode);
  walker.Run(visitor);
  return true;
}

Tree::ParentFields Tree::ParentFieldsOf(const Znode& parent) {
  return {parent.pzxid(), parent.create_counter()};
}

void Tree::Account(std::string_view path, const Znode& znode) {
  ++znode_count_;
  data_bytes_ += znode.data.size();
  acl_bytes_ += AclBytesOf(znode);
  name_bytes_ += NameBytesOf(path, znode);
  digest_ += DigestOf(path, znode);
}

std::optional<int64_t> Tree::Discount(std::string_view path, const Znode& znode) {
  --znode_count_;
  data_bytes_ -= znode.data.size();
  acl_bytes_ -= AclBytesOf(znode);
  name_bytes_ -= NameBytesOf(path, znode);
  digest_ -= DigestOf(path, znode);
  if (!znode.is_expirable()) return std::nullopt;
  const int64_t ttl_ms = expirables_.Remove(path);
  digest_ -= DigestOf(path, ttl_ms);
  return ttl_ms;
}

const Znode& Tree::Insert(std::string_view parent_path, std::string_view name,
                          CowPtr<Znode> znode, const ParentFields& fields,
                          std::optional<int64_t> ttl_ms) {
  CHECK(znode->num_children() == 0);
  CowPtr<Znode>& parent = Mutable(parent_path);
  const std::string path = ChildPath(parent_path, name);
  if (ttl_ms.has_value() && !znode->is_expirable()) znode.Mutable().SetExpirable();
  Account(path, *znode);
  if (ttl_ms.has_value()) {
    expirables_.Insert(CompactString(path), *ttl_ms);
    digest_ += DigestOf(path, *ttl_ms);
  }
  CHECK(znode->is_expirable() == ttl_ms.has_value());

  digest_ -= StatTerm(parent_path, *parent);
  Znode::MutableChildren(parent).Insert(CompactString(name), std::move(znode));
  SetFields(parent, fields);
  digest_ += StatTerm(parent_path, *parent);
  return *parent;
}

Tree::Removed Tree::Remove(std::string_view parent_path, std::string_view name,
                           const ParentFields& fields) {
  CowPtr<Znode>& parent = Mutable(parent_path);
  digest_ -= StatTerm(parent_path, *parent);
  CowPtr<Znode> znode = Znode::MutableChildren(parent).Remove(name);
  CHECK(znode->num_children() == 0);
  SetFields(parent, fields);
  digest_ += StatTerm(parent_path, *parent);

  const std::optional<int64_t> ttl_ms = Discount(ChildPath(parent_path, name), *znode);
  return {std::move(znode), *parent, ttl_ms};
}

const Znode& Tree::RemoveDescendants(std::string_view path, const ParentFields& fields) {
  Walk(path, [&](const ZnodeVisit& visit) {
    if (visit.depth > 0) Discount(visit.path, visit.znode);
    return true;
  });
  CowPtr<Znode>& znode = Mutable(path);
  digest_ -= StatTerm(path, *znode);
  if (znode->num_children() > 0) Znode::MutableChildren(znode) = ChildTable();
  SetFields(znode, fields);
  digest_ += StatTerm(path, *znode);
  return *znode;
}

const Znode& Tree::SetParentFields(std::string_view path, const ParentFields& fields) {
  CowPtr<Znode>& znode = Mutable(path);
  digest_ -= StatTerm(path, *znode);
  SetFields(znode, fields);
  digest_ += StatTerm(path, *znode);
  return *znode;
}

Tree::Content Tree::ContentOf(const Znode& znode) {
  return {znode.data, znode.mzxid(), znode.mtime_ms(), znode.version()};
}

const Znode& Tree::SetContent(std::string_view path, Content content) {
  CowPtr<Znode>& znode = Mutable(path);
  digest_ -= StatTerm(path, *znode) + DataTerm(path, znode->data);
  data_bytes_ += content.data.size();
  data_bytes_ -= znode->data.size();
  Znode::SetContent(znode, content.mzxid, content.mtime_ms, content.version,
                    std::move(content.data));
  digest_ += StatTerm(path, *znode) + DataTerm(path, znode->data);
  return *znode;
}

AclPtr Tree::MakeAccess(Acl acl, int32_t aversion) {
  return acls_.Get(std::move(acl), aversion);
}

const Znode& Tree::SetAccess(std::string_view path, AclPtr access) {
  CowPtr<Znode>& znode = Mutable(path);
  digest_ -= DigestOf(path, *znode);
  acl_bytes_ -= AclBytesOf(*znode);
  Znode::SetAccess(znode, std::move(access));
  acl_bytes_ += AclBytesOf(*znode);
  digest_ += DigestOf(path, *znode);
  return *znode;
}

std::optional<int64_t> Tree::TtlOf(std::string_view path) const {
  const int64_t* const ttl_ms = expirables_.Find(path);
  if (ttl_ms == nullptr) return std::nullopt;
  return *ttl_ms;
}

uint64_t Tree::DigestOf(std::string_view path, const Znode& znode) {
  const uint64_t digest = StatTerm(path, znode) + DataTerm(path, znode.data);
  return znode.access() ? digest + AccessTerm(path, *znode.access()) : digest;
}

uint64_t Tree::DigestOf(std::string_view path, int64_t ttl_ms) {
  return Hasher('t').Bytes(path).Number(static_cast<uint64_t>(ttl_ms)).Finish();
}

size_t Tree::NameBytesOf(std::string_view path, const Znode& znode) {
  const size_t bytes = CompactString::HeapBytes(path.size() - 1 - path.rfind('/'));
  const bool is_kept_by_path = znode.is_ephemeral() || znode.is_expirable();
  return is_kept_by_path ? bytes + CompactString::HeapBytes(path.size()) : bytes;
}

uint64_t Tree::RecomputeDigest() const {
  uint64_t digest = 0;
  Walk("/", [&](const ZnodeVisit& visit) {
    digest += DigestOf(visit.path, visit.znode);
    return true;
  });
  for (const Expirables::Entry& entry : expirables_) {
    digest += DigestOf(entry.key.view(), entry.value);
  }
  return digest;
}

}  // namespace bellwether::coord::tree
