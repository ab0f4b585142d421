// The payload of a committed entry: commands as the leader packed them.

#include "base/check.h"
#include "coord/replica/entry_payload.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord;
  raft::Entry entry;
  entry.term = raft::Term(1);
  entry.index = raft::LogIndex(1);
  entry.type = raft::EntryType::kCommands;
  entry.payload = bellwether::tests::AsText(data, size);
  const auto batch = DecodeCommitted(entry);
  if (!batch.ok()) return 0;
  entry.payload = EncodeEntryPayload(batch->time_ms, batch->commands);
  const auto again = DecodeCommitted(entry);
  CHECK(again.ok(), "{}", again.status().ToString());
  CHECK(again->time_ms == batch->time_ms && again->commands == batch->commands);
  return 0;
}
