// A ZooKeeper server's reply as its client reads it, behind the opcode of the request. What is
// understood is the same after encoding and decoding.

#include <string>

#include "base/check.h"
#include "coord/zk/wire/records.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::zk::wire;
  bellwether::base::Decoder input(bellwether::tests::AsText(data, size));
  const auto opcode = static_cast<Opcode>(input.Fixed32());
  const auto reply = DecodeReply(opcode, input.rest());
  (void)DecodeConnectResponse(input.rest());
  if (!reply.has_value()) return 0;
  std::string bytes;
  EncodeReply(*reply, bytes);
  CHECK(DecodeReply(opcode, bytes) == reply);
  return 0;
}
