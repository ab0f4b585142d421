#include "coord/tree/tree.h"

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
      .Number(znode.ephemeral_owner.value())
      .Number(static_cast<uint32_t>(znode.version))
      .Number(static_cast<uint32_t>(znode.create_counter))
      .Number(znode.num_children())
      .Finish();
}

uint64_t DataTerm(std::string_view path, const SharedBytes& data) {
  return Hasher('d').Bytes(path).Number(data.is_null() ? 0 : 1).Bytes(data.view()).Finish();
}

uint64_t Terms(std::string_view path, const Znode& znode) {
  return StatTerm(path, znode) + DataTerm(path, znode.data);
}

void SetFields(Znode& parent, const Tree::ParentFields& fields) {
  parent.pzxid = fields.pzxid;
  parent.create_counter = fields.create_counter;
}

}  // namespace

Tree::Tree() : root_(std::make_unique<Znode>()) { digest_ = Terms("/", *root_); }

const Znode* Tree::Find(std::string_view path) const {
  if (path.empty() || path[0] != '/') return nullptr;
  const Znode* znode = root_.get();
  if (path.size() == 1) return znode;
  std::string_view rest = path.substr(1);
  while (true) {
    const size_t slash = rest.find('/');
    znode = znode->Child(rest.substr(0, slash));
    if (znode == nullptr || slash == std::string_view::npos) return znode;
    rest.remove_prefix(slash + 1);
  }
}

Znode* Tree::Find(std::string_view path) {
  return const_cast<Znode*>(std::as_const(*this).Find(path));
}

bool Tree::Walk(std::string_view path, absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const {
  const Znode* const top = Find(path);
  if (top == nullptr) return false;
  if (!visitor({path, *top}) || top->children == nullptr) return true;

  // The tables on the way down, each with the next child to visit and the length of its path.
  struct Level {
    ChildTable::Entries::const_iterator next;
    ChildTable::Entries::const_iterator end;
    size_t path_bytes;
  };
  std::vector<Level> levels;
  std::string current(path == "/" ? "" : path);
  auto descend = [&](const ChildTable& table) {
    levels.push_back({table.entries().begin(), table.entries().end(), current.size()});
  };
  descend(*top->children);
  while (!levels.empty()) {
    Level& level = levels.back();
    current.resize(level.path_bytes);
    if (level.next == level.end) {
      levels.pop_back();
      continue;
    }
    const Znode& znode = *level.next->znode;
    current += '/';
    current += level.next->name.view();
    ++level.next;
    if (!visitor({current, znode})) return true;
    if (znode.children != nullptr) descend(*znode.children);
  }
  return true;
}

Tree::ParentFields Tree::ParentFieldsOf(const Znode& parent) {
  return {parent.pzxid, parent.create_counter};
}

void Tree::Insert(std::string_view parent_path, Znode& parent, std::string_view name,
                  std::unique_ptr<Znode> znode, const ParentFields& fields) {
  CHECK(znode->children == nullptr);
  ++znode_count_;
  data_bytes_ += znode->data.size();
  digest_ += Terms(ChildPath(parent_path, name), *znode);

  digest_ -= StatTerm(parent_path, parent);
  if (parent.children == nullptr) parent.children = std::make_unique<ChildTable>();
  parent.children->Insert(name, std::move(znode));
  SetFields(parent, fields);
  digest_ += StatTerm(parent_path, parent);
}

std::unique_ptr<Znode> Tree::Remove(std::string_view parent_path, Znode& parent,
                                    std::string_view name, const ParentFields& fields) {
  CHECK(parent.children != nullptr);
  digest_ -= StatTerm(parent_path, parent);
  std::unique_ptr<Znode> znode = parent.children->Remove(name);
  CHECK(znode->children == nullptr);
  if (parent.children->size() == 0) parent.children.reset();
  SetFields(parent, fields);
  digest_ += StatTerm(parent_path, parent);

  --znode_count_;
  data_bytes_ -= znode->data.size();
  digest_ -= Terms(ChildPath(parent_path, name), *znode);
  return znode;
}

void Tree::RemoveDescendants(std::string_view path, Znode& znode, const ParentFields& fields) {
  Walk(path, [&](const ZnodeVisit& visit) {
    if (&visit.znode == &znode) return true;
    --znode_count_;
    data_bytes_ -= visit.data().size();
    digest_ -= Terms(visit.path, visit.znode);
    return true;
  });
  digest_ -= StatTerm(path, znode);
  znode.children.reset();
  SetFields(znode, fields);
  digest_ += StatTerm(path, znode);
}

Tree::Content Tree::SetContent(std::string_view path, Znode& znode, Content content) {
  digest_ -= Terms(path, znode);
  data_bytes_ += content.data.size();
  data_bytes_ -= znode.data.size();
  Content before{std::move(znode.data), znode.mzxid, znode.mtime_ms, znode.version};
  znode.data = std::move(content.data);
  znode.mzxid = content.mzxid;
  znode.mtime_ms = content.mtime_ms;
  znode.version = content.version;
  digest_ += Terms(path, znode);
  return before;
}

uint64_t Tree::RecomputeDigest() const {
  uint64_t digest = 0;
  Walk("/", [&](const ZnodeVisit& visit) {
    digest += Terms(visit.path, visit.znode);
    return true;
  });
  return digest;
}

}  // namespace bellwether::coord::tree
