#include "coord/tree/znode.h"

#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutant.h"

namespace bellwether::coord::tree {
namespace {

// Drops the children of a znode that is freed. A table whose znodes go with it comes back to here
// for each of their tables; these wait until it is through. What waits is one pointer for each
// znode with children.
void DropTable(ChildTable table) {
  thread_local std::vector<ChildTable>* waiting = nullptr;
  if (waiting != nullptr) {
    waiting->push_back(std::move(table));
    return;
  }
  std::vector<ChildTable> tables;
  waiting = &tables;
  tables.push_back(std::move(table));
  while (!tables.empty()) {
    const ChildTable next = std::move(tables.back());
    tables.pop_back();
  }
  waiting = nullptr;
}

}  // namespace

Znode::Znode(Layout layout, Zxid czxid, int64_t ctime_ms, bool is_ephemeral)
    : layout_(layout), is_ephemeral_(is_ephemeral), czxid_(czxid), ctime_ms_(ctime_ms), access_() {
  if (has_owner_inside()) {
    std::destroy_at(&access_);
    ::new (&owner_) SessionId();
  }
}

size_t Znode::BytesOf(Layout layout) {
  // Sizes for which the allocator rounds up by little: 48, 80 and 96 with its own 8.
  static_assert(sizeof(Znode) == 40 && sizeof(Changes) == 32 && sizeof(Family) == 16);
  static_assert(alignof(Znode) >= alignof(Changes) && alignof(Changes) >= alignof(Family));
  return sizeof(Znode) + (layout >= Layout::kChanged ? sizeof(Changes) : 0) +
         (layout == Layout::kParent ? sizeof(Family) : 0);
}

Znode* Znode::New(Layout layout, Zxid czxid, int64_t ctime_ms, bool is_ephemeral) {
  void* const memory = ::operator new(BytesOf(layout));
  Znode* const znode = ::new (memory) Znode(layout, czxid, ctime_ms, is_ephemeral);
  if (layout >= Layout::kChanged) ::new (&znode->changes()) Changes{czxid, ctime_ms, 0, 0, {}};
  if (layout == Layout::kParent) ::new (&znode->family()) Family{czxid, {}};
  return znode;
}

Znode::~Znode() {
  if (!has_owner_inside()) std::destroy_at(&access_);
  if (layout_ != Layout::kParent) return;
  if (!family().children.empty()) DropTable(std::move(family().children));
  std::destroy_at(&family());
}

CowPtr<Znode> Znode::Make(ZnodeFields fields) {
  const bool is_ephemeral = fields.owner != SessionId();
  const bool is_as_created = fields.mzxid == fields.czxid && fields.mtime_ms == fields.ctime_ms &&
                             fields.version == 0 && fields.create_counter == 0 &&
                             !(is_ephemeral && fields.access);
  Layout layout = is_as_created ? Layout::kAsCreated : Layout::kChanged;
  if (fields.pzxid != fields.czxid) layout = Layout::kParent;
  Znode* const znode = New(layout, fields.czxid, fields.ctime_ms, is_ephemeral);
  znode->data = std::move(fields.data);
  if (znode->has_owner_inside()) {
    znode->owner_ = fields.owner;
  } else {
    znode->access_ = std::move(fields.access);
  }
  if (layout >= Layout::kChanged) {
    znode->changes() = {fields.mzxid, fields.mtime_ms, fields.version, fields.create_counter,
                        fields.owner};
  }
  if (layout == Layout::kParent) znode->family().pzxid = fields.pzxid;
  return CowPtr<Znode>(znode);
}

Znode* Znode::Copy(const Znode& other) {
  Znode* const znode = New(other.layout_, other.czxid_, other.ctime_ms_, other.is_ephemeral_);
  znode->is_expirable_ = other.is_expirable_;
  znode->data = other.data;
  if (other.has_owner_inside()) {
    znode->owner_ = other.owner_;
  } else {
    znode->access_ = other.access_;
  }
  if (other.layout_ >= Layout::kChanged) znode->changes() = other.changes();
  if (other.layout_ == Layout::kParent) znode->family() = other.family();
  return znode;
}

void Znode::Widen(CowPtr<Znode>& place, Layout layout) {
  CHECK(place.IsOnly());
  Znode& from = place.Owned();
  if (from.layout_ >= layout) return;
  CowPtr<Znode> wider(New(layout, from.czxid_, from.ctime_ms_, from.is_ephemeral_));
  Znode& to = wider.Owned();
  to.is_expirable_ = from.is_expirable_;
  to.data = std::move(from.data);
  if (from.layout_ >= Layout::kChanged) {
    to.changes() = from.changes();
  } else {
    to.changes().owner = from.ephemeral_owner();
  }
  if (!from.has_owner_inside()) to.access_ = std::move(from.access_);
  place = std::move(wider);
}

const AclPtr& Znode::access() const {
  static const AclPtr* const open = new AclPtr();
  return has_owner_inside() ? *open : access_;
}

SessionId Znode::ephemeral_owner() const {
  if (!is_ephemeral_) return SessionId();
  return has_owner_inside() ? owner_ : changes().owner;
}

const ChildTable& Znode::NoChildren() {
  static const ChildTable* const none = new ChildTable();
  return *none;
}

const Znode* Znode::Child(std::string_view name) const {
  if (layout_ != Layout::kParent) return nullptr;
  const CowPtr<Znode>* const found = family().children.Find(name);
  return found == nullptr ? nullptr : found->get();
}

void Znode::SetExpirable() {
  CHECK(!is_ephemeral_);
  is_expirable_ = true;
}

void Znode::SetContent(CowPtr<Znode>& znode, Zxid mzxid, int64_t mtime_ms, int32_t version,
                       SharedBytes data) {
  Widen(znode, Layout::kChanged);
  Changes& changes = znode.Owned().changes();
  changes.mzxid = mzxid;
  changes.mtime_ms = mtime_ms;
  changes.version = version;
  znode.Owned().data = std::move(data);
}

void Znode::SetAccess(CowPtr<Znode>& znode, AclPtr access) {
  if (znode->is_ephemeral_) Widen(znode, Layout::kChanged);
  znode.Owned().access_ = std::move(access);
}

void Znode::SetParentFields(CowPtr<Znode>& znode, Zxid pzxid, int32_t create_counter) {
  Widen(znode, Layout::kParent);
  znode.Owned().family().pzxid = pzxid;
  znode.Owned().changes().create_counter = create_counter;
}

ChildTable& Znode::MutableChildren(CowPtr<Znode>& znode) {
  CHECK(!znode->is_ephemeral_);
  Widen(znode, Layout::kParent);
  return znode.Owned().family().children;
}

Stat Znode::ToStat() const {
  Stat stat;
  stat.czxid = czxid();
  stat.mzxid = mzxid();
  stat.pzxid = pzxid();
  stat.ctime_ms = ctime_ms();
  stat.mtime_ms = mtime_ms();
  stat.version = version();
  stat.aversion = AversionOf(access());
  stat.num_children = static_cast<int32_t>(num_children());
  // Every creation counts once, every deletion once: deletions = creations - children (Z2). In
  // unsigned arithmetic, since the counter wraps.
  stat.cversion = static_cast<int32_t>(2 * static_cast<uint32_t>(create_counter()) -
                                       static_cast<uint32_t>(stat.num_children));
  stat.data_length = static_cast<int32_t>(data.size());
  stat.ephemeral_owner = ephemeral_owner();
  return stat;
}

bool IsExpired(const Znode& znode, int64_t ttl_ms, int64_t now_ms) {
  if (znode.num_children() > 0) return false;
  if (ttl_ms == 0) return znode.create_counter() != 0 || MUTANT(58);
  // In unsigned arithmetic: a snapshot may hold any time.
  const int64_t since_ms = MUTANT(57) ? znode.ctime_ms() : znode.mtime_ms();
  const uint64_t unchanged_ms =
      static_cast<uint64_t>(now_ms) - static_cast<uint64_t>(since_ms);
  return now_ms > since_ms && unchanged_ms > static_cast<uint64_t>(ttl_ms);
}

}  // namespace bellwether::coord::tree
