// The part of CoordService that evaluates the reads of a connection.
#include <memory>
#include <utility>

#include "base/mutant.h"
#include "coord/service/coord_service.h"
#include "coord/service/set_watches.h"
#include "coord/service/watch_requests.h"

namespace bellwether::coord {
namespace {

// A read that costs more is evaluated on a view, so that the applier does not wait for it.
constexpr size_t kReadCostMax = 1024;
// Of all reads under one hold, but for the last of them.
constexpr size_t kReadCostPerHoldMax = 2048;

// What looks at all who stand in line must hold the tree.
bool NeedsHold(const Request& read) { return std::holds_alternative<AwaitGrant>(read.operation); }

// Of a list whose first page was of an earlier state.
bool IsFurtherPage(const Request& read) {
  const auto* list = std::get_if<ListRead>(&read.operation);
  return list != nullptr && list->at_zxid != Zxid(0);
}

}  // namespace

ReadProgress CoordService::EvaluateReads(const std::shared_ptr<Connection>& connection,
                                         const std::vector<const Request*>& reads) {
  if (IsFurtherPage(*reads.front())) return EvaluateFurtherPage(connection, *reads.front());
  const SessionId session = connection->session();
  const std::shared_ptr<ZnodeWatcher> watcher = connection;  // as its watches share it
  ReadProgress progress;
  size_t cost_of_all = 0;
  WakeList woken;
  {
    base::ReaderLock lock(state_.mutex);
    for (const Request* read : reads) {
      const bool full = connection->outbox_bytes() > options_.outbox_bytes_max;
      if (progress.answered > 0 && (full || cost_of_all > kReadCostPerHoldMax)) break;
      if (IsFurtherPage(*read)) break;
      PackedNamesPtr known = KnownList(*read);
      const size_t cost = known != nullptr ? 1 : ReadCost(state_.tree, session, *read);
      cost_of_all += cost;
      Response response;
      const bool is_long = cost > kReadCostMax && !NeedsHold(*read);
      if (is_long && std::holds_alternative<SetWatches>(read->operation)) {
        connection->ExpectCatchUp();
        progress.begun = std::make_unique<LongSetWatches>(
            state_, znode_watches_, watcher, *read, [weak = std::weak_ptr(connection)] {
              if (const auto answering = weak.lock()) answering->ExpectAnswer();
            });
        break;
      }
      if (is_long) {
        response.request_id = read->id;
        response.zxid = state_.tree.zxid();
      } else {
        response = EvaluateRead(state_.tree, session, *read, read_limits_, std::move(known));
      }
      ServeWatches(*read, state_.tree, watcher, znode_watches_, response, woken);
      ServeAwaitGrant(*read, state_.tree, connection, lock_waits_, response);
      if (is_long && !response.failure.has_value()) {
        connection->ExpectAnswer();
        progress.begun =
            std::make_unique<LongRead>(state_.tree.View(), session, *read, read_limits_,
                                       &child_lists_, PageKeeper(connection->serial(), *read));
        break;
      }
      if (const auto* list = std::get_if<ListRead>(&read->operation); list != nullptr) {
        list_views_.OnPage(connection->serial(), state_.tree, *list, response);
        child_lists_.Share(*list, state_.tree, response);
      }
      connection->Answer(std::move(response));
      ++progress.answered;
    }
  }
  for (const auto& waking : woken) waking->PostWake();
  return progress;
}

// Of the state that was kept for it: what happened since does not matter, and nobody is held up.
ReadProgress CoordService::EvaluateFurtherPage(const std::shared_ptr<Connection>& connection,
                                               const Request& request) {
  const auto& read = std::get<ListRead>(request.operation);
  const uint64_t serial = connection->serial();
  const SessionId session = connection->session();
  std::optional<tree::StateView> state = list_views_.Find(serial, read.at_zxid);
  if (state.has_value() && MUTANT(79)) state = View();
  ReadProgress progress;
  if (state.has_value() && ReadCost(*state, session, request) > kReadCostMax) {
    progress.begun = std::make_unique<LongRead>(*std::move(state), session, request, read_limits_,
                                                nullptr, PageKeeper(serial, request));
    return progress;
  }
  Response response;
  response.request_id = request.id;
  if (state.has_value()) {
    response = EvaluateRead(*state, session, request, read_limits_);
    list_views_.OnPage(serial, *state, read, response);
  } else {
    response.failure = ListViews::Expired(read);
  }
  connection->Answer(std::move(response));
  progress.answered = 1;
  return progress;
}

PackedNamesPtr CoordService::KnownList(const Request& request) {
  const auto* list = std::get_if<ListRead>(&request.operation);
  return list == nullptr ? nullptr : child_lists_.Find(*list, state_.tree);
}

LongRead::Finished CoordService::PageKeeper(uint64_t connection, const Request& request) {
  const auto* list = std::get_if<ListRead>(&request.operation);
  if (list == nullptr) return nullptr;
  return [this, connection, read = *list](const tree::StateView& state, const Response& response) {
    list_views_.OnPage(connection, state, read, response);
  };
}

}  // namespace bellwether::coord
