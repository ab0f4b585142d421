#include "coord/service/watch_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"

namespace bellwether::coord {

ChangeSetPtr MakeChangeSet(Zxid zxid, std::vector<tree::Change> changes) {
  auto set = std::make_shared<ChangeSet>();
  set->zxid = zxid;
  set->bytes = sizeof(ChangeSet);
  for (const tree::Change& change : changes) {
    set->bytes += sizeof(change) + change.path.size() + change.data.size();
  }
  set->changes = std::move(changes);
  return set;
}

namespace {

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

std::string WatchFilter::Text() const { return absl::StrJoin(paths, ", "); }

bool WatchFilter::Matches(const tree::Change& change) const {
  if (recursive && change.type == tree::Change::Type::kChildren) return false;
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    return recursive ? IsWithin(change.path, path) : change.path == path;
  });
}

bool WatchFilter::MatchesAny(const ChangeSet& set) const {
  return std::any_of(set.changes.begin(), set.changes.end(),
                     [this](const tree::Change& change) { return Matches(change); });
}

size_t WatchRing::Append(ChangeSetPtr set) {
  CHECK(sets_.empty() || sets_.back()->zxid < set->zxid);
  size_t forgotten = 0;
  changes_ += set->changes.size();
  bytes_ += set->bytes;
  sets_.push_back(std::move(set));
  while (!sets_.empty() && (changes_ > changes_max_ || bytes_ > bytes_max_)) {
    forgotten += sets_.front()->changes.size();
    changes_ -= sets_.front()->changes.size();
    bytes_ -= sets_.front()->bytes;
    if (!MUTANT(20)) resumable_from_ = sets_.front()->zxid;
    sets_.pop_front();
  }
  return forgotten;
}

void WatchRing::Clear(Zxid zxid) {
  sets_.clear();
  changes_ = 0;
  bytes_ = 0;
  if (!MUTANT(33)) resumable_from_ = zxid;
}

void WatchRing::ForEachAfter(Zxid zxid, absl::FunctionRef<void(const ChangeSetPtr&)> visit) const {
  CHECK(zxid >= resumable_from_);
  auto first = std::upper_bound(sets_.begin(), sets_.end(), zxid,
                                [](Zxid a, const ChangeSetPtr& set) { return a < set->zxid; });
  for (auto set = first; set != sets_.end(); ++set) visit(*set);
}

void WatchHub::Queue(const Watchers& watchers, std::string_view path, const ChangeSetPtr& set,
                     WakeList& woken) {
  auto found = watchers.find(base::AbslView(path));
  if (found == watchers.end()) return;
  for (const auto& watcher : found->second) {
    if (watcher->QueueChanges(set)) woken.push_back(watcher);
  }
}

void WatchHub::Publish(Zxid zxid, std::vector<tree::Change> changes,
                       WakeList& woken) {
  base::MutexLock lock(mutex_);
  CHECK(zxid > zxid_);
  zxid_ = zxid;
  if (!prompt_.empty() && !std::exchange(progress_due_, true)) woken.push_back(on_progress_);
  if (changes.empty()) return;
  const ChangeSetPtr set = MakeChangeSet(zxid, std::move(changes));
  forgotten_.Add(ring_.Append(set));
  if (count_ == 0) return;
  for (const tree::Change& change : set->changes) {
    Queue(exact_, change.path, set, woken);
    if (change.type == tree::Change::Type::kChildren || recursive_.empty()) continue;
    Queue(recursive_, change.path, set, woken);
    for (std::string_view path = change.path; path.size() > 1;) {
      path = path.substr(0, std::max<size_t>(path.rfind('/'), 1));
      Queue(recursive_, path, set, woken);
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
      if (watcher->filter().MatchesAny(*set)) watcher->QueueChanges(set);
    });
  }
  const WatchFilter& filter = watcher->filter();
  Watchers& watchers = filter.recursive ? recursive_ : exact_;
  for (const std::string& path : filter.paths) watchers[path].push_back(watcher);
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
    if (found == watchers.end() || !Remove(found->second, watcher)) continue;
    subscribed = true;
    if (found->second.empty()) watchers.erase(found);
  }
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
        for (const auto& watcher : entry->second) {
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

size_t WatchHub::ring_changes() const {
  base::MutexLock lock(mutex_);
  return ring_.changes();
}

size_t WatchHub::ring_bytes() const {
  base::MutexLock lock(mutex_);
  return ring_.bytes();
}

}  // namespace bellwether::coord
