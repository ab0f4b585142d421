#include "coord/rpc/operations.h"

#include <utility>

namespace bellwether::coord {

std::optional<TopOrder> FromProto(v1::TopOrder by) {
  switch (by) {
    case v1::TOP_ORDER_BYTES:
      return TopOrder::kBytes;
    case v1::TOP_ORDER_SUBTREE:
      return TopOrder::kSubtree;
    case v1::TOP_ORDER_CHILDREN:
      return TopOrder::kChildren;
    case v1::TOP_ORDER_WRITES:
      return TopOrder::kWrites;
    case v1::TOP_ORDER_WATCHES:
      return TopOrder::kWatches;
    case v1::TOP_ORDER_CLIENTS:
      return TopOrder::kClients;
    default:
      return std::nullopt;
  }
}

void ToProto(TopReport&& report, uint32_t server_id, v1::TopResponse& out) {
  out.set_server_id(server_id);
  out.set_zxid(report.zxid.value());
  out.set_since_zxid(report.since_zxid.value());
  out.set_examined(report.examined);
  out.set_total(report.total);
  for (TopReport::Znode& znode : report.znodes) {
    v1::TopZnode& one = *out.add_znodes();
    one.set_path(std::move(znode.path));
    one.set_count(znode.count);
  }
  for (ConnectionFigures& client : report.clients) {
    v1::TopClient& one = *out.add_clients();
    one.set_address(std::move(client.address));
    one.set_session_id(client.session.value());
    one.set_requests(client.requests);
    one.set_writes(client.writes);
    one.set_request_bytes(client.request_bytes);
    one.set_unanswered(client.unanswered);
    one.set_outbox_bytes(client.outbox_bytes);
    one.set_open_ms(absl::ToInt64Milliseconds(client.open));
  }
}

void ToProto(SessionPage&& page, uint32_t server_id, v1::SessionsResponse& out) {
  out.set_server_id(server_id);
  out.set_zxid(page.zxid.value());
  out.set_more(page.more);
  for (SessionPage::Entry& session : page.sessions) {
    v1::SessionEntry& one = *out.add_sessions();
    one.set_session_id(session.id.value());
    one.set_generation(session.generation.value());
    one.set_timeout_ms(static_cast<uint32_t>(session.timeout_ms));
    one.set_ephemerals(session.ephemerals);
    if (!session.address.empty()) one.set_address(std::move(session.address));
    if (session.idle.has_value()) one.set_idle_ms(absl::ToInt64Milliseconds(*session.idle));
  }
}

}  // namespace bellwether::coord
