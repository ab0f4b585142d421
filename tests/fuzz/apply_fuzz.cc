// Commands, each behind a varint of its length, applied to an empty state machine: it aborts on
// nothing, and its rolling digest is that of its state.

#include "base/check.h"
#include "coord/tree/state_machine.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::tree;
  bellwether::base::Decoder input(bellwether::tests::AsText(data, size));
  StateMachine machine;
  ApplyContext context;
  while (true) {
    const std::string_view bytes = input.String();
    if (!input.ok()) break;
    const auto command = DecodeCommand(bytes);
    if (!command.ok()) continue;
    ++context.time_ms;
    machine.Apply(*command, context);
  }
  CHECK(machine.digest() == machine.RecomputeDigest());
  return 0;
}
