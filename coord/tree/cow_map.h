#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "base/check.h"
#include "coord/tree/cow_ptr.h"

namespace bellwether::coord::tree {

// A sorted map that is copied in O(1): copies share what neither has changed since. A B+tree whose
// nodes count who holds them; a change copies the shared ones among the nodes on the way to its
// leaf, at most 32 entries each, and nothing when nothing is shared. It grows in small steps,
// never by a rehash, and is one pointer wide. Keys of another type that Less accepts can be looked
// up; Key() must exist.
// Threads: one map is like any other value, but its copies may be read, changed and dropped on
// other threads at the same time. Iterators and addresses hold until the map is changed or dropped.
//
// Invariants (CheckInvariants):
// - all leaves are at level 0; no node but an empty map's missing root is without items
// - branch i > 0 of a node holds the keys from branches[i].first to before branches[i + 1].first;
//   branches[0].first means nothing
// - a node's size is the number of entries in it or below it
template <typename Key, typename Value, typename Less = std::less<>>
class CowMap {
  struct Node;

 public:
  struct Entry {
    Key key;
    [[no_unique_address]] Value value;
  };

  // Walks the entries in the order of their keys.
  class Iterator {
   public:
    const Entry& operator*() const { return steps_.back().node->entries()[steps_.back().position]; }
    const Entry* operator->() const { return &**this; }
    Iterator& operator++() {
      ++steps_.back().position;
      Settle();
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      if (a.steps_.empty() || b.steps_.empty()) return a.steps_.empty() == b.steps_.empty();
      return &*a == &*b;
    }

   private:
    friend class CowMap;
    struct Step {
      const Node* node;
      size_t position;
    };

    // Goes on from behind a node's last item to the next leaf, and from a branch to its leaf.
    void Settle() {
      while (!steps_.empty() && steps_.back().position == steps_.back().node->count) {
        steps_.pop_back();
        if (!steps_.empty()) ++steps_.back().position;
      }
      while (!steps_.empty() && steps_.back().node->level > 0) {
        const Step& step = steps_.back();
        steps_.push_back({step.node->branches()[step.position].child.get(), 0});
      }
    }

    absl::InlinedVector<Step, 6> steps_;  // from the root to the entry; none at the end
  };

  size_t size() const { return root_ ? root_->size : 0; }
  bool empty() const { return !root_; }

  Iterator begin() const {
    Iterator first;
    if (root_) first.steps_.push_back({root_.get(), 0});
    first.Settle();
    return first;
  }
  Iterator end() const { return {}; }
  // The first entry whose key is not less than `key`.
  template <typename K>
  Iterator LowerBound(const K& key) const {
    Iterator found;
    const Node* node = root_.get();
    while (node != nullptr) {
      const size_t position = node->level > 0 ? BranchFor(*node, key) : PositionFor(*node, key);
      found.steps_.push_back({node, position});
      node = node->level > 0 ? node->branches()[position].child.get() : nullptr;
    }
    found.Settle();
    return found;
  }
  // The entry with the largest key. Requires: not empty.
  const Entry& Last() const {
    const Node* node = root_.get();
    while (node->level > 0) node = node->branches()[node->count - 1].child.get();
    return node->entries()[node->count - 1];
  }

  // Null when there is none.
  template <typename K>
  const Value* Find(const K& key) const {
    if (!root_) return nullptr;
    const Node* node = root_.get();
    while (node->level > 0) node = node->branches()[BranchFor(*node, key)].child.get();
    const size_t position = PositionFor(*node, key);
    if (!IsAt(*node, position, key)) return nullptr;
    return &node->entries()[position].value;
  }

  // The value for a change that no copy of the map sees. Requires: there is an entry of that key.
  template <typename K>
  Value& Mutable(const K& key) {
    CHECK(root_);
    NodePtr* node = &root_;
    Unshare(*node);
    while ((*node)->level > 0) {
      node = &node->Owned().branches()[BranchFor(**node, key)].child;
      Unshare(*node);
    }
    const size_t position = PositionFor(**node, key);
    CHECK(IsAt(**node, position, key));
    return node->Owned().entries()[position].value;
  }

  // Requires: there is no entry of that key.
  void Insert(Key key, Value value) {
    InsertAtRoot({std::move(key), std::move(value)}, Order::kSorted);
  }
  // Insert without a search. Requires: the key is greater than all others.
  void Append(Key key, Value value) {
    InsertAtRoot({std::move(key), std::move(value)}, Order::kLast);
  }

  // Requires: there is an entry of that key.
  template <typename K>
  Value Remove(const K& key) {
    CHECK(root_);
    Value removed = RemoveFrom(root_, key);
    while (root_->level > 0 && root_->count == 1) {
      NodePtr child = root_->branches()[0].child;
      root_ = std::move(child);
    }
    if (root_->count == 0) root_ = NodePtr();
    return removed;
  }

  // For tests: reads all of it.
  void CheckInvariants() const {
    if (!root_) return;
    CHECK(root_->level == 0 || root_->count > 1);
    CheckNode(*root_, nullptr, nullptr);
  }

 private:
  using NodePtr = CowPtr<Node>;
  enum class Order { kSorted, kLast };

  static constexpr size_t kItemsMax = 32;
  // Below it a node looks for a neighbour to become one with, of at most that many together.
  static constexpr size_t kItemsMin = kItemsMax / 4;
  static constexpr size_t kMergedItemsMax = kItemsMax * 3 / 4;

  struct Branch {
    Key first;
    NodePtr child;
  };

  // A leaf with entries (level 0) or an inner node with branches; they follow it in memory.
  struct Node {
    Node(uint8_t node_level, uint8_t node_capacity) : level(node_level), capacity(node_capacity) {}
    Node(const Node&) = delete;
    ~Node() {
      if (level == 0) {
        std::destroy_n(entries(), count);
      } else {
        std::destroy_n(branches(), count);
      }
    }
    static void operator delete(void* memory) { ::operator delete(memory); }

    template <typename Item>
    Item* items() {
      static_assert(alignof(Item) <= alignof(Node));
      return reinterpret_cast<Item*>(this + 1);
    }
    template <typename Item>
    const Item* items() const {
      return reinterpret_cast<const Item*>(this + 1);
    }
    Entry* entries() { return items<Entry>(); }
    const Entry* entries() const { return items<Entry>(); }
    Branch* branches() { return items<Branch>(); }
    const Branch* branches() const { return items<Branch>(); }

    RefCount references;
    const uint8_t level;
    const uint8_t capacity;  // items that there is room for
    uint8_t count = 0;       // items
    uint64_t size = 0;       // entries in it or below it
  };

  static size_t SizeOf(const Entry&) { return 1; }
  static size_t SizeOf(const Branch& branch) { return branch.child->size; }

  // The branch whose subtree the key belongs to.
  template <typename K>
  static size_t BranchFor(const Node& node, const K& key) {
    const Branch* const second = node.branches() + 1;
    const auto before = [](const K& wanted, const Branch& branch) {
      return Less()(wanted, branch.first);
    };
    return static_cast<size_t>(
        std::upper_bound(second, node.branches() + node.count, key, before) - second);
  }

  // The position of the first entry whose key is not less.
  template <typename K>
  static size_t PositionFor(const Node& leaf, const K& key) {
    const auto before = [](const Entry& entry, const K& wanted) {
      return Less()(entry.key, wanted);
    };
    return static_cast<size_t>(
        std::lower_bound(leaf.entries(), leaf.entries() + leaf.count, key, before) -
        leaf.entries());
  }

  template <typename K>
  static bool IsAt(const Node& leaf, size_t position, const K& key) {
    return position < leaf.count && !Less()(key, leaf.entries()[position].key);
  }

  // A small map takes little; nodes made by a split are not left half empty.
  static constexpr size_t CapacityFor(size_t items) {
    for (const size_t capacity : {1, 2, 4, 8, 16, 24}) {
      if (items <= capacity) return capacity;
    }
    return kItemsMax;
  }

  static NodePtr NewNode(uint8_t level, size_t items) {
    const size_t capacity = CapacityFor(items);
    const size_t item_bytes = level == 0 ? sizeof(Entry) : sizeof(Branch);
    void* const memory = ::operator new(sizeof(Node) + capacity * item_bytes);
    return NodePtr(::new (memory) Node(level, static_cast<uint8_t>(capacity)));
  }

  // Adds the items [begin, end) of `from` to `to`, which has the room and no other holder. They
  // are moved out of `from` unless others hold it.
  static void AppendItems(NodePtr& from, size_t begin, size_t end, NodePtr& to) {
    if (from->level == 0) {
      AppendItems<Entry>(from, begin, end, to.Owned());
    } else {
      AppendItems<Branch>(from, begin, end, to.Owned());
    }
  }
  template <typename Item>
  static void AppendItems(NodePtr& from, size_t begin, size_t end, Node& to) {
    const Item* const items = from->template items<Item>();
    Item* const target = to.template items<Item>() + to.count;
    for (size_t i = begin; i < end; ++i) to.size += SizeOf(items[i]);
    if (from.IsOnly()) {
      Item* const owned = from.Owned().template items<Item>();
      std::uninitialized_move(owned + begin, owned + end, target);
    } else {
      std::uninitialized_copy(items + begin, items + end, target);
    }
    to.count = static_cast<uint8_t>(to.count + end - begin);
  }

  // Puts a node with room for that many items, held by nobody else, in its place.
  static void Replace(NodePtr& node, size_t items) {
    NodePtr copy = NewNode(node->level, items);
    AppendItems(node, 0, node->count, copy);
    node = std::move(copy);
  }

  static void Unshare(NodePtr& node) {
    if (!node.IsOnly()) Replace(node, node->count);
  }

  // Requires: position <= count < kItemsMax.
  template <typename Item>
  static void InsertItem(NodePtr& node, size_t position, Item item) {
    if (node->count == node->capacity || !node.IsOnly()) Replace(node, node->count + 1u);
    Node& owned = node.Owned();
    owned.size += SizeOf(item);
    Item* const items = owned.template items<Item>();
    if (position == owned.count) {
      ::new (items + position) Item(std::move(item));
    } else {
      ::new (items + owned.count) Item(std::move(items[owned.count - 1]));
      std::move_backward(items + position, items + owned.count - 1, items + owned.count);
      items[position] = std::move(item);
    }
    ++owned.count;
  }

  // Leaves the node's size to the caller. Requires: the node has no other holder.
  template <typename Item>
  static void EraseItem(NodePtr& node, size_t position) {
    Node& owned = node.Owned();
    Item* const items = owned.template items<Item>();
    std::move(items + position + 1, items + owned.count, items + position);
    --owned.count;
    std::destroy_at(items + owned.count);
    const bool is_roomy = CapacityFor(owned.count + 1u) * 2 <= owned.capacity;
    if (is_roomy && owned.count > 0) Replace(node, owned.count + 1u);
  }

  // Inserts the item. When the node was full it is split, and its new right neighbour returned. A
  // map that grows at its end (`at_end`) leaves full nodes behind.
  template <typename Item>
  static std::optional<Branch> Place(NodePtr& node, size_t position, Item item, bool at_end) {
    if (node->count < kItemsMax) {
      InsertItem(node, position, std::move(item));
      return std::nullopt;
    }
    const bool alone = at_end && position == kItemsMax;
    const size_t middle = alone ? kItemsMax : kItemsMax / 2;
    NodePtr right = NewNode(node->level, kItemsMax - middle + 1);
    if (!alone) {
      NodePtr left = NewNode(node->level, middle + 1);
      AppendItems(node, 0, middle, left);
      AppendItems(node, middle, kItemsMax, right);
      node = std::move(left);
    }
    if (alone || position > middle) {
      InsertItem(right, position - middle, std::move(item));
    } else {
      InsertItem(node, position, std::move(item));
    }
    Key first = right->level == 0 ? right->entries()[0].key : right->branches()[0].first;
    return Branch{std::move(first), std::move(right)};
  }

  void InsertAtRoot(Entry entry, Order order) {
    if (!root_) root_ = NewNode(0, 1);
    std::optional<Branch> neighbour = InsertInto(root_, std::move(entry), order, true);
    if (!neighbour.has_value()) return;
    NodePtr top = NewNode(static_cast<uint8_t>(root_->level + 1), 2);
    InsertItem(top, 0, Branch{Key(), std::move(root_)});
    InsertItem(top, 1, *std::move(neighbour));
    root_ = std::move(top);
  }

  // Inserts into the subtree of `node`; returns the node's new right neighbour if it was split.
  // `rightmost`: there is no node right of it.
  static std::optional<Branch> InsertInto(NodePtr& node, Entry entry, Order order,
                                          bool rightmost) {
    if (node->level == 0) {
      const size_t position =
          order == Order::kLast ? node->count : PositionFor(*node, entry.key);
      CHECK(order == Order::kLast ? IsEmptyOrBefore(*node, entry.key)
                                  : !IsAt(*node, position, entry.key));
      return Place(node, position, std::move(entry), rightmost);
    }
    Unshare(node);
    const size_t index =
        order == Order::kLast ? node->count - 1u : BranchFor(*node, entry.key);
    const bool rightmost_child = rightmost && index + 1 == node->count;
    std::optional<Branch> neighbour = InsertInto(node.Owned().branches()[index].child,
                                                 std::move(entry), order, rightmost_child);
    node.Owned().size += 1;
    if (!neighbour.has_value()) return std::nullopt;
    node.Owned().size -= neighbour->child->size;  // counted again when it is placed
    return Place(node, index + 1, *std::move(neighbour), rightmost);
  }

  static bool IsEmptyOrBefore(const Node& leaf, const Key& key) {
    return leaf.count == 0 || Less()(leaf.entries()[leaf.count - 1].key, key);
  }

  template <typename K>
  static Value RemoveFrom(NodePtr& node, const K& key) {
    Unshare(node);
    --node.Owned().size;
    if (node->level == 0) {
      const size_t position = PositionFor(*node, key);
      CHECK(IsAt(*node, position, key));
      Value value = std::move(node.Owned().entries()[position].value);
      EraseItem<Entry>(node, position);
      return value;
    }
    const size_t index = BranchFor(*node, key);
    Value value = RemoveFrom(node.Owned().branches()[index].child, key);
    MendChild(node, index);
    return value;
  }

  // Lets go of a child without items; a nearly empty one becomes one with a neighbour if they are
  // not too many together. So of two neighbours one has at least kItemsMin items.
  static void MendChild(NodePtr& node, size_t index) {
    const Branch* const branches = node->branches();
    const size_t count = branches[index].child->count;
    const auto fits = [&](size_t other) {
      return count + branches[other].child->count <= kMergedItemsMax;
    };
    if (count == 0) {
      EraseItem<Branch>(node, index);
    } else if (count >= kItemsMin) {
      return;
    } else if (index + 1 < node->count && fits(index + 1)) {
      MergeChildren(node, index);
    } else if (index > 0 && fits(index - 1)) {
      MergeChildren(node, index - 1);
    }
  }

  static void MergeChildren(NodePtr& node, size_t left_index) {
    Branch& left = node.Owned().branches()[left_index];
    Branch& right = node.Owned().branches()[left_index + 1];
    const size_t middle = left.child->count;
    NodePtr merged = NewNode(left.child->level, middle + right.child->count);
    AppendItems(left.child, 0, middle, merged);
    AppendItems(right.child, 0, right.child->count, merged);
    if (merged->level > 0) merged.Owned().branches()[middle].first = std::move(right.first);
    left.child = std::move(merged);
    EraseItem<Branch>(node, left_index + 1);
  }

  // `first` and `end` bound its keys, null for no bound.
  static void CheckNode(const Node& node, const Key* first, const Key* end) {
    CHECK(node.count > 0 && node.count <= node.capacity && node.capacity <= kItemsMax);
    if (node.level == 0) {
      CHECK(node.size == node.count);
      for (size_t i = 0; i < node.count; ++i) {
        const Key& key = node.entries()[i].key;
        CHECK(i == 0 || Less()(node.entries()[i - 1].key, key));
        CHECK(first == nullptr || !Less()(key, *first));
        CHECK(end == nullptr || Less()(key, *end));
      }
      return;
    }
    size_t size = 0;
    for (size_t i = 0; i < node.count; ++i) {
      const Branch& branch = node.branches()[i];
      const Key* const child_first = i == 0 ? first : &branch.first;
      const Key* const child_end = i + 1 == node.count ? end : &node.branches()[i + 1].first;
      CHECK(branch.child->level + 1 == node.level);
      CheckNode(*branch.child, child_first, child_end);
      size += branch.child->size;
    }
    CHECK(node.size == size);
  }

  NodePtr root_;  // null while there is no entry
};

}  // namespace bellwether::coord::tree
