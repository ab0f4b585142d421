// The records of a snapshot of the state, each behind a varint of its length. What is taken for a
// state is one: its digest is right, it is the same after writing and loading, and it can become
// another ensemble's.

#include <string>
#include <vector>

#include "base/check.h"
#include "coord/tree/snapshot_codec.h"
#include "tests/fuzz/target.h"

namespace bellwether::coord::tree {
namespace {

using Loaded = absl::StatusOr<std::unique_ptr<StateMachine>>;

Loaded Load(const std::vector<std::string>& records) {
  SnapshotLoader loader;
  for (const std::string& record : records) {
    const absl::Status status = loader.Add(record);
    if (!status.ok()) return status;
  }
  return loader.Finish();
}

void CheckState(StateMachine& state) {
  CHECK(state.digest() == state.RecomputeDigest());
  std::vector<std::string> records;
  const absl::Status status = WriteSnapshot(state.View(), [&records](std::string_view record) {
    records.emplace_back(record);
    return absl::OkStatus();
  });
  CHECK(status.ok());
  const Loaded again = Load(records);
  CHECK(again.ok(), "{}", again.status().ToString());
  CHECK((*again)->digest() == state.digest());

  if (!state.StartNewEnsemble(base::Uuid(1, 1)).ok()) return;
  CHECK(state.session_count() == 0 && state.ephemeral_count() == 0);
  CHECK(state.digest() == state.RecomputeDigest());
}

}  // namespace
}  // namespace bellwether::coord::tree

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::tree;
  bellwether::base::Decoder input(bellwether::tests::AsText(data, size));
  std::vector<std::string> records;
  for (std::string_view record = input.String(); input.ok(); record = input.String()) {
    records.emplace_back(record);
  }
  const Loaded loaded = Load(records);
  if (loaded.ok()) CheckState(**loaded);
  return 0;
}
