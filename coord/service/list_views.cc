#include "coord/service/list_views.h"

#include "fmt/format.h"

namespace bellwether::coord {

ListViews::ListViews(Options options, base::Clock& clock, base::Metrics& metrics)
    : options_(options),
      clock_(clock),
      expired_(metrics.AddCounter(
          "bell_lists_expired_total",
          "Further pages of lists that were asked for when their state was not kept any more.")) {
  metrics.AddGauge("bell_list_views", "States kept for further pages of lists.",
                   [this] { return static_cast<double>(count()); });
}

void ListViews::OnPage(uint64_t connection, const tree::StateView& state, const ListRead& read,
                       const Response& response) {
  const auto* page = std::get_if<ListResult>(&response.result);
  const bool has_more = page != nullptr && page->more && !response.failure.has_value();
  const bool is_first = read.at_zxid == Zxid(0);
  if (is_first && !(read.keep_state && has_more)) return;
  const Key key(connection, state.zxid());
  base::MutexLock lock(mutex_);
  const auto known = views_.find(key);
  if (known == views_.end()) {
    if (is_first) Keep(key, state);
  } else if (is_first) {
    ++known->second.lists;
    known->second.used = clock_.Monotonic();
  } else if (!has_more && --known->second.lists == 0) {
    Drop(known);
  }
}

void ListViews::Keep(const Key& key, const tree::StateView& state) {
  const absl::Duration now = clock_.Monotonic();
  const auto begin = FirstOf(key.first);
  const auto end = FirstOf(key.first + 1);
  const auto own = static_cast<size_t>(std::distance(begin, end));
  if (own >= options_.per_connection_max && !MakeRoom(begin, end, now)) return;
  if (views_.size() >= options_.total_max && !MakeRoom(views_.begin(), views_.end(), now)) return;
  views_.emplace(key, Kept{state, 1, now, change_bytes_.load(std::memory_order_relaxed)});
  count_ = views_.size();
}

bool ListViews::MakeRoom(Views::iterator begin, Views::iterator end, absl::Duration now) {
  auto oldest = begin;
  for (auto view = begin; view != end; ++view) {
    if (view->second.used < oldest->second.used) oldest = view;
  }
  if (oldest == end || now - oldest->second.used < options_.undisturbed) return false;
  Drop(oldest);
  return true;
}

void ListViews::Drop(Views::iterator view) {
  dropped_.push_back(std::move(view->second.state));
  views_.erase(view);
  count_ = views_.size();
}

std::optional<tree::StateView> ListViews::Find(uint64_t connection, Zxid zxid) {
  base::MutexLock lock(mutex_);
  const auto found = views_.find({connection, zxid});
  if (found == views_.end()) {
    expired_.Add();
    return std::nullopt;
  }
  found->second.used = clock_.Monotonic();
  return found->second.state;
}

Failure ListViews::Expired(const ListRead& read) {
  return {absl::StatusCode::kFailedPrecondition,
          fmt::format("{}: the state of zxid {} is not kept any more for this list; begin it again",
                      PathForMessage(read.path), read.at_zxid),
          "list_expired", base::Outcome::kRejected};
}

void ListViews::RemoveAll(uint64_t connection) {
  std::vector<tree::StateView> freed;  // after the lock
  base::MutexLock lock(mutex_);
  const auto begin = FirstOf(connection);
  const auto end = FirstOf(connection + 1);
  for (auto view = begin; view != end; ++view) freed.push_back(std::move(view->second.state));
  views_.erase(begin, end);
  count_ = views_.size();
}

void ListViews::NoteChanges(const std::vector<tree::Change>& changes) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  uint64_t bytes = 0;
  for (const tree::Change& change : changes) bytes += change.path.size() + change.data.size();
  change_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void ListViews::DropExpired() {
  std::vector<tree::StateView> freed;  // after the lock
  base::MutexLock lock(mutex_);
  const absl::Duration now = clock_.Monotonic();
  const uint64_t change_bytes = change_bytes_.load(std::memory_order_relaxed);
  for (auto view = views_.begin(); view != views_.end();) {
    const Kept& kept = view->second;
    const bool is_idle = now - kept.used > options_.idle_max;
    const bool is_large = change_bytes - kept.change_bytes > options_.change_bytes_max;
    const auto next = std::next(view);
    if (is_idle || is_large) Drop(view);
    view = next;
  }
  freed.swap(dropped_);
}

size_t ListViews::count() const { return count_.load(std::memory_order_relaxed); }

}  // namespace bellwether::coord
