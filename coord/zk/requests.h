#pragma once

#include <cstddef>
#include <string_view>

#include "coord/service/requests.h"
#include "coord/zk/replies.h"
#include "coord/zk/wire/records.h"

namespace bellwether::coord::zk {

struct TranslatedRequest {
  RequestOperation operation;
  // What it takes in memory besides the bytes of its frame and a Request, roughly.
  size_t overhead_bytes = 0;
};

// What a client's request asks of the service. `reply` is given its opcode and all else that the
// request says about its reply. One that is refused at once becomes an EchoRead, so that it is
// refused in its turn; but a write that ZooKeeper logs before it refuses it is left to the tree,
// since it takes a zxid (Z7). `identities`: of the client now. Requires: not of kAuth or kSasl,
// which are answered on receipt (Z51).
TranslatedRequest TranslateRequest(const wire::Request& request,
                                   const PendingReply::SharedIdentities& identities,
                                   PendingReply& reply);

// ZooKeeper's short name of an operation, as cons shows it: "GETD".
std::string_view OperationName(wire::Opcode opcode);

}  // namespace bellwether::coord::zk
