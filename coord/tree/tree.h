#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "coord/tree/acl.h"
#include "coord/tree/acl_table.h"
#include "coord/tree/compact_string.h"
#include "coord/tree/cow_map.h"
#include "coord/tree/cow_ptr.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/types.h"
#include "coord/tree/znode.h"

namespace bellwether::coord::tree {

// A znode met on a walk. Valid during the visit.
struct ZnodeVisit {
  std::string_view path;
  size_t depth;  // below the walk's top
  const Znode& znode;

  // Empty for the root.
  std::string_view name() const { return path.substr(path.rfind('/') + 1); }
  Stat stat() const { return znode.ToStat(); }
  const SharedBytes& data() const { return znode.data; }
};

// Paths of the znodes that may expire, with their TTL in ms; 0 for a container.
using Expirables = CowMap<CompactString, int64_t>;

// The znodes and what is summed over them: counts and digest. Knows the structure, none of the
// rules: who may change what, and when, is Edit's. The root always exists. A copy takes O(1) and
// shares what neither changes; it may be read and dropped on another thread. Otherwise not
// thread-safe; const calls may run in parallel.
class Tree {
 public:
  Tree();
  // What TreeBuilder makes.
  struct Parts {
    CowPtr<Znode> root;
    Expirables expirables;
    AclTable acls;
    size_t znode_count = 0;
    size_t data_bytes = 0;
    size_t acl_bytes = 0;
    size_t name_bytes = 0;  // the sum of NameBytesOf
    uint64_t digest = 0;
  };
  explicit Tree(Parts parts);

  // Null when there is none; a malformed path names none. The address is good until the next
  // change of the tree, whichever znode that is of.
  const Znode* Find(std::string_view path) const;

  // Visits the znode and everything below it: a parent before its children, siblings by the bytes
  // of their names; ends early when the visitor returns false. False when there is no such znode.
  // Any depth without recursion.
  bool Walk(std::string_view path, absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const;
  // The part of that walk behind the place of `after`, which is `path` or below it, whether there
  // is such a znode or not. It is found, not walked to.
  bool WalkAfter(std::string_view path, std::string_view after,
                 absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const;

  // What a change below a znode changes in the znode itself.
  struct ParentFields {
    Zxid pzxid;
    int32_t create_counter = 0;
  };
  static ParentFields ParentFieldsOf(const Znode& parent);

  // Changes. Each requires that the znode of the path, or of the parent's, exists. No copy of the
  // tree sees them.

  // Adds a child and puts the parent's fields to `fields`; returns the parent. With `ttl_ms` the
  // child may expire: 0 for a container.
  // Requires: the parent is no ephemeral and has no such child, and the new znode has no children.
  const Znode& Insert(std::string_view parent_path, std::string_view name, CowPtr<Znode> znode,
                      const ParentFields& fields, std::optional<int64_t> ttl_ms = std::nullopt);

  struct Removed {
    CowPtr<Znode> znode;
    const Znode& parent;
    std::optional<int64_t> ttl_ms;  // for an Insert that takes it back
  };
  // Takes a childless child out and puts the parent's fields to `fields`.
  // Requires: there is such a child.
  Removed Remove(std::string_view parent_path, std::string_view name, const ParentFields& fields);

  // Takes everything below a znode out and puts the znode's fields to `fields`; returns the znode.
  const Znode& RemoveDescendants(std::string_view path, const ParentFields& fields);

  // Puts a znode's fields to `fields`; returns the znode.
  const Znode& SetParentFields(std::string_view path, const ParentFields& fields);

  // What a change of the data sets.
  struct Content {
    SharedBytes data;
    Zxid mzxid;
    int64_t mtime_ms = 0;
    int32_t version = 0;
  };
  static Content ContentOf(const Znode& znode);
  // Returns the znode.
  const Znode& SetContent(std::string_view path, Content content);

  // An access to be given to a znode of this tree, shared with all that have the same. Null for an
  // open ACL of aversion 0. Requires: not ExceedsLimits.
  AclPtr MakeAccess(Acl acl, int32_t aversion);
  // Gives a znode another access; returns the znode.
  const Znode& SetAccess(std::string_view path, AclPtr access);

  // The TTL in ms of a znode that may expire, 0 for a container; nullopt for any other path.
  std::optional<int64_t> TtlOf(std::string_view path) const;
  const Expirables& expirables() const { return expirables_; }

  size_t znode_count() const { return znode_count_; }  // the root included
  size_t data_bytes() const { return data_bytes_; }
  // AclBytes of all znodes with an access, as if none was shared.
  size_t acl_bytes() const { return acl_bytes_; }
  // What names take that have no room in their slots, and the paths by which ephemerals and znodes
  // that may expire are kept as well.
  size_t name_bytes() const { return name_bytes_; }

  // The sum of DigestOf over all znodes and over the TTLs of those that may expire. An open znode's
  // is what it was before there were ACLs.
  uint64_t digest() const { return digest_; }
  uint64_t RecomputeDigest() const;
  static uint64_t DigestOf(std::string_view path, const Znode& znode);
  static uint64_t DigestOf(std::string_view path, int64_t ttl_ms);

  // A znode's part of name_bytes().
  static size_t NameBytesOf(std::string_view path, const Znode& znode);

 private:
  // The znode for a change: it and all above it are this tree's alone from here on.
  CowPtr<Znode>& Mutable(std::string_view path);

  // Counts a znode in, and one that was or will be taken out; that one's TTL goes, and is returned.
  void Account(std::string_view path, const Znode& znode);
  std::optional<int64_t> Discount(std::string_view path, const Znode& znode);

  CowPtr<Znode> root_;
  // Invariant: the paths of exactly the znodes that are is_expirable.
  Expirables expirables_;
  AclTable acls_;
  size_t znode_count_ = 1;
  size_t data_bytes_ = 0;
  size_t acl_bytes_ = 0;
  size_t name_bytes_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace bellwether::coord::tree
