#include "tests/bench/zk_load_requests.h"

#include <string>

#include "coord/zk/wire/frame.h"
#include "gtest/gtest.h"

namespace bellwether::bench {
namespace {

namespace wire = coord::zk::wire;

// What a server reads of the only frame in `bytes`.
wire::Request Read(wire::FrameReader& reader, const std::string& bytes) {
  reader.Append(bytes);
  wire::Request request;
  const auto frame = reader.Next();
  EXPECT_EQ(wire::DecodeRequest(frame.value(), request), wire::ZkError::kOk);
  EXPECT_TRUE(reader.unread().empty());
  return request;
}

TEST(ZkLoadRequests, AreThoseOfTheirTemplateButForXidAndNumber) {
  const RequestTemplate set = SetTemplate("/load/z", "12345678");
  std::string bytes;
  set.Append(0x01020304, 90817263, bytes);
  wire::FrameReader reader;
  EXPECT_EQ(Read(reader, bytes),
            (wire::Request{.xid = 0x01020304,
                           .opcode = wire::Opcode::kSetData,
                           .body = wire::SetDataRequest{.path = "/load/z90817263",
                                                        .data = "12345678"}}));
  bytes.clear();
  set.Append(2, 5, bytes);
  EXPECT_EQ(std::get<wire::SetDataRequest>(Read(reader, bytes).body).path, "/load/z00000005");
}

TEST(ZkLoadRequests, FollowOneAnother) {
  std::string bytes;
  const RequestTemplate get = GetTemplate("/z", 100);
  get.Append(1, 1, bytes);
  get.Append(2, 2, bytes);
  wire::FrameReader reader;
  reader.Append(bytes);
  for (const char* path : {"/z00000001", "/z00000002"}) {
    wire::Request request;
    ASSERT_EQ(wire::DecodeRequest(reader.Next().value(), request), wire::ZkError::kOk);
    EXPECT_EQ(request.body, wire::RequestBody(wire::ReadRequest{.path = path}));
  }
}

// A reply's body, which the load compares with what it expects.
size_t BodyBytes(const wire::Reply& reply) {
  std::string all;
  wire::EncodeReply(reply, all);
  std::string header;
  wire::EncodeReplyHeader(reply.header, header);
  return all.size() - header.size();
}

TEST(ZkLoadRequests, KnowTheSizesOfTheirReplies) {
  const std::string data(100, 'x');
  EXPECT_EQ(GetTemplate("/z", 100).reply_body_bytes(),
            BodyBytes({.body = wire::DataReply{.data = data}}));
  EXPECT_EQ(SetTemplate("/z", data).reply_body_bytes(), BodyBytes({.body = wire::StatReply()}));
  EXPECT_EQ(CreateTemplate("/z", data).reply_body_bytes(),
            BodyBytes({.body = wire::PathReply{.path = "/z00000000"}}));
  EXPECT_EQ(ChildrenTemplate("/p", 2, 1).reply_body_bytes(),
            BodyBytes({.body = wire::NamesReply{.names = {"c00000000", "c00000001"}}}));
}

TEST(ZkLoadRequests, MakeManyZnodesInOneTransaction) {
  std::string bytes;
  CreateManyTemplate("/p/z", 7, 9, "data").Append(1, 0, bytes);
  wire::FrameReader reader;
  const wire::Request request = Read(reader, bytes);
  const auto& operations = std::get<wire::MultiRequest>(request.body).operations;
  ASSERT_EQ(operations.size(), 2u);
  EXPECT_EQ(std::get<wire::CreateRequest>(operations[1].body).path, "/p/z00000008");
  EXPECT_EQ(std::get<wire::CreateRequest>(operations[1].body).data, "data");
}

}  // namespace
}  // namespace bellwether::bench
