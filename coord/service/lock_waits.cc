#include "coord/service/lock_waits.h"

#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/tree/path.h"

namespace bellwether::coord {
namespace {

constexpr size_t kPlaceBytes = 10;  // of a sequence number

// Places in line are ordered by the counter at the end, whatever precedes it.
std::string_view PlaceOf(std::string_view name) {
  return name.size() < kPlaceBytes ? name : name.substr(name.size() - kPlaceBytes);
}

tree::PathParts Split(std::string_view path) {
  const std::optional<tree::PathParts> parts = tree::SplitPath(path);
  CHECK(parts.has_value(), "a znode's path has no parent");
  return *parts;
}

Failure TooManyWaits() {
  return {absl::StatusCode::kResourceExhausted,
          "too many wait for locks, of this connection or at this server, or in line for this lock; "
          "try again later",
          "too_many_waits", base::Outcome::kRejected};
}

}  // namespace

std::optional<bool> LockWaits::Await(const tree::StateView& state, const std::string& path,
                                     Zxid token, std::shared_ptr<LockWaiter> waiter) {
  const tree::PathParts parts = Split(path);
  const Place place(PlaceOf(parts.name));
  base::MutexLock lock(mutex_);
  Line* const known = FindLine(parts.parent);
  const WaitKey key(place, parts.name);
  const auto waiting = known == nullptr ? std::map<WaitKey, Wait>::iterator() : known->waits.find(key);
  if (known != nullptr && waiting != known->waits.end()) {
    Disown(*waiting->second.waiter, path);
    --count_;
    known->waits.erase(waiting);
  }
  if (!HasRoom(state, parts.parent, *waiter)) {
    EraseIfUnused(std::string(parts.parent));
    return std::nullopt;
  }
  Line& line = LineOf(state, parts.parent);
  const bool held = line.places.begin()->first == place || MUTANT(81);
  by_waiter_[waiter.get()].insert(path);
  line.waits.emplace(key, Wait{std::move(waiter), token, held});
  ++count_;
  return held;
}

bool LockWaits::HasRoom(const tree::StateView& state, std::string_view lock,
                        const LockWaiter& waiter) const {
  const auto own = by_waiter_.find(&waiter);
  if (own != by_waiter_.end() && own->second.size() >= options_.per_waiter_max) return false;
  if (count_ >= options_.total_max) return false;
  if (lines_.contains(base::AbslView(lock))) return true;
  const tree::Znode* const znode = state.FindZnode(lock);
  CHECK(znode != nullptr);
  const size_t children = znode->num_children();
  return children <= options_.line_places_max && places_ + children <= options_.places_max;
}

LockWaits::Line& LockWaits::LineOf(const tree::StateView& state, std::string_view lock) {
  if (Line* const known = FindLine(lock); known != nullptr) return *known;
  auto made = std::make_unique<Line>();
  Line& line = *made;
  lines_.emplace(std::string(lock), std::move(made));
  any_ = true;
  state.ChildrenAfter(lock, "", [&](std::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    AddPlace(line, name);
    return true;
  });
  return line;
}

LockWaits::Line* LockWaits::FindLine(std::string_view lock) {
  const auto found = lines_.find(base::AbslView(lock));
  return found == lines_.end() ? nullptr : found->second.get();
}

void LockWaits::AddPlace(Line& line, std::string_view name) {
  ++line.places[Place(PlaceOf(name))];
  ++line.children;
  ++places_;
}

void LockWaits::RemovePlace(Line& line, std::string_view name) {
  const auto place = line.places.find(Place(PlaceOf(name)));
  CHECK(place != line.places.end(), "a znode was deleted that was not in line");
  if (--place->second == 0) line.places.erase(place);
  --line.children;
  --places_;
}

void LockWaits::Follow(const std::vector<tree::Change>& changes, WakeList& woken) {
  if (!any_.load(std::memory_order_relaxed)) return;
  base::MutexLock lock(mutex_);
  // Whether somebody holds the lock is what all changes of the command leave.
  absl::btree_set<std::string> shortened;
  for (const tree::Change& change : changes) {
    const bool created = change.type == tree::Change::Type::kCreated;
    if (!created && change.type != tree::Change::Type::kDeleted) continue;
    const tree::PathParts parts = Split(change.path);
    Line* const line = FindLine(parts.parent);
    if (line == nullptr) continue;
    if (created) {
      AddPlace(*line, parts.name);
      continue;
    }
    RemovePlace(*line, parts.name);
    TellGone(*line, change, parts.name, woken);
    shortened.insert(std::string(parts.parent));
    if (MUTANT(75)) break;
  }
  for (const std::string& name : shortened) {
    TellGranted(name, *FindLine(name), changes.back().zxid, woken);
    EraseIfUnused(name);
  }
}

void LockWaits::TellGone(Line& line, const tree::Change& change, std::string_view name,
                         WakeList& woken) {
  const auto wait = line.waits.find({Place(PlaceOf(name)), std::string(name)});
  if (wait == line.waits.end()) return;
  const std::shared_ptr<LockWaiter> waiter = std::move(wait->second.waiter);
  if (waiter->QueueGrantEvent(
          {GrantEvent::Type::kGone, change.path, wait->second.token, change.zxid})) {
    woken.push_back(waiter);
  }
  line.waits.erase(wait);
  --count_;
  Disown(*waiter, change.path);
}

void LockWaits::TellGranted(std::string_view lock, Line& line, Zxid zxid, WakeList& woken) {
  for (auto& [key, wait] : line.waits) {
    if (key.first != line.places.begin()->first && !MUTANT(73)) return;
    if (std::exchange(wait.told, true) && !MUTANT(74)) continue;
    if (wait.waiter->QueueGrantEvent({GrantEvent::Type::kGranted,
                                      tree::ChildPath(lock, key.second), wait.token, zxid})) {
      woken.push_back(wait.waiter);
    }
  }
}

void LockWaits::EraseIfUnused(const std::string& lock) {
  const auto line = lines_.find(lock);
  if (line == lines_.end() || !line->second->waits.empty()) return;
  unused_.push_back(std::move(line->second));
  lines_.erase(line);
  any_ = !lines_.empty();
}

void LockWaits::FreeUnused() {
  std::vector<std::unique_ptr<Line>> freed;  // after the lock
  base::MutexLock lock(mutex_);
  freed.swap(unused_);
  for (const std::unique_ptr<Line>& line : freed) places_ -= line->children;
}

void LockWaits::Disown(const LockWaiter& waiter, const std::string& path) {
  const auto own = by_waiter_.find(&waiter);
  if (own == by_waiter_.end()) return;
  own->second.erase(path);
  if (own->second.empty()) by_waiter_.erase(own);
}

void LockWaits::RemoveAll(const LockWaiter& waiter) {
  base::MutexLock lock(mutex_);
  const auto own = by_waiter_.find(&waiter);
  if (own == by_waiter_.end()) return;
  for (const std::string& path : own->second) {
    const tree::PathParts parts = Split(path);
    Line* const line = FindLine(parts.parent);
    CHECK(line != nullptr);
    count_ -= line->waits.erase({Place(PlaceOf(parts.name)), std::string(parts.name)});
    EraseIfUnused(std::string(parts.parent));
  }
  by_waiter_.erase(own);
}

void LockWaits::Clear() {
  base::MutexLock lock(mutex_);
  for (auto& [name, line] : lines_) unused_.push_back(std::move(line));
  lines_.clear();
  by_waiter_.clear();
  count_ = 0;
  any_ = false;
}

size_t LockWaits::count() const {
  base::MutexLock lock(mutex_);
  return count_;
}

size_t LockWaits::places() const {
  base::MutexLock lock(mutex_);
  return places_;
}

void ServeAwaitGrant(const Request& request, const tree::StateView& state,
                     std::shared_ptr<LockWaiter> waiter, LockWaits& waits, Response& response) {
  const auto* await = std::get_if<AwaitGrant>(&request.operation);
  if (await == nullptr || response.failure.has_value()) return;
  auto& result = std::get<AwaitGrantResult>(response.result);
  const std::optional<bool> held =
      waits.Await(state, await->path, result.token, std::move(waiter));
  if (held.has_value()) {
    result.held = *held;
  } else {
    response.result = std::monostate();
    response.failure = TooManyWaits();
  }
}

}  // namespace bellwether::coord
