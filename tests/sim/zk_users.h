#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "coord/service/identities.h"

// Who the clients of the ZooKeeper port are, and where they keep from others what they write.
namespace bellwether::sim {

inline std::string PasswordOfUser(uint64_t user) {
  return (user == 0 ? "eve" : "bob") + std::string(":secret");
}
inline coord::tree::Identity IdentityOfUser(uint64_t user) {
  return coord::DigestIdentity(PasswordOfUser(user));
}

inline constexpr std::string_view kSuperPassword = "super:secret";

// Znodes that not everybody may read: what clients of the native protocol see of them below another
// znode is not checked.
inline constexpr std::string_view kPrivatePath = "/z/p";

inline bool IsPrivate(std::string_view path) { return path.starts_with(kPrivatePath); }

// Has a quota from some time on.
inline constexpr std::string_view kQuotaedPath = "/z";
inline constexpr uint64_t kQuotaedCountMax = 14;
inline constexpr uint64_t kQuotaedBytesMax = 400;

}  // namespace bellwether::sim
