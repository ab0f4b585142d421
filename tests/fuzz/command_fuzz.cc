// A replicated command, as bytes.

#include "base/check.h"
#include "coord/tree/command.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::tree;
  const auto command = DecodeCommand(bellwether::tests::AsText(data, size));
  if (!command.ok()) return 0;
  std::string bytes;
  EncodeCommand(*command, bytes);
  const auto again = DecodeCommand(bytes);
  CHECK(again.ok(), "{}", again.status().ToString());
  CHECK(*again == *command);
  return 0;
}
