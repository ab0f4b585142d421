#include "coord/zk/replies.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace bellwether::coord::zk {
namespace {

std::string ReplyOf(wire::Opcode opcode, ListResult list) {
  PendingReply pending;
  pending.xid = 5;
  pending.opcode = opcode;
  Response response;
  response.result = std::move(list);
  std::string out;
  EXPECT_TRUE(AppendReply(pending, response, Zxid(9), out));
  return out;
}

TEST(ZkReplies, APackedListIsSentAsOneOfNames) {
  ListResult list;
  list.stat.pzxid = Zxid(7);
  list.stat.num_children = 2;
  ListResult packed = list;
  list.names = {"a", "bcd"};
  packed.packed = std::make_shared<const PackedNames>(
      PackedNames{2, std::string("\0\0\0\1a\0\0\0\3bcd", 12)});
  for (const wire::Opcode opcode : {wire::Opcode::kGetChildren, wire::Opcode::kGetChildren2}) {
    EXPECT_EQ(ReplyOf(opcode, packed), ReplyOf(opcode, list));
  }
}

}  // namespace
}  // namespace bellwether::coord::zk
