#pragma once

#include "absl/status/status.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

// Whether two servers may be of one ensemble: not of two; while both are to form one, the same list of
// servers; and the same first members, as long as neither has an entry that says who is in. One that
// begins with a restored state may be with those only that began with the same.
// Errors, FAILED_PRECONDITION: name the peer, both values and what to do.
absl::Status CheckSameEnsemble(const Hello& own, const Hello& peer);

}  // namespace bellwether::coord
