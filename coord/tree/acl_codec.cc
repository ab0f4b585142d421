#include "coord/tree/acl_codec.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace bellwether::coord::tree {

void EncodeAcl(const Acl& acl, base::Encoder& out) {
  out.Varint(acl.size());
  for (const AclEntry& entry : acl) {
    out.Varint(entry.permissions).String(entry.scheme).String(entry.id);
  }
}

// The list grows as its items are read: a false count ends with the bytes.
bool DecodeAcl(base::Decoder& in, Acl& acl) {
  const uint64_t count = in.Varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    AclEntry entry;
    const uint64_t permissions = in.Varint();
    if (permissions > std::numeric_limits<uint32_t>::max()) return false;
    entry.permissions = static_cast<uint32_t>(permissions);
    entry.scheme = std::string(in.String());
    entry.id = std::string(in.String());
    acl.push_back(std::move(entry));
  }
  return true;
}

}  // namespace bellwether::coord::tree
