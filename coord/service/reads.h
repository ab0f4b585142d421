#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "coord/service/child_lists.h"
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
// the connection. `known`: the names, when the read is of a list that is kept at this state; else
// null. Requires: !request.is_write(); `state` does not change meanwhile.
Response EvaluateRead(const tree::StateView& state, SessionId session, const Request& request,
                      const ReadLimits& limits, PackedNamesPtr known = nullptr);

// How many znodes evaluating a read looks at, roughly; kUnknownReadCost when only a walk can tell. One
// that fails costs 1. Takes the time of a lookup.
inline constexpr size_t kUnknownReadCost = std::numeric_limits<int32_t>::max();
size_t ReadCost(const tree::StateView& state, SessionId session, const Request& request);

// What is answered in several turns, so that others of the executor go on in between. Owned by the
// connection that asked, on whose executor it is called; not thread-safe.
class ReadInPieces {
 public:
  virtual ~ReadInPieces() = default;

  // Looks at about so many znodes more, at least one; nullopt: there is more to look at.
  virtual std::optional<Response> Continue(size_t visits_max) = 0;
};

// A read that costs much, on a view of its own: so the applier does not wait for it, and others of its
// executor go on between its pieces. Must be one that does not fail for want of znode or permission.
class LongRead : public ReadInPieces {
 public:
  // Called with the state and the answer, before that is returned.
  using Finished = absl::AnyInvocable<void(const tree::StateView& state, const Response& response)>;

  // `lists`: where large lists are kept, which outlives this; null: nowhere.
  LongRead(tree::StateView state, SessionId session, const Request& request,
           const ReadLimits& limits, ChildLists* lists = nullptr, Finished finished = nullptr);
  LongRead(const LongRead&) = delete;
  LongRead& operator=(const LongRead&) = delete;

  // A read of several znodes, and of the session's ephemerals, comes in one piece: those have bounds of
  // their own.
  std::optional<Response> Continue(size_t visits_max) override;

 private:
  std::optional<Response> Evaluate(size_t visits_max);
  bool List(const ListRead& read, size_t visits_max, Response& response);
  bool Count(const std::string& path, size_t visits_max);

  const tree::StateView state_;
  const SessionId session_;
  const Request request_;
  const ReadLimits limits_;
  ChildLists* const lists_;  // may be null
  Finished finished_;  // may be null
  std::optional<Listing> listing_;  // of a ListRead
  uint64_t counted_ = 0;            // of a DescendantsRead
  std::string counted_after_;       // where that goes on; empty: at the beginning
};

}  // namespace bellwether::coord
