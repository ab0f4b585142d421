#include "coord/tree/acl.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <tuple>

namespace bellwether::coord::tree {
namespace {

// What an entry takes besides its strings, at least as much as any encoding of it.
constexpr size_t kEntryBytes = 16;

size_t EntryBytes(std::string_view scheme, std::string_view id) {
  return kEntryBytes + scheme.size() + id.size();
}

bool IsAnyone(const AclEntry& entry) { return entry.scheme == "world" && entry.id == "anyone"; }

// The bytes of an IPv4 or IPv6 address, in the network's order.
struct Address {
  std::array<uint8_t, 16> bytes{};
  size_t size = 0;  // 4 or 16
};

std::optional<Address> ParseAddress(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof(terminated) || text.find('\0') != text.npos) return std::nullopt;
  *std::copy(text.begin(), text.end(), terminated) = '\0';
  Address address;
  if (inet_pton(AF_INET, terminated, address.bytes.data()) == 1) {
    address.size = 4;
  } else if (inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) {
    address.size = 16;
  } else {
    return std::nullopt;
  }
  return address;
}

// All addresses that begin with the first `bits` bits of one.
struct AddressPrefix {
  Address address;
  size_t bits = 0;

  bool Contains(const Address& other) const {
    if (other.size != address.size) return false;
    const size_t whole = bits / 8;
    if (!std::equal(other.bytes.begin(), other.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                    address.bytes.begin())) {
      return false;
    }
    if (bits % 8 == 0) return true;
    return ((other.bytes[whole] ^ address.bytes[whole]) >> (8 - bits % 8)) == 0;
  }
};

// "ADDRESS" or "ADDRESS/BITS".
std::optional<AddressPrefix> ParseAddressPrefix(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<Address> address = ParseAddress(text.substr(0, slash));
  if (!address.has_value()) return std::nullopt;
  const size_t bits_max = address->size * 8;
  if (slash == text.npos) return AddressPrefix{*address, bits_max};
  const std::string_view digits = text.substr(slash + 1);
  if (digits.empty() || digits.size() > 3) return std::nullopt;
  size_t bits = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    bits = bits * 10 + static_cast<size_t>(digit - '0');
  }
  if (bits > bits_max) return std::nullopt;
  return AddressPrefix{*address, bits};
}

bool MatchesAddress(std::string_view prefix_text, std::string_view address_text) {
  const std::optional<AddressPrefix> prefix = ParseAddressPrefix(prefix_text);
  const std::optional<Address> address = ParseAddress(address_text);
  return prefix.has_value() && address.has_value() && prefix->Contains(*address);
}

// Of the same scheme as the entry.
bool Matches(const AclEntry& entry, const Identity& identity) {
  if (entry.scheme == "ip") return MatchesAddress(entry.id, identity.id);
  return entry.id == identity.id;
}

// "user:hash". ZooKeeper splits at colons and lets trailing empty parts go: "user:hash:" will do,
// "user:" will not.
bool IsDigestId(std::string_view id) {
  while (!id.empty() && id.back() == ':') id.remove_suffix(1);
  return std::count(id.begin(), id.end(), ':') == 1;
}

// Whether an entry other than one of "auth" may be kept. "super" is no scheme of entries.
bool IsWellFormed(const AclEntry& entry) {
  if (entry.scheme == "world") return IsAnyone(entry);
  if (entry.scheme == "digest") return IsDigestId(entry.id);
  if (entry.scheme == "ip") return ParseAddressPrefix(entry.id).has_value();
  // A distinguished name: "CN=..." at least.
  if (entry.scheme == "x509") return entry.id.find('=', 1) != entry.id.npos;
  return false;
}

// Whether "auth" stands for it: an address is nothing that a client proves, and "super" nothing
// that can be granted.
bool IsProved(const Identity& identity) {
  return identity.scheme == "digest" || identity.scheme == "x509";
}

}  // namespace

bool SameAccess(const AclPtr& a, const AclPtr& b) {
  if (a.get() == b.get()) return true;
  return a && b && a->aversion == b->aversion && a->acl == b->acl;
}

const Acl& OpenAcl() {
  static const Acl* const open = new Acl{{kAllPermissions, "world", "anyone"}};
  return *open;
}

const Acl& AclOf(const AclPtr& access) { return access ? access->acl : OpenAcl(); }

bool Allows(const Acl* acl, uint32_t any_of, const Identities& identities) {
  if (acl == nullptr || acl->empty()) return true;
  for (const Identity& identity : identities) {
    if (identity.scheme == "super") return true;
  }
  for (const AclEntry& entry : *acl) {
    if ((entry.permissions & any_of) == 0) continue;
    if (IsAnyone(entry)) return true;
    for (const Identity& identity : identities) {
      if (identity.scheme == entry.scheme && Matches(entry, identity)) return true;
    }
  }
  return false;
}

size_t AclEntriesMax(uint32_t feature_level) {
  constexpr size_t kEntriesMax = 100;
  return feature_level < kFeatureLevelRetries ? kAclEntriesMax : kEntriesMax;
}

std::optional<Acl> FixUpAcl(const Acl& given, const Identities& caller, size_t entries_max) {
  if (given.empty() || ExceedsLimits(given, entries_max)) return std::nullopt;
  Acl fixed;
  size_t bytes = 0;
  const auto add = [&](uint32_t permissions, const std::string& scheme, const std::string& id) {
    bytes += EntryBytes(scheme, id);
    if (bytes > kAclBytesMax || fixed.size() == entries_max) return false;
    fixed.push_back({permissions, scheme, id});
    return true;
  };
  std::set<std::tuple<uint32_t, std::string_view, std::string_view>> seen;
  for (const AclEntry& entry : given) {
    if (!seen.emplace(entry.permissions, entry.scheme, entry.id).second) continue;
    if (entry.scheme != "auth") {
      if (!IsWellFormed(entry) || !add(entry.permissions, entry.scheme, entry.id)) {
        return std::nullopt;
      }
      continue;
    }
    bool is_proved = false;
    for (const Identity& identity : caller) {
      if (!IsProved(identity)) continue;
      if (!add(entry.permissions, identity.scheme, identity.id)) return std::nullopt;
      is_proved = true;
    }
    if (!is_proved) return std::nullopt;
  }
  return fixed;
}

Acl MaskedAcl(const Acl& acl) {
  Acl masked = acl;
  for (AclEntry& entry : masked) {
    if (entry.scheme != "digest") continue;
    const size_t colon = entry.id.find(':');
    if (colon != entry.id.npos) entry.id.replace(colon + 1, entry.id.npos, "x");
  }
  return masked;
}

size_t AclBytes(const Acl& acl) {
  size_t bytes = 0;
  for (const AclEntry& entry : acl) bytes += EntryBytes(entry.scheme, entry.id);
  return bytes;
}

bool ExceedsLimits(const Acl& acl, size_t entries_max) {
  return acl.size() > entries_max || AclBytes(acl) > kAclBytesMax;
}

}  // namespace bellwether::coord::tree
