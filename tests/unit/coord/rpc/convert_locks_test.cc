// Frames about locks and further pages, from the protocol and to it.
#include "coord/rpc/convert.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

template <typename Operation>
Operation OperationOf(v1::SessionRequest frame) {
  return std::get<Operation>(std::get<Request>(ToClientFrame(std::move(frame))).operation);
}

TEST(ConvertLocks, AWaitAndItsAnswer) {
  v1::SessionRequest frame;
  frame.mutable_request()->mutable_await_grant()->set_path("/l/x-0000000001");
  EXPECT_EQ(OperationOf<AwaitGrant>(frame).path, "/l/x-0000000001");
  Response response;
  response.result = AwaitGrantResult{Zxid(7), true};
  v1::SessionResponse answer;
  ToProto(ServerFrame(response), answer);
  EXPECT_EQ(answer.response().await_grant().token(), 7);
  EXPECT_TRUE(answer.response().await_grant().held());
}

TEST(ConvertLocks, WhatBecomesOfAZnodeInLine) {
  v1::SessionResponse granted, gone;
  ToProto(ServerFrame(GrantEvent{GrantEvent::Type::kGranted, "/l/x", Zxid(7), Zxid(9)}), granted);
  ToProto(ServerFrame(GrantEvent{GrantEvent::Type::kGone, "/l/x", Zxid(7), Zxid(9)}), gone);
  EXPECT_EQ(granted.grant().type(), v1::GRANT_EVENT_TYPE_GRANTED);
  EXPECT_EQ(granted.grant().path(), "/l/x");
  EXPECT_EQ(granted.grant().token(), 7);
  EXPECT_EQ(granted.grant().zxid(), 9);
  EXPECT_EQ(gone.grant().type(), v1::GRANT_EVENT_TYPE_GONE);
}

TEST(ConvertList, FurtherPages) {
  v1::SessionRequest frame;
  v1::ListRequest& list = *frame.mutable_request()->mutable_list();
  list.set_path("/a");
  EXPECT_EQ(OperationOf<ListRead>(frame).at_zxid, Zxid(0));
  EXPECT_FALSE(OperationOf<ListRead>(frame).keep_state);
  list.set_after("b");
  list.set_at_zxid(9);
  list.set_keep_state(true);
  EXPECT_EQ(OperationOf<ListRead>(frame).after, "b");
  EXPECT_EQ(OperationOf<ListRead>(frame).at_zxid, Zxid(9));
  EXPECT_TRUE(OperationOf<ListRead>(frame).keep_state);
}

}  // namespace
}  // namespace bellwether::coord
