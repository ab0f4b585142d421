#pragma once

#include <cstdint>
#include <functional>

#include "coord/service/requests.h"
#include "coord/zk/wire/opcodes.h"
#include "coord/zk/wire/records.h"

// Clients of a server that has no contact with a leader (Z57). All pure.
namespace bellwether::coord::zk {

// Whether a session is one that a read-only server made up: no ensemble has one with such an id,
// since its high byte is no server's (Z36).
bool IsReadOnlySession(SessionId session);

// What a client with this handshake is told of its session: the one that it has, which the ensemble
// may know, or one that is made up. Nothing of it is kept here: it is good for reading, which needs
// none. `random`: random bits. Timeouts in ms, between which the client's is put.
tree::SessionGrant ReadOnlyGrant(const wire::ConnectRequest& request, int64_t timeout_min_ms,
                                 int64_t timeout_max_ms, const std::function<uint64_t()>& random);

// Whether a read-only server refuses it with kNotReadOnly: what changes the state, sync and
// transactions.
bool NeedsQuorum(wire::Opcode opcode);

}  // namespace bellwether::coord::zk
