#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

// Whether two servers may be of one ensemble: not of two; while both are to form one, the same list of
// servers; and the same first members, as long as neither has an entry that says who is in. One that
// begins with a restored state may be with those only that began with the same.
// Errors, FAILED_PRECONDITION: name the peer, both values and what to do.
absl::Status CheckSameEnsemble(const Hello& own, const Hello& peer);

// Whether two HOST:PORT are certainly of different places: of other ports, or of two different numeric
// hosts. Names may be spellings of the same place.
bool AreApart(std::string_view a, std::string_view b);

}  // namespace bellwether::coord
