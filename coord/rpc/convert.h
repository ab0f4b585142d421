#pragma once

#include <string>
#include <string_view>

#include "bellwether/coord/v1/coord.pb.h"
#include "coord/service/coord_service.h"
#include "coord/service/requests.h"
#include "coord/service/watch.h"

// Between the messages of coord.proto and the service's vocabulary. What comes from a client is
// checked here for what the vocabulary can't express; the rest is the service's to judge.
namespace bellwether::coord {

// A frame that makes no sense at all becomes a ProtocolError; a request that can't be understood
// one with `malformed` set, so that it is refused in its turn.
ClientFrame ToClientFrame(v1::SessionRequest&& frame);

void ToProto(ServerFrame&& frame, v1::SessionResponse& out);

// The ensemble that a request names; nil: none. Errors: INVALID_ARGUMENT that names `call`.
absl::StatusOr<base::Uuid> ToEnsembleId(const std::string& bytes, std::string_view call);

// Who a client is that knows it by `known` and now gives these credentials. Errors: UNAUTHENTICATED
// with reason "auth_failed", which names the scheme and never the credential.
using Credentials = google::protobuf::RepeatedPtrField<v1::Credential>;
absl::StatusOr<tree::Identities> Authenticated(const CoordService& service, tree::Identities known,
                                               const Credentials& credentials);

// Errors: INVALID_ARGUMENT that names the field.
absl::StatusOr<WatchRequest> ToWatchRequest(const v1::WatchRequest& request);

void ToProto(const WatchFrame& frame, v1::WatchResponse& out);

void ToProto(const ServiceStatus& status, uint32_t server_id, v1::StatusResponse& out);

void ToProto(const UpgradeReport& report, v1::UpgradeResponse& out);

void ToProto(const Failure& failure, ::bellwether::common::v1::Error& out);

}  // namespace bellwether::coord
