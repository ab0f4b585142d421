#include "client/operations_wire.h"

#include <set>

#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

TEST(OperationsWire, EveryOrderIsOneOfItsOwn) {
  std::set<coord::v1::TopOrder> orders;
  for (const TopOrder by : {TopOrder::kBytes, TopOrder::kSubtree, TopOrder::kChildren,
                            TopOrder::kWrites, TopOrder::kWatches, TopOrder::kClients}) {
    orders.insert(ToWire(by));
  }
  EXPECT_EQ(orders.size(), 6u);
  EXPECT_EQ(orders.count(coord::v1::TOP_ORDER_UNSPECIFIED), 0u);
}

TEST(OperationsWire, ListsKeepEveryField) {
  coord::v1::TopResponse response;
  response.set_server_id(3);
  response.set_zxid(40);
  response.set_since_zxid(30);
  response.set_examined(20);
  response.set_total(10);
  response.add_znodes()->set_path("/a");
  response.mutable_znodes(0)->set_count(7);
  coord::v1::TopClient& sent = *response.add_clients();
  sent.set_address("h:1");
  sent.set_session_id(5);
  sent.set_requests(6);
  sent.set_writes(4);
  sent.set_request_bytes(60);
  sent.set_unanswered(2);
  sent.set_outbox_bytes(80);
  sent.set_open_ms(1500);
  const TopResult top = FromWire(std::move(response));
  EXPECT_EQ(top.server_id, 3u);
  EXPECT_EQ(top.zxid, Zxid(40));
  EXPECT_EQ(top.since_zxid, Zxid(30));
  EXPECT_EQ(top.examined, 20u);
  EXPECT_EQ(top.total, 10u);
  ASSERT_EQ(top.znodes.size(), 1u);
  EXPECT_EQ(top.znodes[0].path, "/a");
  EXPECT_EQ(top.znodes[0].count, 7u);
  ASSERT_EQ(top.clients.size(), 1u);
  const TopResult::Client& client = top.clients[0];
  EXPECT_EQ(client.address, "h:1");
  EXPECT_EQ(client.session, SessionId(5));
  EXPECT_EQ(client.requests, 6u);
  EXPECT_EQ(client.writes, 4u);
  EXPECT_EQ(client.request_bytes, 60u);
  EXPECT_EQ(client.unanswered, 2u);
  EXPECT_EQ(client.outbox_bytes, 80u);
  EXPECT_EQ(client.open, absl::Milliseconds(1500));
}

TEST(OperationsWire, SessionsKeepEveryField) {
  coord::v1::SessionsResponse response;
  response.set_server_id(2);
  response.set_zxid(9);
  response.set_more(true);
  coord::v1::SessionEntry& known = *response.add_sessions();
  known.set_session_id((uint64_t{3} << 56) | 42);
  known.set_generation(4);
  known.set_timeout_ms(10'000);
  known.set_ephemerals(1);
  known.set_address("h:2");
  known.set_idle_ms(0);
  response.add_sessions()->set_session_id(43);
  const SessionPage page = FromWire(std::move(response));
  EXPECT_EQ(page.server_id, 2u);
  EXPECT_EQ(page.zxid, Zxid(9));
  EXPECT_TRUE(page.more);
  ASSERT_EQ(page.sessions.size(), 2u);
  EXPECT_EQ(page.sessions[0].opened_by(), 3u);
  EXPECT_EQ(page.sessions[0].generation, 4u);
  EXPECT_EQ(page.sessions[0].timeout, absl::Seconds(10));
  EXPECT_EQ(page.sessions[0].ephemerals, 1u);
  EXPECT_EQ(page.sessions[0].address, "h:2");
  EXPECT_EQ(page.sessions[0].idle, absl::ZeroDuration());
  EXPECT_FALSE(page.sessions[1].address.has_value());
  EXPECT_FALSE(page.sessions[1].idle.has_value());
}

}  // namespace
}  // namespace bellwether::client
