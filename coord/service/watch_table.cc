#include "coord/service/watch_table.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr size_t kZnodeOverheadBytes = 128;

class StateStart : public WatchStart {
 public:
  // `state`: what the watch starts with; nullopt: it resumes, and what it missed is queued.
  StateStart(Watch& watch, Zxid zxid, std::optional<tree::StateView> state, size_t bytes_max)
      : watch_(watch), zxid_(zxid), state_(std::move(state)), bytes_max_(bytes_max) {}

  absl::StatusOr<bool> Continue(size_t visits_max) override {
    if (state_.has_value()) {
      if (!Collect(visits_max)) {
        watch_.AddState(zxid_, std::exchange(znodes_, {}));
        return false;
      }
      if (bytes_ > bytes_max_) {
        return absl::ResourceExhaustedError(fmt::format(
            "watch {}: the state is too large to start with; watch a smaller part",
            watch_.filter().Text()));
      }
      watch_.AddState(zxid_, std::move(znodes_));
    }
    watch_.SetArmed(zxid_);
    return true;
  }

 private:
  // True when there is no more, or too much.
  bool Collect(size_t visits_max) {
    const WatchFilter& filter = watch_.filter();
    for (; next_path_ < filter.paths.size(); ++next_path_) {
      const std::string& path = filter.paths[next_path_];
      if (filter.recursive) {
        if (!CollectBelow(path, visits_max)) return false;
        if (bytes_ > bytes_max_) return true;
        continue;
      }
      const tree::Znode* const znode = state_->FindZnode(path);
      if (znode == nullptr || !watch_.MayRead(znode->access())) continue;
      znodes_.push_back({path, znode->data, znode->ToStat(), AccessOf(path, *znode)});
    }
    return true;
  }

  // True when there is no more below it, or too much; else `after_` is where to go on.
  bool CollectBelow(const std::string& path, size_t& visits_left) {
    bool paused = false;
    std::string last;
    const auto collect = [&](const tree::ZnodeVisit& visit) {
      paused = --visits_left == 0;
      if (paused) last = visit.path;
      // What is below a znode has ACLs of its own.
      if (!watch_.MayRead(visit.znode.access())) return !paused;
      bytes_ += kZnodeOverheadBytes + visit.path.size();
      znodes_.push_back({std::string(visit.path), visit.data(), visit.stat(),
                         AccessOf(visit.path, visit.znode)});
      if (bytes_ > bytes_max_) paused = false;
      return bytes_ <= bytes_max_ && !paused;
    };
    if (after_.empty()) {
      state_->Subtree(path, collect);
    } else {
      state_->SubtreeAfter(path, after_, collect);
    }
    after_ = std::move(last);
    if (!paused) after_.clear();
    return !paused;
  }

  std::optional<WatchZnodeAccess> AccessOf(std::string_view path, const tree::Znode& znode) const {
    if (!watch_.request().with_access) return std::nullopt;
    return WatchZnodeAccess{znode.access(), !watch_.May(znode.access(), tree::kAdmin),
                            znode.is_expirable() ? state_->TtlOf(path) : std::nullopt};
  }

  Watch& watch_;  // whose this is
  const Zxid zxid_;
  const std::optional<tree::StateView> state_;
  const size_t bytes_max_;
  std::vector<WatchZnode> znodes_;
  size_t bytes_ = 0;
  // Where it goes on: at a path of the filter, behind a znode below that; empty: with that itself.
  size_t next_path_ = 0;
  std::string after_;
};

}  // namespace

WatchTable::WatchTable(const ServiceOptions& options, const LockedTree& state, WatchHub& hub,
                       base::Metrics& metrics)
    : options_(options),
      state_(state),
      hub_(hub),
      cancelled_(metrics.AddCounter("bell_watches_cancelled_total",
                                    "Watches ended by this server: mostly slow clients.")) {}

bool WatchTable::Add(std::shared_ptr<Watch> watch) {
  base::MutexLock lock(mutex_);
  if (opened_.size() >= options_.connections_max) return false;
  Watch* const key = watch.get();
  opened_.emplace(key, Opened{++last_serial_, std::move(watch)});
  return true;
}

absl::StatusOr<std::unique_ptr<WatchStart>> WatchTable::Arm(const std::shared_ptr<Watch>& watch) {
  const WatchRequest& request = watch->request();
  std::optional<tree::StateView> state;
  WatchHub::Resumed resumed;
  {
    base::ReaderLock lock(state_.mutex);
    RETURN_IF_ERROR(CheckSameEnsemble(request.ensemble_id, state_.tree.ensemble_id()));
    resumed = hub_.Subscribe(watch, request.from_zxid);
    if (!resumed.from_ring) state = state_.tree.View();
  }
  if (state.has_value() && request.from_zxid > Zxid(0)) watch->SetCompacted(resumed.resumable_from);
  return std::make_unique<StateStart>(*watch, resumed.zxid, std::move(state),
                                 options_.watch_state_bytes_max);
}

void WatchTable::Remove(Watch& watch, const std::optional<Failure>& failure) {
  if (failure.has_value()) {
    cancelled_.Add();
    LOG_INFO("watch ended path={} why={}", watch.filter().Text(), failure->message);
  }
  hub_.Unsubscribe(watch);
  base::MutexLock lock(mutex_);
  opened_.erase(&watch);
}

void WatchTable::CloseAll(const Failure& failure) {
  // In the order in which they came: a simulated run must be repeatable.
  std::map<uint64_t, std::shared_ptr<Watch>> watches;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [key, one] : opened_) watches.emplace(one.serial, one.watch);
  }
  for (const auto& [serial, watch] : watches) watch->Close(failure);
}

size_t WatchTable::count() const {
  base::MutexLock lock(mutex_);
  return opened_.size();
}

std::vector<std::shared_ptr<Watch>> WatchTable::All() const {
  std::vector<std::shared_ptr<Watch>> watches;
  base::MutexLock lock(mutex_);
  watches.reserve(opened_.size());
  for (const auto& [key, opened] : opened_) watches.push_back(opened.watch);
  return watches;
}

size_t WatchTable::queue_bytes() const {
  size_t bytes = 0;
  for (const std::shared_ptr<Watch>& watch : All()) bytes += watch->queue_bytes();
  return bytes;
}

}  // namespace bellwether::coord
