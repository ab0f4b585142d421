#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "coord/tree/child_table.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// One znode. Its name is the key of its parent's child table and stored only there. With its slot
// in that table and the headers of its allocations it takes at most ~150 bytes beyond name and
// data. What clients see of it is its Stat().
struct Znode {
  Zxid czxid;
  Zxid mzxid;
  Zxid pzxid;
  int64_t ctime_ms = 0;
  int64_t mtime_ms = 0;
  SessionId ephemeral_owner;
  int32_t version = 0;
  int32_t create_counter = 0;  // children ever created: the next sequence number (Z11)
  SharedBytes data;
  std::unique_ptr<ChildTable> children;  // null while there is none

  size_t num_children() const { return children == nullptr ? 0 : children->size(); }
  // Null when there is none.
  Znode* Child(std::string_view name) const {
    return children == nullptr ? nullptr : children->Find(name);
  }
  Stat ToStat() const;
};

static_assert(sizeof(Znode) == 72);

}  // namespace bellwether::coord::tree
