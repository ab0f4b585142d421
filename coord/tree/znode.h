#pragma once

#include <cstddef>
#include <cstdint>

#include "coord/tree/acl.h"
#include "coord/tree/compact_string.h"
#include "coord/tree/cow_map.h"
#include "coord/tree/cow_ptr.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

struct Znode;

// The children of one znode by name, sorted by bytes.
using ChildTable = CowMap<CompactString, CowPtr<Znode>>;

// One znode. Its name is the key of its parent's child table and stored only there. With its slot
// in that table and the headers of its allocations it takes at most ~150 bytes beyond name and
// data. What clients see of it is its Stat. A copy shares data and children. Freeing one frees any
// depth of descendants without recursion.
struct Znode {
  Znode() : children_() {}
  Znode(const Znode& other);
  Znode& operator=(const Znode&) = delete;
  ~Znode();

  Zxid czxid;
  Zxid mzxid;
  Zxid pzxid;
  int64_t ctime_ms = 0;
  int64_t mtime_ms = 0;
  int32_t version = 0;
  int32_t create_counter = 0;  // children ever created: the next sequence number (Z11)
  SharedBytes data;
  AclPtr access;  // whom it is open to; see Tree::MakeAccess

  SessionId ephemeral_owner() const { return is_ephemeral_ ? owner_ : SessionId(); }
  bool is_ephemeral() const { return is_ephemeral_; }
  // Makes it an ephemeral, for good. Requires: it has no children; the id is not 0.
  void SetOwner(SessionId owner);

  size_t num_children() const { return is_ephemeral_ ? 0 : children_.size(); }
  // An ephemeral's is empty (Z16).
  const ChildTable& children() const;
  // Requires: it is no ephemeral.
  ChildTable& mutable_children();
  // Null when there is none.
  const Znode* Child(std::string_view name) const;

  // A container or a znode with a TTL: Tree::TtlOf says which.
  bool is_expirable() const { return is_expirable_; }
  // For good. Tree::Insert does it. Requires: it is no ephemeral.
  void SetExpirable();

  Stat ToStat() const;

 private:
  // Ephemerals have no children, so the two share a place: 8 of 80 bytes.
  union {
    ChildTable children_;
    SessionId owner_;
  };

 public:
  RefCount references;

 private:
  bool is_ephemeral_ = false;
  bool is_expirable_ = false;
};

static_assert(sizeof(Znode) == 80);

// Whether the time of a childless znode has come (Z17): a container's (ttl_ms 0) when it had a
// child, another's when its data did not change for more than ttl_ms.
bool IsExpired(const Znode& znode, int64_t ttl_ms, int64_t now_ms);

}  // namespace bellwether::coord::tree
