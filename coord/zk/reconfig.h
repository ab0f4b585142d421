#pragma once

#include <string_view>

#include "coord/service/requests.h"
#include "coord/zk/wire/records.h"

namespace bellwether::coord::zk {

// A client's reconfig as one of the service (Z55). A server is "server.ID=HOST:PORT:PORT:ROLE;CLIENTS"
// or "ID=...", where the first port is its peer listener's, the second one, for elections in
// ZooKeeper, means nothing, as CLIENTS does, "PORT" or "HOST:PORT", since every server tells its own;
// ROLE is participant, also when it is missing, or observer. What can't be understood becomes the
// request's `malformed`, with the result code kBadArguments, or the reason kReasonBadId for an id
// that is no number.
Reconfigure TranslateReconfig(const wire::ReconfigRequest& request);

inline constexpr std::string_view kReasonBadId = "bad_id";

}  // namespace bellwether::coord::zk
