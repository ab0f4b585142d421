#pragma once

#include "base/coding.h"
#include "coord/tree/acl.h"

namespace bellwether::coord::tree {

// The encoding of an ACL inside of commands and snapshots: its length, then permissions (both
// varints), scheme and id (strings) of each entry. At most AclBytes and 3.
void EncodeAcl(const Acl& acl, base::Encoder& out);

// Reads one to `acl`; false when it holds an impossible value. What ends too early is for
// `in.ok()` to tell. Allocates in proportion to the bytes there are.
bool DecodeAcl(base::Decoder& in, Acl& acl);

}  // namespace bellwether::coord::tree
