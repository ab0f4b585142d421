// The payload of a committed entry: commands as the leader packed them.

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "coord/replica/entry_payload.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord;
  const auto decode = [](std::string payload) {
    return DecodeCommitted(std::make_shared<raft::Entry>(
        raft::Entry{raft::Term(1), raft::LogIndex(1), raft::EntryType::kCommands, std::move(payload)}));
  };
  const auto batch = decode(std::string(bellwether::tests::AsText(data, size)));
  if (!batch.ok()) return 0;
  const auto again = decode(
      EncodeEntryPayload(batch->time_ms, {batch->commands.begin(), batch->commands.end()}));
  CHECK(again.ok(), "{}", again.status().ToString());
  CHECK(again->time_ms == batch->time_ms && again->commands == batch->commands);
  return 0;
}
