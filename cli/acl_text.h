#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/coord_types.h"

// Access lists as people write them. Pure.
namespace bellwether::cli {

// "world:anyone:r,digest:user:hash:cdrwa": SCHEME:ID:PERMISSIONS, separated by commas, as zkCli
// reads them; an id may contain colons. INVALID_ARGUMENT that says what is wrong.
absl::StatusOr<client::Acl> ParseAcl(std::string_view text);

// An entry in that form, the permissions in the order "cdrwa".
std::string AclEntryText(const client::AclEntry& entry);

// True for an ACL as it is shown to who may not change it: without the hashes of its digests (Z50).
bool HasHiddenHashes(const client::Acl& acl);

// "cdr" and the like. INVALID_ARGUMENT that names the letter.
absl::StatusOr<uint32_t> ParsePermissions(std::string_view text);
std::string PermissionsText(uint32_t permissions);

// "digest:USER:PASSWORD". INVALID_ARGUMENT, which does not repeat the text.
absl::StatusOr<client::Credential> ParseCredential(std::string_view text);

}  // namespace bellwether::cli
