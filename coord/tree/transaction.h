#pragma once

#include "coord/tree/command.h"
#include "coord/tree/edit.h"
#include "coord/tree/result.h"
#include "coord/tree/tree.h"

namespace bellwether::coord::tree {

// True when the znode's field equals the value.
bool CompareHolds(const Compare& compare, const Tree& tree);

// Runs a transaction whole or not at all and says in `result` what became of it (Z22, Z24). A
// compare of a znode that the client may not read ends it with kNoAuth and no operation's result.
// Requires: the edit keeps undo and has done nothing yet.
void ApplyTransaction(const Transaction& transaction, const Tree& tree, Edit& edit,
                      Result& result);

}  // namespace bellwether::coord::tree
