#pragma once

#include <cstddef>

#include "coord/service/requests.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// Bounds of one answer; ServiceOptions has their values.
struct ReadLimits {
  size_t page_bytes_max = 0;   // of a list's names, but at least one name
  size_t reply_bytes_max = 0;  // of what comes whole; above it the read fails (kTooLarge)
};

// The answer to a read at this state, as much of it as the request's identities may see (Z32, Z50):
// a znode without READ fails with kNoAuth, and a recursive list leaves out what is below one. Sets
// no watches; what only does that, and what evaluates nothing, gets an empty answer. `session`: of
// the connection. Requires: !request.is_write(); `state` does not change meanwhile.
Response EvaluateRead(const tree::StateView& state, SessionId session, const Request& request,
                      const ReadLimits& limits);

// Whether evaluating the read takes time in proportion to the state and sets no watch: it is then
// evaluated on a view, so that the applier does not wait for it.
bool TakesLong(const RequestOperation& operation);

}  // namespace bellwether::coord
