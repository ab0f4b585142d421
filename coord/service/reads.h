#pragma once

#include "coord/service/requests.h"
#include "coord/tree/state_machine.h"

namespace bellwether::coord {

// The answer to a read at the tree's present state. Requires: !request.is_write(); the caller holds
// the tree at least shared. A list's page is at most about `page_bytes_max`, but one name.
Response EvaluateRead(const tree::StateMachine& tree, const Request& request,
                      size_t page_bytes_max);

}  // namespace bellwether::coord
