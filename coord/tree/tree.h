#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
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

// The znodes and what is summed over them: counts and digest. Knows the structure, none of the
// rules: who may change what, and when, is Edit's. The root always exists. A copy takes O(1) and
// shares what neither changes; it may be read and dropped on another thread. Otherwise not
// thread-safe; const calls may run in parallel.
class Tree {
 public:
  Tree();
  // What TreeBuilder made.
  Tree(CowPtr<Znode> root, size_t znode_count, size_t data_bytes, uint64_t digest);

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

  // Adds a child and puts the parent's fields to `fields`; returns the parent.
  // Requires: the parent is no ephemeral and has no such child, and the new znode has no children.
  const Znode& Insert(std::string_view parent_path, std::string_view name, CowPtr<Znode> znode,
                      const ParentFields& fields);

  struct Removed {
    CowPtr<Znode> znode;
    const Znode& parent;
  };
  // Takes a childless child out and puts the parent's fields to `fields`.
  // Requires: there is such a child.
  Removed Remove(std::string_view parent_path, std::string_view name, const ParentFields& fields);

  // Takes everything below a znode out and puts the znode's fields to `fields`; returns the znode.
  const Znode& RemoveDescendants(std::string_view path, const ParentFields& fields);

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

  size_t znode_count() const { return znode_count_; }  // the root included
  size_t data_bytes() const { return data_bytes_; }

  // The sum of DigestOf over all znodes.
  uint64_t digest() const { return digest_; }
  uint64_t RecomputeDigest() const;
  static uint64_t DigestOf(std::string_view path, const Znode& znode);

 private:
  // The znode for a change: it and all above it are this tree's alone from here on.
  Znode& Mutable(std::string_view path);

  CowPtr<Znode> root_;
  size_t znode_count_ = 1;
  size_t data_bytes_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace bellwether::coord::tree
