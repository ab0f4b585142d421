#include "client/operations_wire.h"

#include <utility>

namespace bellwether::client {

coord::v1::TopOrder ToWire(TopOrder by) {
  switch (by) {
    case TopOrder::kBytes:
      return coord::v1::TOP_ORDER_BYTES;
    case TopOrder::kSubtree:
      return coord::v1::TOP_ORDER_SUBTREE;
    case TopOrder::kChildren:
      return coord::v1::TOP_ORDER_CHILDREN;
    case TopOrder::kWrites:
      return coord::v1::TOP_ORDER_WRITES;
    case TopOrder::kWatches:
      return coord::v1::TOP_ORDER_WATCHES;
    case TopOrder::kClients:
      return coord::v1::TOP_ORDER_CLIENTS;
  }
  return coord::v1::TOP_ORDER_UNSPECIFIED;
}

TopResult FromWire(coord::v1::TopResponse response) {
  TopResult result;
  result.server_id = response.server_id();
  result.zxid = Zxid(response.zxid());
  result.since_zxid = Zxid(response.since_zxid());
  result.examined = response.examined();
  result.total = response.total();
  for (auto& znode : *response.mutable_znodes()) {
    result.znodes.push_back({std::move(*znode.mutable_path()), znode.count()});
  }
  for (auto& client : *response.mutable_clients()) {
    TopResult::Client& one = result.clients.emplace_back();
    one.address = std::move(*client.mutable_address());
    one.session = SessionId(client.session_id());
    one.requests = client.requests();
    one.writes = client.writes();
    one.request_bytes = client.request_bytes();
    one.unanswered = client.unanswered();
    one.outbox_bytes = client.outbox_bytes();
    one.open = absl::Milliseconds(client.open_ms());
  }
  return result;
}

SessionPage FromWire(coord::v1::SessionsResponse response) {
  SessionPage page;
  page.server_id = response.server_id();
  page.zxid = Zxid(response.zxid());
  page.more = response.more();
  for (auto& session : *response.mutable_sessions()) {
    SessionEntry& one = page.sessions.emplace_back();
    one.id = SessionId(session.session_id());
    one.generation = session.generation();
    one.timeout = absl::Milliseconds(session.timeout_ms());
    one.ephemerals = session.ephemerals();
    if (session.has_address()) one.address = std::move(*session.mutable_address());
    if (session.has_idle_ms()) one.idle = absl::Milliseconds(session.idle_ms());
  }
  return page;
}

}  // namespace bellwether::client
