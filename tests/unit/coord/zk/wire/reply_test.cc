#include <optional>
#include <string>

#include "coord/zk/wire/records.h"
#include "gtest/gtest.h"
#include "tests/support/zk_examples.h"

namespace bellwether::coord::zk::wire {
namespace {

using tests::Bytes;

std::string Encoded(const Reply& reply) {
  std::string bytes;
  EncodeReply(reply, bytes);
  return bytes;
}

TEST(Reply, IsOfThePublishedFormat) {
  for (const auto& [name, bytes, opcode, reply] : tests::ZkReplyExamples()) {
    EXPECT_EQ(Encoded(reply), bytes) << name;
    EXPECT_EQ(DecodeReply(opcode, bytes), reply) << name;
    EXPECT_EQ(DecodeReplyHeader(bytes), reply.header) << name;
  }
}

TEST(Reply, EveryTruncationIsNone) {
  for (const auto& example : tests::ZkReplyExamples()) {
    for (size_t bytes = 0; bytes < example.bytes.size(); ++bytes) {
      EXPECT_EQ(DecodeReply(example.opcode, example.bytes.substr(0, bytes)), std::nullopt)
          << example.name << " cut at " << bytes;
    }
  }
}

TEST(Reply, AnErrorHasNoBody) {
  EXPECT_EQ(Encoded({{1, 2, ZkError::kNoAuth}, StatReply{}}),
            Bytes("00000001 0000000000000002 ffffff9a"));
}

TEST(Reply, StatHas68Bytes) {
  std::string bytes;
  JuteWriter writer(bytes);
  EncodeStat(tests::ZkStatExample(), writer);
  EXPECT_EQ(bytes, Bytes(tests::kZkStatExample));
  EXPECT_EQ(bytes.size(), 68);
}

TEST(Reply, AMultiOfUnknownResultsIsNone) {
  const std::string header = Bytes("00000001 0000000000000002 00000000");
  EXPECT_EQ(DecodeReply(Opcode::kMulti, header + Bytes("00000003 00 00000000") +
                                            Bytes(tests::kZkStatExample) +
                                            Bytes("ffffffff 01 ffffffff")),
            std::nullopt);
}

}  // namespace
}  // namespace bellwether::coord::zk::wire
