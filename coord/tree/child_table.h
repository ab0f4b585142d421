#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"

namespace bellwether::coord::tree {

struct Znode;

// The name of a child, in 16 bytes: up to 15 bytes in place, longer ones on the heap.
class ChildName {
 public:
  explicit ChildName(std::string_view name);
  ChildName(ChildName&& other) noexcept;
  ChildName& operator=(ChildName&& other) noexcept;
  ~ChildName();

  std::string_view view() const;

 private:
  static constexpr size_t kInlineBytes = 15;
  static constexpr unsigned char kOnHeap = 0xff;

  // Invariant: the last byte is the length of a name in place, or kOnHeap; then the first eight
  // bytes are the address of the name and the next four its length.
  alignas(8) unsigned char bytes_[kInlineBytes + 1];
};

struct ChildEntry {
  ChildEntry(std::string_view child_name, std::unique_ptr<Znode> child)
      : name(child_name), znode(std::move(child)) {}

  ChildName name;
  std::unique_ptr<Znode> znode;
};

// The children of one znode by name, sorted by bytes. A B-tree of 256-byte nodes: it grows in small
// steps, never by a rehash. Owns the children. Freeing it frees any depth of descendants without
// recursion.
class ChildTable {
 public:
  ChildTable();
  ~ChildTable();
  ChildTable(const ChildTable&) = delete;
  ChildTable& operator=(const ChildTable&) = delete;

  // Null when there is none.
  Znode* Find(std::string_view name) const;
  // Requires: no child of that name.
  void Insert(std::string_view name, std::unique_ptr<Znode> child);
  // Requires: there is a child of that name.
  std::unique_ptr<Znode> Remove(std::string_view name);

  size_t size() const { return entries_.size(); }

  struct Less {
    using is_transparent = void;
    static std::string_view NameOf(const ChildEntry& entry) { return entry.name.view(); }
    static std::string_view NameOf(std::string_view name) { return name; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return NameOf(a) < NameOf(b);
    }
  };
  using Entries = absl::btree_set<ChildEntry, Less>;

  const Entries& entries() const { return entries_; }

 private:
  // Moves the tables of all children to `tables`.
  void TakeTables(std::vector<std::unique_ptr<ChildTable>>& tables);

  Entries entries_;
};

}  // namespace bellwether::coord::tree
