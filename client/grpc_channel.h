#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/executor.h"
#include "client/coord_channel.h"

namespace bellwether::client {

// Calls of coord over gRPC, one connection per address. Callbacks are posted to the executor, which
// outlives it. Used on that executor. Destruction cancels what is open and waits until gRPC has let
// go of it; not on a thread of gRPC's.
class GrpcConnector : public CoordConnector {
 public:
  explicit GrpcConnector(base::Executor& executor);
  ~GrpcConnector() override;

  // As CoordConnector; addresses are HOST:PORT, statuses name them.
  std::unique_ptr<SessionCall> OpenSession(
      const std::string& address,
      StreamCallbacks<coord::v1::SessionResponse> callbacks) override;
  // Likewise.
  std::unique_ptr<WatchCall> OpenWatch(const std::string& address, coord::v1::WatchRequest request,
                                       StreamCallbacks<coord::v1::WatchResponse> callbacks) override;
  // Likewise.
  void Status(
      const std::string& address, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::StatusResponse>)> callback) override;
  // Likewise.
  void Upgrade(
      const std::string& address, coord::v1::UpgradeRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::UpgradeResponse>)> callback) override;
  // Likewise.
  void Membership(
      const std::string& address, coord::v1::MembershipRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::MembershipResponse>)> callback) override;
  // Likewise.
  void SaveSnapshot(
      const std::string& address, coord::v1::SaveSnapshotRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::SaveSnapshotResponse>)> callback) override;
  // Likewise.
  void Top(const std::string& address, coord::v1::TopRequest request, absl::Duration timeout,
           absl::AnyInvocable<void(absl::StatusOr<coord::v1::TopResponse>)> callback) override;
  // Likewise.
  void Sessions(
      const std::string& address, coord::v1::SessionsRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::SessionsResponse>)> callback) override;
  // Likewise.
  void EndSession(
      const std::string& address, coord::v1::EndSessionRequest request, absl::Duration timeout,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::EndSessionResponse>)> callback) override;

 private:
  struct State;  // what gRPC's headers are needed for

  // A call that `changes` something and has no answer of the server itself fails with unknown outcome.
  template <typename Request, typename Response, typename Start>
  void CallOnce(const std::string& address, Request request, absl::Duration timeout,
                absl::AnyInvocable<void(absl::StatusOr<Response>)> callback, Start start,
                bool changes = false);

  const std::unique_ptr<State> state_;
};

}  // namespace bellwether::client
