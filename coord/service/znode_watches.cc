#include "coord/service/one_shot_watches.h"

#include <algorithm>

#include "base/mutant.h"
#include "base/status.h"

namespace bellwether::coord {

bool OneShotWatches::Add(Table table, std::string_view path,
                         std::shared_ptr<OneShotWatcher> watcher) {
  const int t = static_cast<int>(table);
  base::MutexLock lock(mutex_);
  Entry& entry = by_watcher_[watcher.get()];
  if (entry.paths[t].contains(base::AbslView(path))) return true;
  if (entry.count() >= per_watcher_max_ || count_ >= total_max_) {
    if (entry.count() == 0) by_watcher_.erase(watcher.get());
    return false;
  }
  entry.paths[t].emplace(path);
  by_path_[t][std::string(path)].insert(watcher.get());
  ++count_;
  if (entry.watcher == nullptr) {
    entry.watcher = std::move(watcher);
    entry.serial = ++last_serial_;
  }
  return true;
}

std::vector<std::shared_ptr<OneShotWatcher>> OneShotWatches::Take(Table table,
                                                                  std::string_view path) {
  const int t = static_cast<int>(table);
  auto found = by_path_[t].find(base::AbslView(path));
  if (found == by_path_[t].end()) return {};
  std::vector<std::pair<uint64_t, std::shared_ptr<OneShotWatcher>>> ordered;
  for (OneShotWatcher* watcher : found->second) {
    auto entry = by_watcher_.find(watcher);
    ordered.emplace_back(entry->second.serial, entry->second.watcher);
    entry->second.paths[t].erase(base::AbslView(path));
    if (entry->second.count() == 0) by_watcher_.erase(entry);
  }
  by_path_[t].erase(found);
  count_ -= ordered.size();
  std::sort(ordered.begin(), ordered.end());
  std::vector<std::shared_ptr<OneShotWatcher>> watchers;
  for (auto& [serial, watcher] : ordered) watchers.push_back(std::move(watcher));
  return watchers;
}

void OneShotWatches::FireOne(const tree::Change& change, WakeList& woken) {
  using Type = tree::Change::Type;
  const Table first = change.type == Type::kChildren ? Table::kChild : Table::kData;
  std::vector<std::shared_ptr<OneShotWatcher>> told = Take(first, change.path);
  if (change.type == Type::kDeleted && !MUTANT(19)) {
    // Who watched data and children of a deleted znode is told once.
    for (auto& watcher : Take(Table::kChild, change.path)) {
      if (std::find(told.begin(), told.end(), watcher) == told.end()) {
        told.push_back(std::move(watcher));
      }
    }
  }
  for (const auto& watcher : told) {
    if (watcher->QueueEvent({change.type, change.path, change.zxid})) woken.push_back(watcher);
  }
}

void OneShotWatches::Fire(const std::vector<tree::Change>& changes,
                          WakeList& woken) {
  base::MutexLock lock(mutex_);
  if (count_ == 0) return;
  for (const tree::Change& change : changes) FireOne(change, woken);
}

void OneShotWatches::RemoveAll(OneShotWatcher& watcher) {
  base::MutexLock lock(mutex_);
  auto found = by_watcher_.find(&watcher);
  if (found == by_watcher_.end()) return;
  for (int t = 0; t < 2; ++t) {
    for (const std::string& path : found->second.paths[t]) {
      auto watchers = by_path_[t].find(path);
      watchers->second.erase(&watcher);
      if (watchers->second.empty()) by_path_[t].erase(watchers);
      --count_;
    }
  }
  by_watcher_.erase(found);
}

size_t OneShotWatches::count() const {
  base::MutexLock lock(mutex_);
  return count_;
}

}  // namespace bellwether::coord
