// Records read from bytes that nobody wrote on purpose: what is read is what is written again.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "coord/zk/wire/records.h"
#include "gtest/gtest.h"
#include "tests/support/zk_examples.h"

namespace bellwether::coord::zk::wire {
namespace {

class Seeded : public testing::TestWithParam<uint64_t> {
 protected:
  // `bytes` with a few of them changed, taken out or doubled.
  std::string Changed(std::string bytes) {
    for (uint64_t changes = random_.Below(4); changes > 0 && !bytes.empty(); --changes) {
      const size_t at = random_.Below(bytes.size());
      switch (random_.Below(4)) {
        case 0:
          bytes[at] = static_cast<char>(random_.Next());
          break;
        case 1:
          bytes[at] = static_cast<char>(random_.Below(8));
          break;
        case 2:
          bytes.erase(at, 1 + random_.Below(4));
          break;
        default:
          bytes.insert(at, bytes.substr(random_.Below(bytes.size()), random_.Below(20)));
      }
    }
    return bytes;
  }

  base::Random random_{GetParam()};
};

TEST_P(Seeded, ARequestReadIsTheSameWrittenAndReadAgain) {
  const auto examples = tests::ZkRequestExamples();
  for (int i = 0; i < 1000; ++i) {
    const std::string bytes = Changed(examples[random_.Below(examples.size())].bytes);
    Request request;
    if (!DecodeRequestHeader(bytes) || DecodeRequest(bytes, request) != ZkError::kOk) continue;
    std::string written;
    EncodeRequest(request, written);
    Request again;
    ASSERT_EQ(DecodeRequest(written, again), ZkError::kOk);
    ASSERT_EQ(again, request);
  }
}

TEST_P(Seeded, AReplyReadIsTheSameWrittenAndReadAgain) {
  const auto examples = tests::ZkReplyExamples();
  for (int i = 0; i < 1000; ++i) {
    const auto& example = examples[random_.Below(examples.size())];
    const std::string bytes = Changed(example.bytes);
    const std::optional<Reply> reply = DecodeReply(example.opcode, bytes);
    if (!reply.has_value()) continue;
    std::string written;
    EncodeReply(*reply, written);
    ASSERT_EQ(DecodeReply(example.opcode, written), reply);
  }
}

INSTANTIATE_TEST_SUITE_P(RandomBytes, Seeded, testing::Range<uint64_t>(1, 11));

}  // namespace
}  // namespace bellwether::coord::zk::wire
