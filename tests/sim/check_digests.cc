#include "tests/sim/check_digests.h"

namespace bellwether::sim {

void DigestChecker::OnState(ServerId server, LogIndex index, uint64_t digest) {
  const auto [known, added] = digests_.emplace(index, digest);
  if (added || known->second == digest) return;
  violations_.Add("state digest", "server {} has {:#x} at index {}, another had {:#x}", server,
                  digest, index, known->second);
}

}  // namespace bellwether::sim
