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

Znode::Znode(const Znode& other)
    : czxid(other.czxid),
      mzxid(other.mzxid),
      pzxid(other.pzxid),
      ctime_ms(other.ctime_ms),
      mtime_ms(other.mtime_ms),
      version(other.version),
      create_counter(other.create_counter),
      data(other.data),
      access(other.access),
      children_(),
      is_ephemeral_(other.is_ephemeral_),
      is_expirable_(other.is_expirable_) {
  if (is_ephemeral_) {
    std::destroy_at(&children_);
    ::new (&owner_) SessionId(other.owner_);
  } else {
    children_ = other.children_;
  }
}

Znode::~Znode() {
  if (is_ephemeral_) return;
  if (!children_.empty()) DropTable(std::move(children_));
  std::destroy_at(&children_);
}

void Znode::SetOwner(SessionId owner) {
  CHECK(owner != SessionId() && !is_expirable_);
  if (!is_ephemeral_) {
    CHECK(children_.empty());
    std::destroy_at(&children_);
    is_ephemeral_ = true;
  }
  ::new (&owner_) SessionId(owner);
}

void Znode::SetExpirable() {
  CHECK(!is_ephemeral_);
  is_expirable_ = true;
}

const ChildTable& Znode::children() const {
  static const ChildTable* const none = new ChildTable();
  return is_ephemeral_ ? *none : children_;
}

ChildTable& Znode::mutable_children() {
  CHECK(!is_ephemeral_);
  return children_;
}

const Znode* Znode::Child(std::string_view name) const {
  const CowPtr<Znode>* const found = is_ephemeral_ ? nullptr : children_.Find(name);
  return found == nullptr ? nullptr : found->get();
}

Stat Znode::ToStat() const {
  Stat stat;
  stat.czxid = czxid;
  stat.mzxid = mzxid;
  stat.pzxid = pzxid;
  stat.ctime_ms = ctime_ms;
  stat.mtime_ms = mtime_ms;
  stat.version = version;
  stat.aversion = AversionOf(access);
  stat.num_children = static_cast<int32_t>(num_children());
  // Every creation counts once, every deletion once: deletions = creations - children (Z2). In
  // unsigned arithmetic, since the counter wraps.
  stat.cversion = static_cast<int32_t>(2 * static_cast<uint32_t>(create_counter) -
                                       static_cast<uint32_t>(stat.num_children));
  stat.data_length = static_cast<int32_t>(data.size());
  stat.ephemeral_owner = ephemeral_owner();
  return stat;
}

bool IsExpired(const Znode& znode, int64_t ttl_ms, int64_t now_ms) {
  if (znode.num_children() > 0) return false;
  if (ttl_ms == 0) return znode.create_counter != 0 || MUTANT(58);
  // In unsigned arithmetic: a snapshot may hold any time.
  const int64_t since_ms = MUTANT(57) ? znode.ctime_ms : znode.mtime_ms;
  const uint64_t unchanged_ms =
      static_cast<uint64_t>(now_ms) - static_cast<uint64_t>(since_ms);
  return now_ms > since_ms && unchanged_ms > static_cast<uint64_t>(ttl_ms);
}

}  // namespace bellwether::coord::tree
