#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "coord/service/listing.h"
#include "coord/service/requests.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// Bounds of one answer; ServiceOptions has their values.
struct ReadLimits {
  size_t page_bytes_max = 0;   // of a list's names, but at least one name
  size_t reply_bytes_max = 0;  // of a list that comes whole; above it the read fails (kTooLarge)
  size_t multi_read_bytes_max = 0;  // of a MultiRead; likewise
};

// The answer to a read at this state, as much of it as the request's identities may see (Z32, Z50):
// a znode without READ fails with kNoAuth, and a recursive list leaves out what is below one. Sets
// no watches; what only does that, and what evaluates nothing, gets an empty answer. `session`: of
// the connection. Requires: !request.is_write(); `state` does not change meanwhile.
Response EvaluateRead(const tree::StateView& state, SessionId session, const Request& request,
                      const ReadLimits& limits);

// How many znodes evaluating a read looks at, roughly; kUnknownReadCost when only a walk can tell. One
// that fails costs 1. Takes the time of a lookup.
inline constexpr size_t kUnknownReadCost = std::numeric_limits<int32_t>::max();
size_t ReadCost(const tree::StateView& state, SessionId session, const Request& request);

// A read that costs much, on a view of its own: so the applier does not wait for it, and others of its
// executor go on between its pieces. Must be one that does not fail for want of znode or permission.
// Owned by the connection that asked; not thread-safe.
class LongRead {
 public:
  // Called with the state and the answer, before that is returned.
  using Finished = absl::AnyInvocable<void(const tree::StateView& state, const Response& response)>;

  LongRead(tree::StateView state, SessionId session, const Request& request,
           const ReadLimits& limits, Finished finished = nullptr);
  LongRead(const LongRead&) = delete;
  LongRead& operator=(const LongRead&) = delete;

  // Looks at about so many znodes more, at least one; nullopt: there is more to look at. A read of
  // several znodes, and of the session's ephemerals, comes in one piece: those have bounds of their own.
  std::optional<Response> Continue(size_t visits_max);

 private:
  std::optional<Response> Evaluate(size_t visits_max);
  bool Count(const std::string& path, size_t visits_max);

  const tree::StateView state_;
  const SessionId session_;
  const Request request_;
  const ReadLimits limits_;
  Finished finished_;  // may be null
  std::optional<Listing> listing_;  // of a ListRead
  uint64_t counted_ = 0;            // of a DescendantsRead
  std::string counted_after_;       // where that goes on; empty: at the beginning
};

}  // namespace bellwether::coord
