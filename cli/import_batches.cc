#include "cli/import_batches.h"

#include <utility>

namespace bellwether::cli {
namespace {

constexpr size_t kOverheadBytes = 64;          // of a znode, and of an entry of its ACL
constexpr size_t kRequestBytesMax = 3 << 20;  // what servers take for sure

std::string ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace

size_t ImportBatches::BytesOf(const client::ImportedZnode& znode) {
  size_t bytes = kOverheadBytes + znode.path.size();
  if (znode.data.has_value()) bytes += znode.data->size();
  if (!znode.acl.has_value()) return bytes;
  for (const client::AclEntry& entry : *znode.acl) {
    bytes += kOverheadBytes + entry.scheme.size() + entry.id.size();
  }
  return bytes;
}

void ImportBatches::Add(client::ImportedZnode znode, size_t children) {
  if (znode.mode != client::CreateMode::kPersistent && children > 0) {
    std::string path = znode.path;
    held_.insert_or_assign(std::move(path), Held{std::move(znode), children});
    return;
  }
  Znodes group;
  Release(ParentOf(znode.path), group);
  group.push_back(std::move(znode));
  Append(std::move(group));
}

void ImportBatches::Skip(std::string_view path) {
  std::string parent = ParentOf(path);
  const auto found = held_.find(parent);
  if (found == held_.end() || --found->second.children > 0) return;
  Znodes group;
  Release(std::move(parent), group);
  Append(std::move(group));
}

void ImportBatches::Release(std::string path, Znodes& group) {
  std::vector<Held> chain;
  while (true) {
    const auto found = held_.find(path);
    if (found == held_.end()) break;
    chain.push_back(std::move(found->second));
    held_.erase(found);
    path = ParentOf(path);
  }
  for (auto one = chain.rbegin(); one != chain.rend(); ++one) {
    group.push_back(std::move(one->znode));
  }
}

void ImportBatches::Append(Znodes group) {
  size_t bytes = 0;
  for (const client::ImportedZnode& znode : group) bytes += BytesOf(znode);
  if (next_bytes_ + bytes > kBatchBytesMax || next_.size() + group.size() > kBatchZnodesMax) {
    EndBatch();
  }
  for (client::ImportedZnode& znode : group) {
    // What goes together, but is more than a request can be, has to go apart.
    const size_t size = BytesOf(znode);
    if (next_bytes_ + size > kRequestBytesMax) EndBatch();
    next_bytes_ += size;
    next_.push_back(std::move(znode));
  }
  if (next_bytes_ >= kBatchBytesMax || next_.size() >= kBatchZnodesMax) EndBatch();
}

void ImportBatches::EndBatch() {
  if (next_.empty()) return;
  ready_.push_back(std::exchange(next_, {}));
  next_bytes_ = 0;
}

void ImportBatches::Finish() {
  // In the order of paths, so that parents come first.
  for (auto& [path, held] : std::exchange(held_, {})) {
    Znodes group;
    group.push_back(std::move(held.znode));
    Append(std::move(group));
  }
  EndBatch();
}

ImportBatches::Znodes ImportBatches::Take() {
  Znodes taken = std::move(ready_.front());
  ready_.pop_front();
  return taken;
}

}  // namespace bellwether::cli
