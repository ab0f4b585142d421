#pragma once

#include <optional>

#include "coord/service/requests.h"
#include "coord/tree/command.h"
#include "coord/tree/result.h"

namespace bellwether::coord {

// Refuses before it is proposed what the state machine would refuse for its size alone, so that it
// never takes room in the log. Requires: request.is_write().
std::optional<Failure> CheckWrite(const Request& request, size_t request_bytes_max);

// Of its paths, data, ACLs and identities, with a little for each item. Requires: request.is_write().
size_t WriteBytes(const Request& request);

// The feature level that the ensemble must have for the operation to be proposed.
uint32_t FeatureLevelOf(const RequestOperation& operation);

// With the identities of the request, if it has any. Requires: request.is_write().
tree::Command MakeCommand(SessionId session, Request request);

// The answer to a write, without its request id. `command` is what was applied with `result`.
Response MakeWriteResponse(const tree::Command& command, tree::Result result);

}  // namespace bellwether::coord
