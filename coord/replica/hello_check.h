#pragma once

#include "absl/status/status.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

// Whether two servers may be of one ensemble: the same list of servers, and not two ensembles.
// Errors, FAILED_PRECONDITION: name the peer, both values and what to do.
absl::Status CheckSameEnsemble(const Hello& own, const Hello& peer);

}  // namespace bellwether::coord
