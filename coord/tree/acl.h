#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coord/tree/cow_ptr.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// What an ACL entry permits: bits, as on the ZooKeeper wire.
enum Permission : uint32_t {
  kRead = 1,    // the znode's data, ACL and names of children
  kWrite = 2,   // a change of its data
  kCreate = 4,  // a new child
  kDelete = 8,  // the end of a child
  kAdmin = 16,  // a change of its ACL
};
inline constexpr uint32_t kAllPermissions = 31;

// Permits whoever has the identity. Bits that are no Permission are kept and mean nothing.
struct AclEntry {
  uint32_t permissions = 0;
  std::string scheme;  // "world", "digest", "ip", "x509"; in a command "auth" as well
  std::string id;

  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

// Who may do what with one znode; never inherited (Z49). An empty one permits everything to all.
using Acl = std::vector<AclEntry>;

// Something that a client proved to be (Z50): {"ip", address}, {"digest", "user:base64(SHA1)"},
// {"x509", distinguished name}, {"super", ""}.
struct Identity {
  std::string scheme;
  std::string id;

  friend bool operator==(const Identity&, const Identity&) = default;
};
using Identities = std::vector<Identity>;  // at most kIdentitiesMax

// A znode's ACL with the number of its changes; immutable, so that znodes, views and events share
// one.
struct Access {
  Acl acl;
  int32_t aversion = 0;  // changes of the ACL (Z1)
  RefCount references;
};

// Null: an open ACL that was never changed. May be copied and dropped on any thread.
using AclPtr = CowPtr<const Access>;

// By content.
bool SameAccess(const AclPtr& a, const AclPtr& b);
// The ACL of an access; that of a null one is {31, "world", "anyone"}.
const Acl& AclOf(const AclPtr& access);
inline int32_t AversionOf(const AclPtr& access) { return access ? access->aversion : 0; }

// {31, "world", "anyone"} and nothing else.
const Acl& OpenAcl();

// Whether one of the identities has at least one of the permissions (Z50). A null or an empty ACL
// permits all; so does the scheme "super" whatever the ACL says. An "ip" entry's id may have a
// prefix length: "10.0.0.0/8", "fd00::/8". Everything else matches by equality.
bool Allows(const Acl* acl, uint32_t any_of, const Identities& identities);
inline bool Allows(const AclPtr& access, uint32_t any_of, const Identities& identities) {
  return Allows(access ? &access->acl : nullptr, any_of, identities);
}

// How many entries an ACL that is given to a znode may have at a feature level. Each is looked at
// whenever the znode is used, and before kFeatureLevelRetries there were kAclEntriesMax, so that
// znodes of then may have more.
size_t AclEntriesMax(uint32_t feature_level);

// The ACL to be kept when a client asks for `given`: without duplicates, "auth" replaced by the
// "digest" and "x509" identities of the caller (Z49). nullopt when it is invalid: it is empty, has
// an unknown scheme or a malformed id, says "auth" and the caller has no such identity, or
// ExceedsLimits, before or after. It grows no further than that.
std::optional<Acl> FixUpAcl(const Acl& given, const Identities& caller,
                            size_t entries_max = kAclEntriesMax);

// What a client without kAdmin sees: the hashes of digest ids are "x" (Z50).
Acl MaskedAcl(const Acl& acl);

// Bytes of its schemes and ids, and some for each entry.
size_t AclBytes(const Acl& acl);
// More than `entries_max` entries or kAclBytesMax AclBytes.
bool ExceedsLimits(const Acl& acl, size_t entries_max = kAclEntriesMax);

}  // namespace bellwether::coord::tree
