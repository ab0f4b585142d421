#include "coord/service/watch_hub.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"

namespace bellwether::coord {

ChangeSet ToChangeSet(Zxid zxid, std::vector<tree::Change> changes) {
  ChangeSet set;
  set.zxid = zxid;
  set.bytes = sizeof(ChangeSet);
  for (const tree::Change& change : changes) {
    set.bytes += sizeof(change) + change.path.size() + change.data.size();
  }
  set.changes = std::move(changes);
  return set;
}

ChangeSetPtr MakeChangeSet(Zxid zxid, std::vector<tree::Change> changes) {
  return std::make_shared<const ChangeSet>(ToChangeSet(zxid, std::move(changes)));
}

namespace {

// Changes of different accesses that watchers of a path refuse before they queue a set unjudged.
constexpr int kRefusalsMax = 16;

bool IsWithin(std::string_view path, std::string_view root) {
  if (root == "/") return true;
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

void WatchFilter::Normalize() {
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> kept;
  for (std::string& path : paths) {
    // What covers a path is a prefix of it, or equal, and so was kept before.
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const std::string& root) {
      return recursive ? IsWithin(path, root) : path == root;
    });
    if (!covered) kept.push_back(std::move(path));
  }
  paths = std::move(kept);
}

std::string WatchFilter::Text() const { return PathForMessage(absl::StrJoin(paths, ", ")); }

bool WatchFilter::Matches(const tree::Change& change) const {
  if (!recursive) return std::binary_search(paths.begin(), paths.end(), change.path);
  if (change.type == tree::Change::Type::kChildren) return false;
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    return IsWithin(change.path, path);
  });
}

size_t WatchRing::Append(ChangeSetPtr set) {
  Slot slot;
  slot.own.zxid = set->zxid;
  slot.own.bytes = set->bytes;
  slot.changes = set->changes.size();
  slot.shared = std::move(set);
  return Add(std::move(slot));
}

size_t WatchRing::Append(ChangeSet set) {
  const size_t changes = set.changes.size();
  return Add(Slot{.own = std::move(set), .shared = nullptr, .changes = changes});
}

size_t WatchRing::Add(Slot slot) {
  CHECK(slots_.empty() || slots_.back().own.zxid < slot.own.zxid);
  size_t forgotten = 0;
  changes_ += slot.changes;
  bytes_ += slot.own.bytes;
  slots_.push_back(std::move(slot));
  while (!slots_.empty() && (changes_ > changes_max_ || bytes_ > bytes_max_)) {
    const Slot& oldest = slots_.front();
    forgotten += oldest.changes;
    changes_ -= oldest.changes;
    bytes_ -= oldest.own.bytes;
    if (!MUTANT(20)) resumable_from_ = oldest.own.zxid;
    slots_.pop_front();
  }
  return forgotten;
}

const ChangeSetPtr& WatchRing::Share(Slot& slot) {
  if (slot.shared == nullptr) {
    slot.shared = std::make_shared<const ChangeSet>(
        ChangeSet{slot.own.zxid, std::move(slot.own.changes), slot.own.bytes});
  }
  return slot.shared;
}

void WatchRing::Clear(Zxid zxid) {
  slots_.clear();
  changes_ = 0;
  bytes_ = 0;
  if (!MUTANT(33)) resumable_from_ = zxid;
}

std::deque<WatchRing::Slot>::iterator WatchRing::FirstAfter(Zxid zxid) {
  return std::upper_bound(slots_.begin(), slots_.end(), zxid,
                          [](Zxid a, const Slot& slot) { return a < slot.own.zxid; });
}

std::vector<ChangeSetPtr> WatchRing::After(Zxid zxid, size_t sets_max) {
  std::vector<ChangeSetPtr> sets;
  for (auto slot = FirstAfter(zxid); slot != slots_.end() && sets.size() < sets_max; ++slot) {
    sets.push_back(Share(*slot));
  }
  return sets;
}

void WatchRing::ForEachAfter(Zxid zxid, absl::FunctionRef<void(const ChangeSetPtr&)> visit) {
  CHECK(zxid >= resumable_from_);
  for (auto slot = FirstAfter(zxid); slot != slots_.end(); ++slot) visit(Share(*slot));
}

// Among thousands of watchers that may not see a set of thousands of changes nobody is asked about
// each of them.
void WatchHub::Offer(Watchers& watchers, std::string_view path, const ChangeSetPtr& set,
                     const tree::Change& change, WakeList& woken) {
  const auto found = watchers.find(base::AbslView(path));
  if (found == watchers.end()) return;
  Place& place = found->second;
  if (place.offered != set->zxid) {
    place.offered = set->zxid;
    place.left.resize(place.watchers.size());
    std::iota(place.left.begin(), place.left.end(), size_t{0});
    place.refusals = 0;
  } else if (place.left.empty() || place.refused == change.access.get()) {
    return;
  }
  const tree::Change* const judged = place.refusals < kRefusalsMax ? &change : nullptr;
  std::erase_if(place.left, [&](size_t position) {
    const std::shared_ptr<HubWatcher>& watcher = place.watchers[position];
    const HubWatcher::Queued queued = watcher->QueueChanges(set, judged);
    if (queued == HubWatcher::Queued::kWake) woken.push_back(watcher);
    return queued != HubWatcher::Queued::kNot;
  });
  ++place.refusals;
  place.refused = change.access.get();
}

void WatchHub::Publish(Zxid zxid, std::vector<tree::Change> changes,
                       WakeList& woken) {
  base::MutexLock lock(mutex_);
  CHECK(zxid > zxid_);
  zxid_ = zxid;
  if (!prompt_.empty() && !std::exchange(progress_due_, true)) woken.push_back(on_progress_);
  if (changes.empty()) return;
  if (count_ == 0) {
    forgotten_.Add(ring_.Append(ToChangeSet(zxid, std::move(changes))));
    return;
  }
  const ChangeSetPtr set = MakeChangeSet(zxid, std::move(changes));
  forgotten_.Add(ring_.Append(set));
  for (const tree::Change& change : set->changes) {
    Offer(exact_, change.path, set, change, woken);
    if (change.type == tree::Change::Type::kChildren || recursive_.empty()) continue;
    Offer(recursive_, change.path, set, change, woken);
    for (std::string_view path = change.path; path.size() > 1;) {
      path = path.substr(0, std::max<size_t>(path.rfind('/'), 1));
      if (path.size() <= recursive_path_bytes_max_) Offer(recursive_, path, set, change, woken);
    }
  }
}

void WatchHub::Restart(Zxid zxid) {
  base::MutexLock lock(mutex_);
  ring_.Clear(zxid);
  zxid_ = zxid;
  if (MUTANT(32)) return;
  exact_.clear();
  recursive_.clear();
  recursive_path_bytes_max_ = 0;
  prompt_.clear();
  count_ = 0;
}

WatchHub::Resumed WatchHub::Subscribe(std::shared_ptr<HubWatcher> watcher, Zxid from_zxid) {
  base::MutexLock lock(mutex_);
  Resumed resumed;
  resumed.resumable_from = ring_.resumable_from();
  resumed.zxid = zxid_;
  resumed.from_ring = from_zxid > Zxid(0) && from_zxid >= ring_.resumable_from();
  if (resumed.from_ring) {
    ring_.ForEachAfter(from_zxid, [&watcher](const ChangeSetPtr& set) {
      for (const tree::Change& change : set->changes) {
        if (!watcher->filter().Matches(change)) continue;
        if (watcher->QueueChanges(set, &change) != HubWatcher::Queued::kNot) return;
      }
    });
  }
  const WatchFilter& filter = watcher->filter();
  Watchers& watchers = filter.recursive ? recursive_ : exact_;
  for (const std::string& path : filter.paths) {
    watchers[path].watchers.push_back(watcher);
    if (filter.recursive) {
      recursive_path_bytes_max_ = std::max(recursive_path_bytes_max_, path.size());
    }
  }
  if (watcher->wants_prompt_progress()) prompt_.push_back(watcher);
  ++count_;
  return resumed;
}

bool WatchHub::Remove(std::vector<std::shared_ptr<HubWatcher>>& watchers,
                      const HubWatcher& watcher) {
  return std::erase_if(watchers, [&](const auto& other) { return other.get() == &watcher; }) > 0;
}

void WatchHub::Unsubscribe(HubWatcher& watcher) {
  base::MutexLock lock(mutex_);
  Watchers& watchers = watcher.filter().recursive ? recursive_ : exact_;
  bool subscribed = false;
  for (const std::string& path : watcher.filter().paths) {
    const auto found = watchers.find(path);
    if (found == watchers.end() || !Remove(found->second.watchers, watcher)) continue;
    subscribed = true;
    if (found->second.watchers.empty()) watchers.erase(found);
  }
  if (recursive_.empty()) recursive_path_bytes_max_ = 0;
  Remove(prompt_, watcher);
  if (subscribed) --count_;
}

void WatchHub::SendProgress() {
  WakeList woken;
  {
    base::MutexLock lock(mutex_);
    for (Watchers* watchers : {&exact_, &recursive_}) {
      // Sorted: a simulated run must be repeatable, so nothing follows the order of hashes.
      std::vector<const Watchers::value_type*> by_path;
      for (const auto& entry : *watchers) by_path.push_back(&entry);
      std::sort(by_path.begin(), by_path.end(),
                [](const auto* a, const auto* b) { return a->first < b->first; });
      for (const auto* entry : by_path) {
        for (const auto& watcher : entry->second.watchers) {
          if (watcher->filter().paths.front() != entry->first) continue;  // has its turn once
          if (watcher->QueueProgress(zxid_, /*repeat=*/true)) woken.push_back(watcher);
        }
      }
    }
  }
  for (const auto& watcher : woken) watcher->PostWake();
}

void WatchHub::SendPromptProgress() {
  WakeList woken;
  {
    base::MutexLock lock(mutex_);
    progress_due_ = false;
    for (const auto& watcher : prompt_) {
      if (watcher->QueueProgress(zxid_, /*repeat=*/false)) woken.push_back(watcher);
    }
  }
  for (const auto& watcher : woken) watcher->PostWake();
}

size_t WatchHub::count() const {
  base::MutexLock lock(mutex_);
  return count_;
}

std::vector<ChangeSetPtr> WatchHub::RingAfter(Zxid zxid, size_t sets_max) const {
  base::MutexLock lock(mutex_);
  return ring_.After(zxid, sets_max);
}

Zxid WatchHub::resumable_from() const {
  base::MutexLock lock(mutex_);
  return ring_.resumable_from();
}

size_t WatchHub::ring_changes() const {
  base::MutexLock lock(mutex_);
  return ring_.changes();
}

size_t WatchHub::ring_bytes() const {
  base::MutexLock lock(mutex_);
  return ring_.bytes();
}

}  // namespace bellwether::coord
