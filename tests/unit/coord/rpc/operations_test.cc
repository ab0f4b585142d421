#include "coord/rpc/operations.h"

#include <set>
#include <variant>

#include "coord/rpc/convert.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

TEST(ConvertOperations, EveryOrderButNoneIsKnown) {
  std::set<TopOrder> orders;
  for (int by = v1::TOP_ORDER_BYTES; by <= v1::TOP_ORDER_CLIENTS; ++by) {
    const auto order = FromProto(static_cast<v1::TopOrder>(by));
    ASSERT_TRUE(order.has_value()) << by;
    orders.insert(*order);
  }
  EXPECT_EQ(orders.size(), 6u);
  EXPECT_FALSE(FromProto(v1::TOP_ORDER_UNSPECIFIED).has_value());
  EXPECT_FALSE(FromProto(static_cast<v1::TopOrder>(99)).has_value());
}

TEST(ConvertOperations, ListsKeepEveryField) {
  TopReport report;
  report.zxid = Zxid(40);
  report.since_zxid = Zxid(30);
  report.examined = 20;
  report.total = 10;
  report.znodes = {{"/a", 7}};
  report.clients = {{"h:1", SessionId(5), 6, 4, 60, 2, 80, absl::Milliseconds(1500)}};
  v1::TopResponse top;
  ToProto(std::move(report), 3, top);
  EXPECT_EQ(top.server_id(), 3u);
  EXPECT_EQ(top.zxid(), 40);
  EXPECT_EQ(top.since_zxid(), 30);
  EXPECT_EQ(top.examined(), 20u);
  EXPECT_EQ(top.total(), 10u);
  ASSERT_EQ(top.znodes_size(), 1);
  EXPECT_EQ(top.znodes(0).path(), "/a");
  EXPECT_EQ(top.znodes(0).count(), 7u);
  ASSERT_EQ(top.clients_size(), 1);
  const v1::TopClient& client = top.clients(0);
  EXPECT_EQ(client.address(), "h:1");
  EXPECT_EQ(client.session_id(), 5u);
  EXPECT_EQ(client.requests(), 6u);
  EXPECT_EQ(client.writes(), 4u);
  EXPECT_EQ(client.request_bytes(), 60u);
  EXPECT_EQ(client.unanswered(), 2u);
  EXPECT_EQ(client.outbox_bytes(), 80u);
  EXPECT_EQ(client.open_ms(), 1500);
}

TEST(ConvertOperations, WhatIsNotKnownOfASessionIsUnset) {
  SessionPage page;
  page.zxid = Zxid(9);
  page.more = true;
  page.sessions.push_back({.id = SessionId(41),
                           .generation = SessionGeneration(4),
                           .timeout_ms = 10'000,
                           .ephemerals = 1,
                           .address = "h:2",
                           .idle = absl::ZeroDuration()});
  page.sessions.push_back({.id = SessionId(42)});
  v1::SessionsResponse sessions;
  ToProto(std::move(page), 2, sessions);
  EXPECT_EQ(sessions.server_id(), 2u);
  EXPECT_EQ(sessions.zxid(), 9);
  EXPECT_TRUE(sessions.more());
  ASSERT_EQ(sessions.sessions_size(), 2);
  const v1::SessionEntry& known = sessions.sessions(0);
  EXPECT_EQ(known.session_id(), 41u);
  EXPECT_EQ(known.generation(), 4u);
  EXPECT_EQ(known.timeout_ms(), 10'000u);
  EXPECT_EQ(known.ephemerals(), 1u);
  EXPECT_EQ(known.address(), "h:2");
  EXPECT_TRUE(known.has_idle_ms());
  EXPECT_FALSE(sessions.sessions(1).has_address());
  EXPECT_FALSE(sessions.sessions(1).has_idle_ms());
}

// Clients of this protocol count their writes: 0 is no number, and no wish for the next one.
TEST(ConvertOperations, AWriteWithoutASequenceIsAGap) {
  v1::SessionRequest frame;
  frame.mutable_request()->mutable_create()->set_path("/a");
  v1::SessionRequest read;
  read.mutable_request()->mutable_get()->set_path("/a");
  const ClientFrame write = ToClientFrame(std::move(frame));
  ASSERT_TRUE(std::get<Request>(write).malformed.has_value());
  EXPECT_EQ(std::get<Request>(write).malformed->reason, "sequence_gap");
  EXPECT_FALSE(std::get<Request>(ToClientFrame(std::move(read))).malformed.has_value());
}

}  // namespace
}  // namespace bellwether::coord
