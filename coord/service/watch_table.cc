#include "coord/service/watch_table.h"

#include <map>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr size_t kZnodeOverheadBytes = 128;

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

absl::Status WatchTable::Arm(const std::shared_ptr<Watch>& watch) {
  const WatchRequest& request = watch->request();
  tree::StateView state;
  WatchHub::Resumed resumed;
  {
    base::ReaderLock lock(state_.mutex);
    RETURN_IF_ERROR(CheckSameEnsemble(request.ensemble_id, state_.tree.ensemble_id()));
    resumed = hub_.Subscribe(watch, request.from_zxid);
    if (!resumed.from_ring) state = state_.tree.View();
  }
  if (!resumed.from_ring) {
    if (request.from_zxid > Zxid(0)) watch->SetCompacted(resumed.resumable_from);
    ASSIGN_OR_RETURN(std::vector<WatchZnode> znodes, Collect(state, *watch));
    watch->SetState(resumed.zxid, std::move(znodes));
  }
  watch->SetArmed(resumed.zxid);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<WatchZnode>> WatchTable::Collect(const tree::StateView& state,
                                                            const Watch& watch) const {
  const WatchFilter& filter = watch.filter();
  std::vector<WatchZnode> znodes;
  size_t bytes = 0;
  const auto access_of = [&](std::string_view path, const tree::Znode& znode) {
    if (!watch.request().with_access) return std::optional<WatchZnodeAccess>();
    return std::optional(WatchZnodeAccess{
        znode.access(), !watch.May(znode.access(), tree::kAdmin),
        znode.is_expirable() ? state.TtlOf(path) : std::nullopt});
  };
  for (const std::string& path : filter.paths) {
    if (!filter.recursive) {
      const tree::Znode* const znode = state.FindZnode(path);
      if (znode == nullptr || !watch.MayRead(znode->access())) continue;
      znodes.push_back({path, znode->data, znode->ToStat(), access_of(path, *znode)});
      continue;
    }
    state.Subtree(path, [&](const tree::ZnodeVisit& visit) {
      if (!watch.MayRead(visit.znode.access())) return true;  // what is below has ACLs of its own
      bytes += kZnodeOverheadBytes + visit.path.size();
      znodes.push_back({std::string(visit.path), visit.data(), visit.stat(),
                        access_of(visit.path, visit.znode)});
      return bytes <= options_.watch_state_bytes_max;
    });
  }
  if (bytes <= options_.watch_state_bytes_max) return znodes;
  return absl::ResourceExhaustedError(
      fmt::format("watch {}: the state is too large to start with; watch a smaller part",
                  filter.Text()));
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
