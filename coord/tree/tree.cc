#include "coord/tree/tree.h"

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
      .Number(static_cast<uint64_t>(znode.czxid.value()))
      .Number(static_cast<uint64_t>(znode.mzxid.value()))
      .Number(static_cast<uint64_t>(znode.pzxid.value()))
      .Number(static_cast<uint64_t>(znode.ctime_ms))
      .Number(static_cast<uint64_t>(znode.mtime_ms))
      .Number(znode.ephemeral_owner().value())
      .Number(static_cast<uint32_t>(znode.version))
      .Number(static_cast<uint32_t>(znode.create_counter))
      .Number(znode.num_children())
      .Finish();
}

uint64_t DataTerm(std::string_view path, const SharedBytes& data) {
  return Hasher('d').Bytes(path).Number(data.is_null() ? 0 : 1).Bytes(data.view()).Finish();
}

void SetFields(Znode& parent, const Tree::ParentFields& fields) {
  parent.pzxid = fields.pzxid;
  parent.create_counter = fields.create_counter;
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

}  // namespace

Tree::Tree() : root_(new Znode()) { digest_ = DigestOf("/", *root_); }

Tree::Tree(CowPtr<Znode> root, size_t znode_count, size_t data_bytes, uint64_t digest)
    : root_(std::move(root)),
      znode_count_(znode_count),
      data_bytes_(data_bytes),
      digest_(digest) {}

const Znode* Tree::Find(std::string_view path) const {
  if (path.empty() || path[0] != '/') return nullptr;
  const Znode* znode = root_.get();
  ForEachName(path, [&znode](std::string_view name) {
    znode = znode->Child(name);
    return znode != nullptr;
  });
  return znode;
}

Znode& Tree::Mutable(std::string_view path) {
  Znode* znode = &root_.Mutable();
  ForEachName(path, [&znode](std::string_view name) {
    znode = &znode->mutable_children().Mutable(name).Mutable();
    return true;
  });
  return *znode;
}

bool Tree::Walk(std::string_view path, absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const {
  const Znode* const top = Find(path);
  if (top == nullptr) return false;
  if (!visitor({path, 0, *top}) || top->num_children() == 0) return true;

  // The tables on the way down, each with the next child to visit and the length of its path.
  struct Level {
    ChildTable::Iterator next;
    size_t path_bytes;
  };
  std::vector<Level> levels;
  std::string current(path == "/" ? "" : path);
  levels.push_back({top->children().begin(), current.size()});
  while (!levels.empty()) {
    Level& level = levels.back();
    current.resize(level.path_bytes);
    if (level.next == ChildTable::Iterator()) {
      levels.pop_back();
      continue;
    }
    const Znode& znode = *level.next->value;
    current += '/';
    current += level.next->key.view();
    ++level.next;
    if (!visitor({current, levels.size(), znode})) return true;
    if (znode.num_children() > 0) levels.push_back({znode.children().begin(), current.size()});
  }
  return true;
}

Tree::ParentFields Tree::ParentFieldsOf(const Znode& parent) {
  return {parent.pzxid, parent.create_counter};
}

const Znode& Tree::Insert(std::string_view parent_path, std::string_view name,
                          CowPtr<Znode> znode, const ParentFields& fields) {
  CHECK(znode->num_children() == 0);
  Znode& parent = Mutable(parent_path);
  ++znode_count_;
  data_bytes_ += znode->data.size();
  digest_ += DigestOf(ChildPath(parent_path, name), *znode);

  digest_ -= StatTerm(parent_path, parent);
  parent.mutable_children().Insert(CompactString(name), std::move(znode));
  SetFields(parent, fields);
  digest_ += StatTerm(parent_path, parent);
  return parent;
}

Tree::Removed Tree::Remove(std::string_view parent_path, std::string_view name,
                           const ParentFields& fields) {
  Znode& parent = Mutable(parent_path);
  digest_ -= StatTerm(parent_path, parent);
  CowPtr<Znode> znode = parent.mutable_children().Remove(name);
  CHECK(znode->num_children() == 0);
  SetFields(parent, fields);
  digest_ += StatTerm(parent_path, parent);

  --znode_count_;
  data_bytes_ -= znode->data.size();
  digest_ -= DigestOf(ChildPath(parent_path, name), *znode);
  return {std::move(znode), parent};
}

const Znode& Tree::RemoveDescendants(std::string_view path, const ParentFields& fields) {
  Walk(path, [&](const ZnodeVisit& visit) {
    if (visit.depth == 0) return true;
    --znode_count_;
    data_bytes_ -= visit.data().size();
    digest_ -= DigestOf(visit.path, visit.znode);
    return true;
  });
  Znode& znode = Mutable(path);
  digest_ -= StatTerm(path, znode);
  if (znode.num_children() > 0) znode.mutable_children() = ChildTable();
  SetFields(znode, fields);
  digest_ += StatTerm(path, znode);
  return znode;
}

Tree::Content Tree::ContentOf(const Znode& znode) {
  return {znode.data, znode.mzxid, znode.mtime_ms, znode.version};
}

const Znode& Tree::SetContent(std::string_view path, Content content) {
  Znode& znode = Mutable(path);
  digest_ -= DigestOf(path, znode);
  data_bytes_ += content.data.size();
  data_bytes_ -= znode.data.size();
  znode.data = std::move(content.data);
  znode.mzxid = content.mzxid;
  znode.mtime_ms = content.mtime_ms;
  znode.version = content.version;
  digest_ += DigestOf(path, znode);
  return znode;
}

uint64_t Tree::DigestOf(std::string_view path, const Znode& znode) {
  return StatTerm(path, znode) + DataTerm(path, znode.data);
}

uint64_t Tree::RecomputeDigest() const {
  uint64_t digest = 0;
  Walk("/", [&](const ZnodeVisit& visit) {
    digest += DigestOf(visit.path, visit.znode);
    return true;
  });
  return digest;
}

}  // namespace bellwether::coord::tree
