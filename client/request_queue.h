#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwether/coord/v1/coord.pb.h"

namespace bellwether::client {

// The requests of one session between call and answer, in the order of the calls, with the
// numbering of its writes: decides what is sent, what is sent again, and what must be reported as
// unknown. Knows nothing of connections, clocks or threads. Owned by CoordClient, on its executor.
//
// A read that a server could not serve is held likewise, unless a later write took effect meanwhile:
// then it fails, rejected.
//
// Where the servers keep results, a write that they applied before its answer was lost is sent again
// under its own number, for its result; no later write is sent until all of those are answered. That
// the servers refuse to tell a result now does not mean that nothing happened: they are asked again.
//
// A write that the servers refused without using up its number makes all later ones in flight fail
// with a gap; those, and reads among them, are held until nothing is in flight and then numbered
// and sent again, so that the order of the calls stands.
//
// Invariants:
// - what is held was called before what is in flight, and that before what waits
// - the numbers of the writes in flight are last_consumed + 1, + 2, ... unless there is a hole, or
//   they were applied before
// - after an answer was given, the entry lives on only if its number is still unaccounted for
class RequestQueue {
 public:
  // Called exactly once with the response, or with the error that ended the request. It may add
  // requests.
  using Answer = absl::AnyInvocable<void(absl::StatusOr<coord::v1::Response>)>;

  // What the owner has to do after a response.
  enum class Next {
    kContinue,   // nothing
    kPause,      // the server can't serve now: send nothing for a moment
    kReconnect,  // only a new attach can tell what became of the writes in flight
  };

  RequestQueue(size_t outstanding_max, size_t bytes_max)
      : outstanding_max_(outstanding_max), bytes_max_(bytes_max) {}

  // `deadline` is on the owner's monotonic clock. RESOURCE_EXHAUSTED, leaving `answer` alone, above
  // the bounds.
  absl::Status Add(coord::v1::Request request, absl::Duration deadline, Answer& answer);

  // The next request to send on the present connection, numbered; nullopt when there is none or it
  // has to wait.
  std::optional<coord::v1::Request> TakeToSend(uint64_t generation);

  // Takes an answer of the present connection.
  Next OnResponse(coord::v1::Response response);

  // The connection is gone: what was in flight is in doubt.
  void OnDisconnected();

  // A new connection stands; the servers applied the session's writes up to `last_sequence` and
  // will apply no other one sent before. `results_kept`: they tell their results again.
  void OnAttached(uint64_t last_sequence, bool results_kept);

  // Fails what has reached its deadline; `why` says what stood in the way.
  void ExpireDeadlines(absl::Duration now, const std::string& why);
  // Infinite when there is nothing to wait for.
  absl::Duration NextDeadline() const;

  // Fails everything: in flight and in doubt as unknown, the rest as rejected.
  void FailAll(const absl::Status& status);

  size_t outstanding() const { return outstanding_; }

 private:
  enum class State {
    kWaiting,   // to be sent
    kInFlight,  // sent on this connection
    kHeld,      // to be sent before what waits, once nothing is in flight
    kInDoubt,   // was in flight when the connection was lost
  };

  struct Entry {
    coord::v1::Request request;
    Answer answer;  // null once called
    absl::Duration deadline;
    uint64_t order = 0;  // rising
    size_t bytes = 0;
    bool is_write = false;
    bool was_applied = false;  // the servers said so: only its result is missing
    State state = State::kWaiting;
  };
  using Entries = std::list<Entry>;

  // Takes an answer to a write that was applied before.
  Next OnRepeated(Entries::iterator entry, coord::v1::Response response);
  Next OnRefused(Entries::iterator entry, int64_t zxid, const absl::Status& error);
  // Takes the entry out of those in flight, to be sent again.
  void Hold(Entries::iterator entry);
  // A write took effect that had been called after reads that are held: they can't be sent again
  // without seeing it, so they fail.
  void FailOvertaken();
  // Once nothing is in flight, lets what is held go before all that waits.
  void FinishDraining();
  // Takes the entry out of those in flight and answers it.
  void Finish(Entries::iterator entry, absl::StatusOr<coord::v1::Response> result);
  Answer TakeAnswer(Entry& entry);
  // A write that was may have taken effect.
  static bool WasSent(const Entry& entry);
  // Forgets the entry; returns the one behind it.
  Entries::iterator Drop(Entries& entries, Entries::iterator entry);

  const size_t outstanding_max_;
  const size_t bytes_max_;
  Entries held_;       // refused without effect, or in doubt; before all others
  Entries in_flight_;  // sent on this connection
  Entries waiting_;
  std::map<std::pair<absl::Duration, uint64_t>, Entries::iterator> deadlines_;  // unanswered ones
  bool attached_ = false;
  bool hole_ = false;  // a number was given back: nothing is sent until nothing is in flight
  uint64_t last_consumed_ = 0;  // number of the last write known to be applied
  uint64_t next_sequence_ = 1;
  size_t repeats_ = 0;          // entries that were applied before
  uint64_t repeats_floor_ = 0;  // below it all of those are answered
  uint64_t next_request_id_ = 1;
  uint64_t next_order_ = 1;
  size_t outstanding_ = 0;  // unanswered ones
  size_t bytes_ = 0;        // of all entries
};

// True for the operations that change something.
bool IsWrite(const coord::v1::Request& request);

// As in "create /a", for messages.
std::string Describe(const coord::v1::Request& request);

}  // namespace bellwether::client
