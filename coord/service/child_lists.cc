#include "coord/service/child_lists.h"

#include <utility>
#include <vector>

namespace bellwether::coord {
namespace {

constexpr size_t kLengthBytes = 4;

size_t PackedBytes(const std::vector<std::string>& names) {
  size_t bytes = 0;
  for (const std::string& name : names) bytes += kLengthBytes + name.size();
  return bytes;
}

PackedNamesPtr Pack(const std::vector<std::string>& names, size_t bytes) {
  auto packed = std::make_shared<PackedNames>();
  packed->count = names.size();
  packed->bytes.reserve(bytes);
  for (const std::string& name : names) {
    const auto length = static_cast<uint32_t>(name.size());
    for (int shift = 24; shift >= 0; shift -= 8) {
      packed->bytes.push_back(static_cast<char>(length >> shift & 0xff));
    }
    packed->bytes += name;
  }
  return packed;
}

}  // namespace

ChildLists::ChildLists(Options options, base::Metrics& metrics)
    : options_(options),
      hits_(metrics.AddCounter("bell_child_lists_hits_total",
                               "Large lists of children that were answered from those kept.")),
      misses_(metrics.AddCounter("bell_child_lists_misses_total",
                                 "Large lists of children that were put together.")) {
  metrics.AddGauge("bell_child_lists_bytes", "Large lists of children that are kept.",
                   [this] { return static_cast<double>(bytes()); });
}

// What is below the root depends on who asks: some do not see the system znodes.
bool ChildLists::IsOfAKindKept(const ListRead& read) {
  return read.whole && !read.recursive && read.after.empty() && read.path != "/";
}

ChildLists::Version ChildLists::VersionOf(const tree::Znode& znode) {
  const tree::Stat stat = znode.ToStat();
  return {stat.czxid, stat.pzxid, stat.cversion, stat.num_children};
}

size_t ChildLists::BytesOf(const std::string& path, const PackedNames& names) {
  return path.size() + names.bytes.size();
}

PackedNamesPtr ChildLists::Find(const ListRead& read, const tree::StateView& state) {
  if (!IsOfAKindKept(read)) return nullptr;
  {
    base::MutexLock lock(mutex_);
    if (!by_path_.contains(read.path)) return nullptr;
  }
  const tree::Znode* const znode = state.FindZnode(read.path);
  if (znode == nullptr) return nullptr;
  const Version version = VersionOf(*znode);
  base::MutexLock lock(mutex_);
  const auto found = by_path_.find(read.path);
  if (found == by_path_.end() || found->second.version != version) return nullptr;
  found->second.used = ++last_use_;
  hits_.Add();
  return found->second.names;
}

void ChildLists::Share(const ListRead& read, const tree::StateView& state, Response& response) {
  auto* const list = std::get_if<ListResult>(&response.result);
  if (list == nullptr || list->packed != nullptr || !IsOfAKindKept(read)) return;
  const size_t bytes = PackedBytes(list->names);
  if (bytes < options_.list_bytes_min) return;
  misses_.Add();
  if (bytes + read.path.size() > options_.bytes_max / 4) return;
  const tree::Znode* const znode = state.FindZnode(read.path);
  const Version version = VersionOf(*znode);
  list->packed = Pack(list->names, bytes);
  list->names = {};

  std::vector<PackedNamesPtr> freed;  // after the lock
  base::MutexLock lock(mutex_);
  const auto known = by_path_.find(read.path);
  if (known != by_path_.end()) {
    // A view may be of an earlier state than what another one kept.
    if (known->second.version.pzxid > version.pzxid) return;
    freed.push_back(Remove(read.path));
  }
  bytes_ += BytesOf(read.path, *list->packed);
  while (bytes_ > options_.bytes_max) freed.push_back(Remove(Oldest()));
  by_path_.emplace(read.path, Kept{version, list->packed, ++last_use_});
}

PackedNamesPtr ChildLists::Remove(const std::string& path) {
  const auto found = by_path_.find(path);
  PackedNamesPtr names = std::move(found->second.names);
  bytes_ -= BytesOf(found->first, *names);
  by_path_.erase(found);
  return names;
}

// They are few, since each is large.
const std::string& ChildLists::Oldest() const {
  auto oldest = by_path_.begin();
  for (auto next = by_path_.begin(); next != by_path_.end(); ++next) {
    if (next->second.used < oldest->second.used) oldest = next;
  }
  return oldest->first;
}

size_t ChildLists::bytes() const {
  base::MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace bellwether::coord
