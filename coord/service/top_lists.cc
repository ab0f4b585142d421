#include "coord/service/top_lists.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr uint64_t kZnodesPerLook = 4096;  // between two looks at whether to stop

bool ComesBefore(const TopReport::Znode& a, const TopReport::Znode& b) {
  return a.count != b.count ? a.count > b.count : a.path < b.path;
}
bool HasMore(const ConnectionFigures& a, const ConnectionFigures& b) {
  return a.requests > b.requests;
}

// The first ones of many, by count and path; what is counted 0 is none of them.
class First {
 public:
  First(size_t limit, TopReport& report) : limit_(limit), report_(report) {}
  ~First() { std::sort_heap(report_.znodes.begin(), report_.znodes.end(), ComesBefore); }
  First(const First&) = delete;
  First& operator=(const First&) = delete;

  void Add(std::string_view path, uint64_t count) {
    ++report_.examined;
    report_.total += count;
    Offer(path, count);
  }

  // The same, without counting it.
  void Offer(std::string_view path, uint64_t count) {
    auto& heap = report_.znodes;  // the last one of those in it in front
    if (count == 0) return;
    if (heap.size() == limit_) {
      const TopReport::Znode& last = heap.front();
      if (count < last.count || (count == last.count && path >= last.path)) return;
      std::pop_heap(heap.begin(), heap.end(), ComesBefore);
      heap.pop_back();
    }
    heap.push_back({std::string(path), count});
    std::push_heap(heap.begin(), heap.end(), ComesBefore);
  }

 private:
  const size_t limit_;
  TopReport& report_;
};

}  // namespace

void TopLists::Make(TopOrder by, size_t limit, Done done) {
  if (limit == 0 || limit > kLimitMax) {
    return done(absl::InvalidArgumentError(
        fmt::format("top: {} znodes can't be listed; ask for 1 to {}", limit, kLimitMax)));
  }
  if (stopped_) return done(absl::UnavailableError("the server is stopping; ask another one"));
  if (busy_.exchange(true)) {
    return done(base::ErrorWithReason(
        absl::StatusCode::kResourceExhausted, kReasonBusy,
        "this server makes such a list for somebody else; try again in a moment"));
  }
  executor_.Post([this, by, limit, done = std::move(done)] {
    TopReport report = Make(by, limit);
    busy_ = false;
    if (stopped_) return done(absl::UnavailableError("the server is stopping; ask another one"));
    done(std::move(report));
  });
}

TopReport TopLists::Make(TopOrder by, size_t limit) const {
  TopReport report;
  switch (by) {
    case TopOrder::kBytes:
    case TopOrder::kChildren:
      ListZnodes(by, limit, report);
      break;
    case TopOrder::kSubtree:
      ListSubtrees(limit, report);
      break;
    case TopOrder::kWrites:
      ListWrites(limit, report);
      break;
    case TopOrder::kWatches:
      ListWatches(limit, report);
      break;
    case TopOrder::kClients:
      ListClients(limit, report);
      break;
  }
  return report;
}

tree::StateView TopLists::View() const {
  base::ReaderLock lock(sources_.state.mutex);
  return sources_.state.tree.View();
}

void TopLists::ListZnodes(TopOrder by, size_t limit, TopReport& report) const {
  const tree::StateView state = View();
  report.zxid = state.zxid();
  First first(limit, report);
  state.Subtree("/", [&](const tree::ZnodeVisit& visit) {
    first.Add(visit.path, by == TopOrder::kBytes ? visit.znode.data.size()
                                                 : visit.znode.num_children());
    return report.examined % kZnodesPerLook != 0 || !stopped_;
  });
}

// A znode's sum is complete when the walk has left what is below it.
void TopLists::ListSubtrees(size_t limit, TopReport& report) const {
  const tree::StateView state = View();
  report.zxid = state.zxid();
  struct Open {
    std::string path;
    uint64_t bytes = 0;
  };
  std::vector<Open> open;  // the way from the root to where the walk is
  First first(limit, report);
  const auto close_from = [&](size_t depth) {
    while (open.size() > depth) {
      const Open closed = std::move(open.back());
      open.pop_back();
      first.Offer(closed.path, closed.bytes);
      if (!open.empty()) open.back().bytes += closed.bytes;
    }
  };
  state.Subtree("/", [&](const tree::ZnodeVisit& visit) {
    close_from(visit.depth);
    const uint64_t bytes = visit.znode.data.size();
    ++report.examined;
    report.total += bytes;
    if (visit.znode.num_children() > 0) {
      open.push_back({std::string(visit.path), bytes});
    } else {
      first.Offer(visit.path, bytes);
      if (!open.empty()) open.back().bytes += bytes;
    }
    return report.examined % kZnodesPerLook != 0 || !stopped_;
  });
  close_from(0);
}

void TopLists::ListWrites(size_t limit, TopReport& report) const {
  absl::flat_hash_map<std::string, uint64_t> counts;
  report.since_zxid = report.zxid = sources_.hub.resumable_from();
  while (!stopped_) {
    const std::vector<ChangeSetPtr> sets = sources_.hub.RingAfter(report.zxid, kPiece);
    if (sets.empty()) break;
    for (const ChangeSetPtr& set : sets) {
      for (const tree::Change& change : set->changes) {
        if (change.type != tree::Change::Type::kChildren) ++counts[change.path];
      }
    }
    report.zxid = sets.back()->zxid;
  }
  First first(limit, report);
  for (const auto& [path, count] : counts) first.Offer(path, count);
  for (const auto& [path, count] : counts) report.total += count;
  report.examined = report.total;
}

// Of native watches only what they are of; they are few, and their filters never change.
void TopLists::ListWatches(size_t limit, TopReport& report) const {
  absl::flat_hash_map<std::string, uint64_t> native;
  for (const auto& watch : sources_.watches.All()) {
    for (const std::string& path : watch->filter().paths) ++native[path];
  }
  First first(limit, report);
  sources_.znode_watches.CountByPath(kPiece, [&](std::string_view path, size_t watches) {
    uint64_t count = watches;
    if (const auto both = native.find(base::AbslView(path)); both != native.end()) {
      count += both->second;
      native.erase(both);
    }
    first.Add(path, count);
  });
  for (const auto& [path, count] : native) first.Add(path, count);
}

void TopLists::ListClients(size_t limit, TopReport& report) const {
  auto& clients = report.clients;
  for (uint64_t serial = 0; !stopped_;) {
    const auto page = sources_.connections.After(serial, kPiece);
    if (page.empty()) break;
    serial = page.back()->serial();
    for (const auto& connection : page) {
      clients.push_back(connection->figures());
      ++report.examined;
      report.total += clients.back().requests;
    }
    std::stable_sort(clients.begin(), clients.end(), HasMore);
    if (clients.size() > limit) clients.resize(limit);
  }
}

}  // namespace bellwether::coord
