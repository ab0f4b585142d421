#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/metrics.h"
#include "base/net/event_loop.h"
#include "base/parse.h"

namespace bellwether::base {

// One connection, accepted or made: the stream seam behind which plain TCP and, later, TLS stand.
// Owned by whoever talks on it; callbacks run on the thread of its loop, where all calls must be made
// too.
// At most one Read and one Write may be outstanding. After Close or an error the callbacks of what
// was outstanding get CANCELLED or the error; destroying it from a callback is allowed.
class Connection {
 public:
  virtual ~Connection() = default;

  // Some bytes, at most 16 KiB unless SetReadMax said otherwise; the view is valid during the
  // callback, until the next Read. OUT_OF_RANGE at the end.
  virtual void Read(absl::AnyInvocable<void(absl::StatusOr<std::string_view>)> done) = 0;

  // The first byte that comes, which is not taken: the next Read gives it, too. Counts as a Read.
  virtual void Peek(absl::AnyInvocable<void(absl::StatusOr<char>)> done) = 0;

  // The most that one Read gives. Memory for it is taken when reads have filled what there is.
  virtual void SetReadMax(size_t bytes) = 0;

  // All of `bytes`, or an error.
  virtual void Write(std::string bytes, absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Runs `done` once after `delay`, unless the connection is destroyed before. Replaces an earlier
  // deadline.
  virtual void SetDeadline(absl::Duration delay, absl::AnyInvocable<void()> done) = 0;

  // Nothing more is written: the other side reads the end of the stream after what was written. What
  // it sends can still be read.
  virtual void FinishOutput() = 0;

  virtual void Close() = 0;

  // Gives the socket away, non-blocking, to a library that talks on it and closes it; this is closed
  // then. Requires: nothing is outstanding. -1 when it is not possible.
  virtual int Release() = 0;

  // "127.0.0.1:40312".
  virtual const std::string& remote() const = 0;
};

// An attempt to connect. Destroyed on its loop; gives up then, if it is not over.
class Connecting {
 public:
  virtual ~Connecting() = default;
};

// Looks the host up, for as long as the system's resolver takes, then tries its addresses in turn, for
// `timeout` in all. `done` is called once, on the loop, where this is called, too, but not before it
// returns. Errors: UNAVAILABLE, DEADLINE_EXCEEDED; each names the address. A look-up can't be given up: one
// under way holds up the end of the loop.
std::unique_ptr<Connecting> Connect(
    EventLoop& loop, const HostPort& address, absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Connection>>)> done);

// Listens on one address, on an event loop of its own or on given ones, over which it spreads the
// connections.
// Limits: `connections_max` at a time; further ones are closed at once, and counted in `refused`.
// When the process is out of descriptors, it tries again every 100 ms.
class Listener {
 public:
  using OnAccept = absl::AnyInvocable<void(std::unique_ptr<Connection>)>;
  using OnAcceptOn = absl::AnyInvocable<void(EventLoop&, std::unique_ptr<Connection>)>;

  // All connections live on the listener's own thread, where `on_accept` is called; `refused`
  // outlives the listener. Errors: UNAVAILABLE when the address is in use, INVALID_ARGUMENT when it
  // can't be resolved, PERMISSION_DENIED; each names the address.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const HostPort& address,
                                                        std::string thread_name,
                                                        size_t connections_max, Counter& refused,
                                                        OnAccept on_accept);

  // Each connection lives on one of the loops (at least one, which outlive listener and connections),
  // where `on_accept` is called for it, perhaps on several at the same time.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const HostPort& address,
                                                        std::vector<EventLoop*> loops,
                                                        size_t connections_max, Counter& refused,
                                                        OnAcceptOn on_accept);
  virtual ~Listener() = default;

  // Where it listens, with the real port.
  virtual const HostPort& address() const = 0;

  // Accepts no more: a loop that has run what is posted to it by now calls `on_accept` no more. A
  // thread of its own ends, and with it its connections' input. Idempotent; not from a loop.
  virtual void Stop() = 0;
};

// Why another library, which does not say so, could not listen on the address: tries it with a
// listener of our own; `otherwise` when that works.
absl::Status WhyNotListening(const HostPort& address, const absl::Status& otherwise);

}  // namespace bellwether::base
