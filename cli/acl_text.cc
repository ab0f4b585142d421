#include "cli/acl_text.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

struct Letter {
  char letter;
  uint32_t permission;
};
constexpr Letter kLetters[] = {{'c', client::kCreate},
                               {'d', client::kDelete},
                               {'r', client::kRead},
                               {'w', client::kWrite},
                               {'a', client::kAdmin}};

absl::StatusOr<client::AclEntry> ParseEntry(std::string_view text) {
  const size_t first = text.find(':');
  const size_t last = text.rfind(':');
  if (first == std::string_view::npos || first == last) {
    return absl::InvalidArgumentError(fmt::format(
        "'{}' is no entry of an ACL; give SCHEME:ID:PERMISSIONS, as in world:anyone:r", text));
  }
  ASSIGN_OR_RETURN(const uint32_t permissions, ParsePermissions(text.substr(last + 1)));
  return client::AclEntry{permissions, std::string(text.substr(0, first)),
                          std::string(text.substr(first + 1, last - first - 1))};
}

}  // namespace

absl::StatusOr<uint32_t> ParsePermissions(std::string_view text) {
  uint32_t permissions = 0;
  for (const char c : text) {
    const auto* const found = std::find_if(std::begin(kLetters), std::end(kLetters),
                                           [c](const Letter& each) { return each.letter == c; });
    if (found == std::end(kLetters)) {
      return absl::InvalidArgumentError(fmt::format(
          "'{}' is no permission; give letters of cdrwa: create, delete, read, write, admin", c));
    }
    permissions |= found->permission;
  }
  return permissions;
}

std::string PermissionsText(uint32_t permissions) {
  std::string text;
  for (const Letter& each : kLetters) {
    if ((permissions & each.permission) != 0) text += each.letter;
  }
  return text;
}

bool HasHiddenHashes(const client::Acl& acl) {
  return std::any_of(acl.begin(), acl.end(), [](const client::AclEntry& entry) {
    return entry.scheme == "digest" && entry.id.ends_with(":x");
  });
}

absl::StatusOr<client::Acl> ParseAcl(std::string_view text) {
  client::Acl acl;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    ASSIGN_OR_RETURN(client::AclEntry entry, ParseEntry(text.substr(0, comma)));
    acl.push_back(std::move(entry));
    if (more) text.remove_prefix(comma + 1);
  }
  return acl;
}

std::string AclEntryText(const client::AclEntry& entry) {
  return fmt::format("{}:{}:{}", entry.scheme, entry.id, PermissionsText(entry.permissions));
}

absl::StatusOr<client::Credential> ParseCredential(std::string_view text) {
  constexpr std::string_view kDigest = "digest:";
  const std::string_view rest = text.substr(std::min(kDigest.size(), text.size()));
  if (!text.starts_with(kDigest) || rest.find(':') == std::string_view::npos) {
    return absl::InvalidArgumentError("what was given is no credential; give digest:USER:PASSWORD");
  }
  return client::Credential{"digest", std::string(rest)};
}

}  // namespace bellwether::cli
