#include "coord/service/watch_requests.h"

#include <optional>
#include <variant>

#include "coord/service/set_watches.h"

namespace bellwether::coord {
namespace {

using Table = ZnodeWatches::Table;

Failure NoWatcher(const std::string& path) {
  return {absl::StatusCode::kNotFound, PathForMessage(path) + ": this connection has no such watch",
          "no_watcher", base::Outcome::kRejected};
}

// For each operation: why it failed.
struct Serving {
  const tree::StateView& state;
  const std::shared_ptr<ZnodeWatcher>& watcher;
  ZnodeWatches& watches;
  const Response& response;
  WakeList& woken;

  using Outcome = std::optional<Failure>;

  Outcome operator()(const GetRead& read) const {
    const bool sets = response.failure.has_value() ? Missing() && read.watch_missing : true;
    return read.watch && sets ? Set(Table::kData, read.path) : std::nullopt;
  }
  Outcome operator()(const StatRead& read) const {
    const bool sets = !response.failure.has_value() || Missing();
    return read.watch && sets ? Set(Table::kData, read.path) : std::nullopt;
  }
  Outcome operator()(const ListRead& read) const {
    const bool sets = !read.recursive && !response.failure.has_value();
    return read.watch && sets ? Set(Table::kChild, read.path) : std::nullopt;
  }
  Outcome operator()(const SetWatches& request) const {
    return Check(SetWatchesAgain(request, state, watcher, watches, woken));
  }
  Outcome operator()(const AddWatch& request) const {
    return Check(watches.AddPersistent(request.path, request.recursive, watcher));
  }
  Outcome operator()(const RemoveWatches& request) const {
    const bool found = request.only_check
                           ? watches.Contains(request.path, request.kind, *watcher)
                           : watches.Remove(request.path, request.kind, *watcher);
    return found ? std::nullopt : Outcome(NoWatcher(request.path));
  }
  template <typename Other>
  Outcome operator()(const Other&) const {
    return std::nullopt;
  }

 private:
  // The read failed because there is no znode, so that one may come to be.
  bool Missing() const { return response.failure->result_code != tree::ResultCode::kNoAuth; }
  Outcome Set(Table table, const std::string& path) const {
    return Check(watches.Add(table, path, watcher));
  }
  static Outcome Check(bool set) { return set ? std::nullopt : Outcome(TooManyWatches()); }
};

}  // namespace

Failure TooManyWatches() {
  return {absl::StatusCode::kResourceExhausted,
          "too many watches of znodes, of this connection or at this server; use a recursive Watch",
          "too_many_watches", base::Outcome::kRejected};
}

void ServeWatches(const Request& request, const tree::StateView& state,
                  const std::shared_ptr<ZnodeWatcher>& watcher, ZnodeWatches& watches,
                  Response& response, WakeList& woken) {
  std::optional<Failure> failure =
      std::visit(Serving{state, watcher, watches, response, woken}, request.operation);
  if (!failure.has_value()) return;
  response.result = std::monostate();
  response.failure = std::move(failure);
}

}  // namespace bellwether::coord
