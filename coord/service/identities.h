#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "coord/tree/acl.h"

// Who clients are as ACLs name them (Z49-Z51): what they prove, on the servers' side.
namespace bellwether::coord {

// Of one id: a connection's commands carry all of its identities.
inline constexpr size_t kIdentityBytesMax = 1024;

// What an address proves, as transports write it: with or without port, brackets and gRPC's
// scheme, as in "10.0.0.1:2181", "[::1]:5" and "ipv6:%5B::1%5D:5".
tree::Identity AddressIdentity(std::string_view address);

// What "user:password" proves: {"digest", "user:" + base64(SHA1("user:password"))} (Z50). A text
// without a colon is all user.
tree::Identity DigestIdentity(std::string_view user_and_password);

// The identities of who already has `known` and now authenticates. With the scheme "digest" and
// `super_digest` ("user:" + base64; empty: there is no superuser) as the outcome it becomes super,
// too; "ip" proves nothing new. Each is listed once. nullopt: authentication fails, for another
// scheme, an id above kIdentityBytesMax, or more than tree::kIdentitiesMax of them.
std::optional<tree::Identities> Authenticate(const tree::Identities& known,
                                             std::string_view scheme,
                                             std::string_view credentials,
                                             std::string_view super_digest);

}  // namespace bellwether::coord
