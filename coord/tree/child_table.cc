#include "coord/tree/child_table.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "coord/tree/znode.h"

namespace bellwether::coord::tree {

ChildName::ChildName(std::string_view name) {
  std::memset(bytes_, 0, sizeof bytes_);
  if (name.size() <= kInlineBytes) {
    std::memcpy(bytes_, name.data(), name.size());
    bytes_[kInlineBytes] = static_cast<unsigned char>(name.size());
    return;
  }
  CHECK(name.size() <= UINT32_MAX);
  char* const heap = new char[name.size()];
  std::memcpy(heap, name.data(), name.size());
  const auto size = static_cast<uint32_t>(name.size());
  std::memcpy(bytes_, &heap, sizeof heap);
  std::memcpy(bytes_ + 8, &size, sizeof size);
  bytes_[kInlineBytes] = kOnHeap;
}

ChildName::ChildName(ChildName&& other) noexcept {
  std::memcpy(bytes_, other.bytes_, sizeof bytes_);
  other.bytes_[kInlineBytes] = 0;
}

ChildName& ChildName::operator=(ChildName&& other) noexcept {
  unsigned char held[sizeof bytes_];
  std::memcpy(held, bytes_, sizeof held);
  std::memcpy(bytes_, other.bytes_, sizeof bytes_);
  std::memcpy(other.bytes_, held, sizeof held);
  return *this;
}

ChildName::~ChildName() {
  if (bytes_[kInlineBytes] != kOnHeap) return;
  char* heap;
  std::memcpy(&heap, bytes_, sizeof heap);
  delete[] heap;
}

std::string_view ChildName::view() const {
  if (bytes_[kInlineBytes] != kOnHeap) {
    return {reinterpret_cast<const char*>(bytes_), bytes_[kInlineBytes]};
  }
  const char* heap;
  uint32_t size;
  std::memcpy(&heap, bytes_, sizeof heap);
  std::memcpy(&size, bytes_ + 8, sizeof size);
  return {heap, size};
}

ChildTable::ChildTable() = default;

// A table whose children have lost their own tables is destroyed without any deeper call, so each
// one is emptied of them first.
ChildTable::~ChildTable() {
  std::vector<std::unique_ptr<ChildTable>> pending;
  TakeTables(pending);
  while (!pending.empty()) {
    const std::unique_ptr<ChildTable> table = std::move(pending.back());
    pending.pop_back();
    table->TakeTables(pending);
  }
}

Znode* ChildTable::Find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->znode.get();
}

void ChildTable::Insert(std::string_view name, std::unique_ptr<Znode> child) {
  const bool inserted = entries_.emplace(name, std::move(child)).second;
  CHECK(inserted);
}

std::unique_ptr<Znode> ChildTable::Remove(std::string_view name) {
  const auto found = entries_.find(name);
  CHECK(found != entries_.end());
  return std::move(entries_.extract(found).value().znode);
}

void ChildTable::TakeTables(std::vector<std::unique_ptr<ChildTable>>& tables) {
  for (const ChildEntry& entry : entries_) {
    if (entry.znode->children != nullptr) tables.push_back(std::move(entry.znode->children));
  }
}

}  // namespace bellwether::coord::tree
