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

class Znode;

// The children of one znode by name, sorted by bytes.
using ChildTable = CowMap<CompactString, CowPtr<Znode>>;

// What a znode is made of, but for its children.
struct ZnodeFields {
  Zxid czxid;
  Zxid mzxid;
  Zxid pzxid;
  int64_t ctime_ms = 0;
  int64_t mtime_ms = 0;
  int32_t version = 0;
  int32_t create_counter = 0;  // children ever created: the next sequence number (Z11)
  SharedBytes data;
  AclPtr access;    // whom it is open to; see Tree::MakeAccess
  SessionId owner;  // not 0: it is an ephemeral
};

// One znode. Its name is the key of its parent's child table and stored only there. What clients see
// of it is its Stat. A copy shares data and children. Freeing one frees any depth of descendants
// without recursion.
//
// Of what its fields say only what can't be told from others is in memory: most znodes have no
// children, and many were never changed. So a znode that gets more than it has room for is replaced
// by a larger one: whoever changes one has the CowPtr to it.
class Znode {
 public:
  // Without children.
  static CowPtr<Znode> Make(ZnodeFields fields = {});
  // A new object of one holder.
  static Znode* Copy(const Znode& other);
  Znode(const Znode&) = delete;
  ~Znode();
  static void operator delete(void* memory) { ::operator delete(memory); }

  Zxid czxid() const { return czxid_; }
  Zxid mzxid() const { return layout_ == Layout::kAsCreated ? czxid_ : changes().mzxid; }
  Zxid pzxid() const { return layout_ == Layout::kParent ? family().pzxid : czxid_; }
  int64_t ctime_ms() const { return ctime_ms_; }
  int64_t mtime_ms() const { return layout_ == Layout::kAsCreated ? ctime_ms_ : changes().mtime_ms; }
  int32_t version() const { return layout_ == Layout::kAsCreated ? 0 : changes().version; }
  int32_t create_counter() const {
    return layout_ == Layout::kAsCreated ? 0 : changes().create_counter;
  }
  // Null when it is open.
  const AclPtr& access() const;

  bool is_ephemeral() const { return is_ephemeral_; }
  SessionId ephemeral_owner() const;

  size_t num_children() const { return children().size(); }
  // An ephemeral's is empty (Z16).
  const ChildTable& children() const {
    return layout_ == Layout::kParent ? family().children : NoChildren();
  }
  // Null when there is none.
  const Znode* Child(std::string_view name) const;

  // A container or a znode with a TTL: Tree::TtlOf says which.
  bool is_expirable() const { return is_expirable_; }

  Stat ToStat() const;

  // Changes. `znode` is not null and has no other holder.

  // For good. Tree::Insert does it. Requires: it is no ephemeral.
  void SetExpirable();
  static void SetContent(CowPtr<Znode>& znode, Zxid mzxid, int64_t mtime_ms, int32_t version,
                         SharedBytes data);
  static void SetAccess(CowPtr<Znode>& znode, AclPtr access);
  static void SetParentFields(CowPtr<Znode>& znode, Zxid pzxid, int32_t create_counter);
  // Requires: it is no ephemeral.
  static ChildTable& MutableChildren(CowPtr<Znode>& znode);

  // How many bytes it takes, without the allocator's.
  size_t OwnBytes() const { return BytesOf(layout_); }

 private:
  // Each has what those before it have, behind the object.
  enum class Layout : uint8_t {
    kAsCreated,  // nothing: mzxid and pzxid are czxid, mtime is ctime, all counters 0
    kChanged,    // Changes
    kParent,     // Changes, Family
  };
  struct Changes {
    Zxid mzxid;
    int64_t mtime_ms = 0;
    int32_t version = 0;
    int32_t create_counter = 0;
    SessionId owner;
  };
  struct Family {
    Zxid pzxid;
    ChildTable children;
  };

  Znode(Layout layout, Zxid czxid, int64_t ctime_ms, bool is_ephemeral);

  static size_t BytesOf(Layout layout);
  // With all at its beginning, and no access or owner.
  static Znode* New(Layout layout, Zxid czxid, int64_t ctime_ms, bool is_ephemeral);
  static const ChildTable& NoChildren();
  // Replaces it by one of that layout, if its own has less.
  static void Widen(CowPtr<Znode>& znode, Layout layout);

  // In place of an access there is the owner.
  bool has_owner_inside() const { return is_ephemeral_ && layout_ == Layout::kAsCreated; }
  Changes& changes() { return *reinterpret_cast<Changes*>(this + 1); }
  const Changes& changes() const { return *reinterpret_cast<const Changes*>(this + 1); }
  Family& family() { return *reinterpret_cast<Family*>(&changes() + 1); }
  const Family& family() const { return *reinterpret_cast<const Family*>(&changes() + 1); }

 public:
  RefCount references;

 private:
  const Layout layout_;
  const bool is_ephemeral_;
  bool is_expirable_ = false;
  const Zxid czxid_;
  const int64_t ctime_ms_;

 public:
  SharedBytes data;

 private:
  union {
    AclPtr access_;
    SessionId owner_;  // has_owner_inside()
  };
};

// Whether the time of a childless znode has come (Z17): a container's (ttl_ms 0) when it had a
// child, another's when its data did not change for more than ttl_ms.
bool IsExpired(const Znode& znode, int64_t ttl_ms, int64_t now_ms);

}  // namespace bellwether::coord::tree
