#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "coord/tree/acl.h"

namespace bellwether::coord::tree {

// The accesses of a tree's znodes by content, so that a million znodes of one ACL hold it once.
// Saves memory and means nothing else: a copy begins empty, since what it is copied for, a view,
// gives no znode an ACL. What no znode holds any more goes while others come, a few at a time.
class AclTable {
 public:
  AclTable() = default;
  AclTable(const AclTable&) {}
  AclTable(AclTable&& other) noexcept;
  AclTable& operator=(AclTable other) noexcept;

  // The access of that content.
  AclPtr Get(Acl acl, int32_t aversion);

  size_t size() const { return entries_.size(); }

 private:
  struct ByContent {
    bool operator()(const AclPtr& a, const AclPtr& b) const;
  };
  using Entries = std::set<AclPtr, ByContent>;

  // Drops what nobody else holds among the next two behind the last ones looked at.
  void Sweep();

  Entries entries_;
  AclPtr swept_;  // the last one looked at; null: none, or the end
};

}  // namespace bellwether::coord::tree
