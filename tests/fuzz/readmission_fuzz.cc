// The payload of an entry that lets a wiped server vote again.

#include "base/check.h"
#include "coord/raft/readmission.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::raft;
  const auto readmission = DecodeReadmission(bellwether::tests::AsText(data, size));
  if (readmission.has_value()) CHECK(DecodeReadmission(Encode(*readmission)) == readmission);
  return 0;
}
