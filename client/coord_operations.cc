#include <utility>

#include "client/coord_client.h"
#include "client/operations_wire.h"

// The calls of CoordClient that operators make.
namespace bellwether::client {
namespace {

template <typename Request>
void NameEnsemble(const ServerList& servers, Request& request) {
  if (!servers.ensemble_id().IsNil()) request.set_ensemble_id(servers.ensemble_id().Bytes());
}

}  // namespace

void CoordClient::Top(const std::string& address, TopOrder by, uint32_t limit,
                      absl::Duration timeout, Callback<TopResult> callback) {
  coord::v1::TopRequest request;
  request.set_by(ToWire(by));
  request.set_limit(limit);
  NameEnsemble(servers_, request);
  connector_.Top(address, std::move(request), timeout,
                 [alive = alive_, callback = std::move(callback)](
                     absl::StatusOr<coord::v1::TopResponse> response) mutable {
                   if (!*alive) return;
                   if (!response.ok()) return callback(std::move(response).status());
                   callback(FromWire(*std::move(response)));
                 });
}

void CoordClient::Sessions(const std::string& address, SessionId after, absl::Duration timeout,
                           Callback<SessionPage> callback) {
  coord::v1::SessionsRequest request;
  request.set_after(after.value());
  NameEnsemble(servers_, request);
  connector_.Sessions(address, std::move(request), timeout,
                      [alive = alive_, callback = std::move(callback)](
                          absl::StatusOr<coord::v1::SessionsResponse> response) mutable {
                        if (!*alive) return;
                        if (!response.ok()) return callback(std::move(response).status());
                        callback(FromWire(*std::move(response)));
                      });
}

void CoordClient::EndSession(const std::string& address, SessionId session, absl::Duration timeout,
                             Callback<SessionEnded> callback) {
  coord::v1::EndSessionRequest request;
  request.set_session_id(session.value());
  NameEnsemble(servers_, request);
  connector_.EndSession(address, std::move(request), timeout,
                        [alive = alive_, callback = std::move(callback)](
                            absl::StatusOr<coord::v1::EndSessionResponse> response) mutable {
                          if (!*alive) return;
                          if (!response.ok()) return callback(std::move(response).status());
                          callback(SessionEnded{Zxid(response->zxid())});
                        });
}

}  // namespace bellwether::client
