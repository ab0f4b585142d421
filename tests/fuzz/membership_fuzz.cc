// Who is in the ensemble, as a log entry and a snapshot's header say it.

#include "base/check.h"
#include "coord/raft/membership.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::raft;
  const auto membership = DecodeMembership(bellwether::tests::AsText(data, size));
  if (!membership.ok()) return 0;
  CHECK(Validate(membership->members).ok());
  CHECK(!membership->IsJoint() || Validate(membership->next).ok());
  const auto again = DecodeMembership(Encode(*membership));
  CHECK(again.ok(), "{}", again.status().ToString());
  CHECK(*again == *membership);
  return 0;
}
