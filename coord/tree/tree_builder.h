#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coord/tree/cow_ptr.h"
#include "coord/tree/tree.h"
#include "coord/tree/znode.h"

namespace bellwether::coord::tree {

// Builds a tree from its znodes in the order in which Tree::Walk visits them, without looking for
// any: each goes to the end of its parent's children when all below it are there. Takes nothing
// for granted about what it is given. Used once.
class TreeBuilder {
 public:
  // Adds a znode without children at that depth (0: the root, whose name is empty), below the last
  // one added above it. With `ttl_ms` it may expire, 0 for a container. False when it can't be
  // there: the name is none, or not greater than its last sibling's; the parent is missing or an
  // ephemeral; the path is too long; the root or an ephemeral would expire.
  bool Add(size_t depth, std::string_view name, CowPtr<Znode> znode,
           std::optional<int64_t> ttl_ms = std::nullopt);

  // See Tree::MakeAccess.
  AclPtr MakeAccess(Acl acl, int32_t aversion);

  // Of the last znode added.
  std::string_view path() const { return path_.empty() ? "/" : std::string_view(path_); }
  size_t znode_count() const { return parts_.znode_count; }

  // The tree. Requires: there is a root.
  Tree Finish();

 private:
  // A znode to whose children more may come.
  struct Open {
    CowPtr<Znode> znode;
    size_t path_bytes;
  };

  // Completes all znodes at that depth or deeper. Requires: depth > 0.
  void CompleteFrom(size_t depth);

  std::vector<Open> open_;  // from the root to the last znode added
  std::string path_;        // of the last one of open_, empty for the root
  Tree::Parts parts_;       // all but the root
};

}  // namespace bellwether::coord::tree
