#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>

#include "coord/tree/acl.h"

namespace bellwether::coord::tree {

// Some order by content, which nothing may depend on. Neither is null.
struct AccessLess {
  bool operator()(const AclPtr& a, const AclPtr& b) const;
};

// The accesses of a tree's znodes by content, so that a million znodes of one ACL hold it once.
// Saves memory and means nothing else: a copy begins empty, since what it is copied for, a view,
// gives no znode an ACL. What no znode holds any more goes while others come, a few at a time.
class AclTable {
 public:
  AclTable() = default;
  AclTable(const AclTable&) {}
  AclTable(AclTable&&) noexcept = default;
  AclTable& operator=(AclTable other) noexcept {
    std::swap(entries_, other.entries_);
    std::swap(swept_, other.swept_);
    return *this;
  }

  // The access of that content; null for an open ACL of aversion 0.
  AclPtr Get(Acl acl, int32_t aversion);

  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::set<AclPtr, AccessLess>;

  // Drops what nobody else holds among the next two behind the last ones looked at.
  void Sweep();

  Entries entries_;
  AclPtr swept_;  // the last one looked at; null: none, or the end
};

}  // namespace bellwether::coord::tree
