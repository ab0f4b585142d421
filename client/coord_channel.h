#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwether/coord/v1/coord.pb.h"

// The seam between CoordClient and the network. All calls are made on the client's executor, and
// all callbacks run there, one at a time, never inside a call into the seam and never after the
// object they belong to was destroyed, which may happen within a callback of that object.
namespace bellwether::client {

// What a stream tells its owner.
template <typename Frame>
struct StreamCallbacks {
  // In the order sent. The next frame is not read from the network before this one returned.
  absl::AnyInvocable<void(Frame)> on_frame;
  // The last callback, exactly once: the stream is over, whatever the reason. Never OK: a server
  // that ends a stream without an error gives UNAVAILABLE.
  absl::AnyInvocable<void(absl::Status)> on_end;
};

// A Coord.Session stream. Destruction cancels it; frames queued by Send may then be lost.
class SessionCall {
 public:
  virtual ~SessionCall() = default;
  // Sends in order; never blocks. What is queued is bounded by the caller.
  virtual void Send(coord::v1::SessionRequest frame) = 0;
};

// A Coord.Watch stream. Destruction cancels it.
class WatchCall {
 public:
  virtual ~WatchCall() = default;
  // Asks for one more frame: on_frame is called once per Next(). Requires: none is outstanding.
  virtual void Next() = 0;
};

// Opens calls to single servers.
class CoordConnector {
 public:
  virtual ~CoordConnector() = default;

  virtual std::unique_ptr<SessionCall> OpenSession(
      const std::string& address, StreamCallbacks<coord::v1::SessionResponse> callbacks) = 0;

  virtual std::unique_ptr<WatchCall> OpenWatch(
      const std::string& address, coord::v1::WatchRequest request,
      StreamCallbacks<coord::v1::WatchResponse> callbacks) = 0;

  // One Coord.Status call. The callback runs exactly once unless the connector goes first.
  virtual void Status(
      const std::string& address, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::StatusResponse>)> callback) = 0;

  // One Coord.Upgrade call, likewise.
  virtual void Upgrade(
      const std::string& address, coord::v1::UpgradeRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::UpgradeResponse>)> callback) = 0;

  // One Coord.Membership call, likewise. A change without an answer of the server: unknown outcome.
  virtual void Membership(
      const std::string& address, coord::v1::MembershipRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::MembershipResponse>)> callback) = 0;

  // One Coord.SaveSnapshot call, likewise.
  virtual void SaveSnapshot(
      const std::string& address, coord::v1::SaveSnapshotRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::SaveSnapshotResponse>)> callback) = 0;

  // One Coord.Top, Sessions or EndSession call, likewise. EndSession without an answer of the server:
  // unknown outcome.
  virtual void Top(const std::string& address, coord::v1::TopRequest request,
                   absl::Duration timeout,
                   absl::AnyInvocable<void(absl::StatusOr<coord::v1::TopResponse>)> callback) = 0;
  virtual void Sessions(
      const std::string& address, coord::v1::SessionsRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::SessionsResponse>)> callback) = 0;
  virtual void EndSession(
      const std::string& address, coord::v1::EndSessionRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::EndSessionResponse>)> callback) = 0;
};

}  // namespace bellwether::client
