#include "coord/service/znode_watches.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "base/status.h"
#include "coord/tree/types.h"

namespace bellwether::coord {
namespace {

// A session id and what a list takes of memory.
constexpr size_t kListedOverheadBytes = 48;
// Of a watcher that is gone: the applier waits for no more than these.
constexpr size_t kRemovedPerHold = 1'000;

// READ of the change's znode; for a change of children the parent's (Z32).
bool MaySee(const tree::Change& change, const ZnodeWatcher& watcher) {
  if (!change.access) return true;
  static const tree::Identities kNobody;
  const std::shared_ptr<const tree::Identities> proved = watcher.identities();
  return tree::Allows(change.access, tree::kRead, proved == nullptr ? kNobody : *proved);
}

}  // namespace

// ---- Setting and removing ----

bool ZnodeWatches::Add(Table table, std::string_view path, std::shared_ptr<ZnodeWatcher> watcher) {
  ModesByTable modes{};
  modes[static_cast<size_t>(table)] = kOneShot;
  return AddModes(path, modes, std::move(watcher));
}

bool ZnodeWatches::AddPersistent(std::string_view path, bool recursive,
                                 std::shared_ptr<ZnodeWatcher> watcher) {
  const ModesByTable modes =
      recursive ? ModesByTable{kRecursive, 0} : ModesByTable{kPersistent, kPersistent};
  return AddModes(path, modes, std::move(watcher));
}

bool ZnodeWatches::AddModes(std::string_view path, ModesByTable modes,
                            std::shared_ptr<ZnodeWatcher> watcher) {
  if (path.size() > tree::kPathBytesMax) return false;
  base::MutexLock lock(mutex_);
  if (!HasRoom(path, modes, *watcher)) {
    if (refused_ != nullptr) refused_->Add();
    return false;
  }
  Entry& entry = EntryOf(std::move(watcher));
  Watched& place = WatchedOf(path);
  for (size_t table = 0; table < modes.size(); ++table) {
    if (modes[table] != 0) SetModes(place, table, entry, modes[table]);
  }
  return true;
}

bool ZnodeWatches::HasRoom(std::string_view path, const ModesByTable& modes,
                           const ZnodeWatcher& watcher) const {
  const Entry* const known = FindEntry(watcher);
  const Watched* const watched = FindWatched(path);
  size_t added = 0;
  bool has_path = false;
  for (size_t table = 0; table < modes.size(); ++table) {
    const bool has_slot =
        known != nullptr && watched != nullptr && FindSlot(*watched, table, *known) != nullptr;
    if (has_slot) has_path = true;
    if (!has_slot && modes[table] != 0) ++added;
  }
  if (added == 0) return true;
  const size_t own = known == nullptr ? 0 : known->count();
  const size_t own_bytes = known == nullptr ? 0 : known->path_bytes;
  return own + added <= bounds_.per_watcher_max && count_ + added <= bounds_.total_max &&
         own_bytes + (has_path ? 0 : path.size()) <= bounds_.path_bytes_per_watcher_max &&
         path_bytes_ + (watched == nullptr ? path.size() : 0) <= bounds_.path_bytes_max;
}

bool ZnodeWatches::Contains(std::string_view path, WatchKind kind,
                            const ZnodeWatcher& watcher) const {
  const ModesByTable modes = ModesOf(kind);
  base::MutexLock lock(mutex_);
  const Entry* const entry = FindEntry(watcher);
  const Watched* const watched = FindWatched(path);
  if (entry == nullptr || watched == nullptr) return false;
  for (size_t table = 0; table < modes.size(); ++table) {
    const Slot* const slot = FindSlot(*watched, table, *entry);
    if (slot != nullptr && (slot->modes & modes[table]) != 0) return true;
  }
  return false;
}

bool ZnodeWatches::Remove(std::string_view path, WatchKind kind, const ZnodeWatcher& watcher) {
  const ModesByTable modes = ModesOf(kind);
  base::MutexLock lock(mutex_);
  Entry* const entry = FindEntry(watcher);
  Watched* const watched = FindWatched(path);
  if (entry == nullptr || watched == nullptr) return false;
  bool had = false;
  for (size_t table = 0; table < modes.size(); ++table) {
    if (ClearModes(*watched, table, *entry, modes[table])) had = true;
  }
  EraseIfUnwatched(*watched);
  return had;
}

void ZnodeWatches::RemoveAll(const ZnodeWatcher& watcher) {
  while (RemoveSome(watcher, kRemovedPerHold)) {
  }
}

// True when there are more.
bool ZnodeWatches::RemoveSome(const ZnodeWatcher& watcher, size_t paths_max) {
  base::MutexLock lock(mutex_);
  Entry* const entry = FindEntry(watcher);
  if (entry == nullptr) return false;
  for (size_t table = 0; table < entry->paths.size(); ++table) {
    while (!entry->paths[table].empty()) {
      if (paths_max-- == 0) return true;
      Watched& watched = **entry->paths[table].begin();
      ClearModes(watched, table, *entry, kAllModes);
      EraseIfUnwatched(watched);
    }
  }
  by_watcher_.erase(&watcher);
  return false;
}

ZnodeWatches::ModesByTable ZnodeWatches::ModesOf(WatchKind kind) {
  switch (kind) {
    case WatchKind::kChildren:
      return {0, kOneShot};
    case WatchKind::kData:
      return {kOneShot, 0};
    case WatchKind::kAny:
      return {kAllModes, kAllModes};
    case WatchKind::kPersistent:
      return {kPersistent, kPersistent};
    case WatchKind::kRecursive:
      return {kRecursive, 0};
  }
  return {};
}

// ---- The two indexes ----

ZnodeWatches::Entry* ZnodeWatches::FindEntry(const ZnodeWatcher& watcher) const {
  const auto found = by_watcher_.find(&watcher);
  return found == by_watcher_.end() ? nullptr : found->second.get();
}

ZnodeWatches::Entry& ZnodeWatches::EntryOf(std::shared_ptr<ZnodeWatcher> watcher) {
  const ZnodeWatcher* const key = watcher.get();
  std::unique_ptr<Entry>& entry = by_watcher_[key];
  if (entry == nullptr) {
    entry = std::make_unique<Entry>();
    entry->watcher = std::move(watcher);
    entry->serial = ++last_serial_;
    if (MUTANT(53)) entry->told = last_telling_ + 1;
  }
  return *entry;
}

void ZnodeWatches::Entry::AddPath(size_t table, Watched& watched) {
  if (!paths[1 - table].contains(&watched)) path_bytes += watched.path.size();
  paths[table].insert(&watched);
}

void ZnodeWatches::Entry::RemovePath(size_t table, Watched& watched) {
  paths[table].erase(&watched);
  if (!paths[1 - table].contains(&watched)) path_bytes -= watched.path.size();
}

ZnodeWatches::Watched* ZnodeWatches::FindWatched(std::string_view path) const {
  const auto found = by_path_.find(base::AbslView(path));
  return found == by_path_.end() ? nullptr : found->second.get();
}

ZnodeWatches::Watched& ZnodeWatches::WatchedOf(std::string_view path) {
  if (Watched* const known = FindWatched(path); known != nullptr) return *known;
  auto watched = std::make_unique<Watched>(path);
  Watched& made = *watched;
  path_bytes_ += path.size();
  by_path_.emplace(base::AbslView(made.path), std::move(watched));
  return made;
}

const ZnodeWatches::Slot* ZnodeWatches::FindSlot(const Watched& watched, size_t table,
                                                 const Entry& entry) {
  const std::vector<Slot>& slots = watched.slots[table];
  const auto found =
      std::lower_bound(slots.begin(), slots.end(), entry.serial,
                       [](const Slot& slot, uint64_t serial) { return slot.serial < serial; });
  return found != slots.end() && found->serial == entry.serial ? &*found : nullptr;
}

void ZnodeWatches::SetModes(Watched& watched, size_t table, Entry& entry, Modes modes) {
  std::vector<Slot>& slots = watched.slots[table];
  auto slot = std::lower_bound(slots.begin(), slots.end(), entry.serial,
                               [](const Slot& a, uint64_t serial) { return a.serial < serial; });
  if (slot == slots.end() || slot->serial != entry.serial) {
    if (table == 0 && slots.empty()) ++data_paths_;
    slot = slots.insert(slot, Slot{entry.serial, &entry, 0});
    entry.AddPath(table, watched);
    ++count_;
  }
  if ((modes & kRecursive) != 0 && (slot->modes & kRecursive) == 0) {
    ++watched.recursive;
    ++recursive_;
    recursive_path_bytes_max_ = std::max(recursive_path_bytes_max_, watched.path.size());
  }
  slot->modes |= modes;
}

bool ZnodeWatches::ClearModes(Watched& watched, size_t table, Entry& entry, Modes modes) {
  const Slot* const found = FindSlot(watched, table, entry);
  if (found == nullptr || (found->modes & modes) == 0) return false;
  std::vector<Slot>& slots = watched.slots[table];
  const auto slot = slots.begin() + (found - slots.data());
  if ((slot->modes & modes & kRecursive) != 0) {
    --watched.recursive;
    if (--recursive_ == 0) recursive_path_bytes_max_ = 0;
  }
  slot->modes &= static_cast<Modes>(~modes);
  if (slot->modes == 0) {
    slots.erase(slot);
    entry.RemovePath(table, watched);
    --count_;
    if (table == 0 && slots.empty()) --data_paths_;
  }
  return true;
}

void ZnodeWatches::EraseIfUnwatched(const Watched& watched) {
  if (!watched.slots[0].empty() || !watched.slots[1].empty()) return;
  path_bytes_ -= watched.path.size();
  by_path_.erase(by_path_.find(base::AbslView(watched.path)));
}

// ---- Firing ----

void ZnodeWatches::Fire(const std::vector<tree::Change>& changes, WakeList& woken) {
  base::MutexLock lock(mutex_);
  if (count_ == 0) return;
  for (const tree::Change& change : changes) FireOne(change, woken);
}

// Of a deleted znode the data table's watchers are told first, then those of the child table who
// were not: both are one telling (Z27).
void ZnodeWatches::FireOne(const tree::Change& change, WakeList& woken) {
  using Type = tree::Change::Type;
  Telling telling{change, woken, ++last_telling_, {}};
  if (change.type == Type::kChildren) return FireTable(Table::kChild, telling);
  FireTable(Table::kData, telling);
  if (recursive_ > 0) FireAncestors(telling);
  if (change.type == Type::kDeleted && !MUTANT(19)) FireTable(Table::kChild, telling);
}

// The slots that stay close ranks in place; nothing is allocated here.
void ZnodeWatches::FireTable(Table table, Telling& telling) {
  const auto t = static_cast<size_t>(table);
  Watched* const watched = FindWatched(telling.change.path);
  if (watched == nullptr) return;
  std::vector<Slot>& slots = watched->slots[t];
  size_t kept = 0;
  for (const Slot& slot : slots) {
    Tell(*slot.entry, telling);
    const auto modes = static_cast<Modes>(MUTANT(52) ? slot.modes : slot.modes & ~kOneShot);
    if (modes != 0) {
      slots[kept++] = {slot.serial, slot.entry, modes};
    } else {
      slot.entry->RemovePath(t, *watched);
      --count_;
    }
  }
  if (table == Table::kData && kept == 0 && !slots.empty()) --data_paths_;
  slots.resize(kept);
  EraseIfUnwatched(*watched);
}

// Watchers of all below a znode above this one (Z29).
void ZnodeWatches::FireAncestors(Telling& telling) {
  std::string_view path = telling.change.path;
  while (path.size() > 1) {
    const size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return;
    path = path.substr(0, std::max<size_t>(slash, 1));
    if (path.size() < telling.change.path.rfind('/') && MUTANT(65)) return;
    if (path.size() > recursive_path_bytes_max_) continue;
    Watched* const watched = FindWatched(path);
    if (watched == nullptr || watched->recursive == 0) continue;
    for (const Slot& slot : watched->slots[0]) {
      if ((slot.modes & kRecursive) != 0) Tell(*slot.entry, telling);
    }
  }
}

void ZnodeWatches::Tell(Entry& entry, Telling& telling) {
  if (std::exchange(entry.told, telling.number) == telling.number) return;
  const tree::Change& change = telling.change;
  if (!MaySee(change, *entry.watcher) && !MUTANT(51)) return;
  if (telling.path.is_null()) telling.path = tree::SharedBytes::Copy(change.path);
  if (entry.watcher->QueueEvent({change.type, telling.path, change.zxid})) {
    telling.woken.push_back(entry.watcher);
  }
}

// ---- What people are told ----

size_t ZnodeWatches::count() const {
  base::MutexLock lock(mutex_);
  return count_;
}

std::vector<std::pair<const ZnodeWatcher*, uint64_t>> ZnodeWatches::Watchers() const {
  std::vector<std::pair<const ZnodeWatcher*, uint64_t>> watchers;
  base::MutexLock lock(mutex_);
  watchers.reserve(by_watcher_.size());
  for (const auto& [watcher, entry] : by_watcher_) watchers.emplace_back(watcher, entry->serial);
  return watchers;
}

// A path counts with the watcher that comes first in its slots, those of the data table before the
// others.
std::vector<ZnodeWatches::PathCount> ZnodeWatches::CountSome(
    const std::vector<std::pair<const ZnodeWatcher*, uint64_t>>& watchers, size_t paths_max,
    CountPosition& position) const {
  std::vector<PathCount> counted;
  base::MutexLock lock(mutex_);
  size_t looked_at = 0;
  for (; position.watcher < watchers.size(); ++position.watcher) {
    const auto& [watcher, serial] = watchers[position.watcher];
    const auto found = by_watcher_.find(watcher);
    const Entry* const entry = found == by_watcher_.end() ? nullptr : found->second.get();
    for (; position.table < 2 && entry != nullptr && entry->serial == serial; ++position.table) {
      const auto& paths = entry->paths[position.table];
      auto next = paths.lower_bound(const_cast<Watched*>(position.next));
      for (; next != paths.end(); ++next) {
        position.next = *next;
        if (looked_at++ == paths_max) return counted;
        const auto& slots = (*next)->slots;
        const bool is_first = slots[position.table].front().entry == entry &&
                              (position.table == 0 || slots[0].empty());
        if (is_first) counted.push_back({(*next)->path, slots[0].size() + slots[1].size()});
      }
      position.next = nullptr;
    }
    position.table = 0;
    position.next = nullptr;
    if (++looked_at > paths_max) {
      ++position.watcher;
      break;
    }
  }
  return counted;
}

void ZnodeWatches::CountByPath(
    size_t paths_per_hold,
    absl::FunctionRef<void(std::string_view path, size_t watches)> visit) const {
  const auto watchers = Watchers();
  CountPosition position;
  while (position.watcher < watchers.size()) {
    for (const PathCount& one : CountSome(watchers, paths_per_hold, position)) {
      visit(one.path, one.watches);
    }
  }
}

size_t ZnodeWatches::path_bytes() const {
  base::MutexLock lock(mutex_);
  return path_bytes_;
}

ZnodeWatches::Summary ZnodeWatches::Summarize() const {
  base::MutexLock lock(mutex_);
  Summary summary;
  summary.paths = data_paths_;
  for (const auto& [watcher, entry] : by_watcher_) {
    summary.watches += entry->paths[0].size();
    if (!entry->paths[0].empty()) ++summary.watchers;
  }
  return summary;
}

ZnodeWatches::Listing ZnodeWatches::List(size_t bytes_max) const {
  Listing listing;
  {
    base::MutexLock lock(mutex_);
    CopyWatches(bytes_max, listing);
  }
  std::sort(listing.watches.begin(), listing.watches.end());
  return listing;
}

void ZnodeWatches::CopyWatches(size_t bytes_max, Listing& listing) const {
  size_t bytes = 0;
  for (const auto& [watcher, entry] : by_watcher_) {
    if (entry->paths[0].empty()) continue;
    const SessionId session = watcher->session();
    for (const Watched* const watched : entry->paths[0]) {
      bytes += kListedOverheadBytes + watched->path.size();
      listing.more = bytes > bytes_max;
      if (listing.more) return;
      listing.watches.emplace_back(session, watched->path);
    }
  }
}

}  // namespace bellwether::coord
