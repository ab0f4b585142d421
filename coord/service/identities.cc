#include "coord/service/identities.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/check.h"
#include "openssl/crypto.h"
#include "openssl/evp.h"

namespace bellwether::coord {
namespace {

constexpr size_t kSha1Bytes = 20;
constexpr size_t kSha1Base64Bytes = 28;

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string Base64OfSha1(std::string_view text) {
  std::array<unsigned char, kSha1Bytes> digest;
  unsigned int bytes = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha1(), nullptr) == 1 &&
        bytes == digest.size());
  std::array<unsigned char, kSha1Base64Bytes + 1> base64;  // it ends with a zero
  EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return {base64.begin(), base64.begin() + kSha1Base64Bytes};
}

// How long it takes does not tell how much of it is right.
bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void AddOnce(tree::Identity identity, tree::Identities& identities) {
  if (std::find(identities.begin(), identities.end(), identity) != identities.end()) return;
  identities.push_back(std::move(identity));
}

}  // namespace

tree::Identity AddressIdentity(std::string_view address) {
  if (!ConsumePrefix(address, "ipv4:")) ConsumePrefix(address, "ipv6:");
  if (ConsumePrefix(address, "[")) {
    address = address.substr(0, address.find(']'));
  } else if (ConsumePrefix(address, "%5B")) {
    address = address.substr(0, address.find("%5D"));
  } else if (const size_t colon = address.find(':'); colon == address.rfind(':')) {
    address = address.substr(0, colon);
  }
  // An IPv6 address may name its interface, or be an IPv4 address in disguise.
  address = address.substr(0, address.find('%'));
  std::string_view disguised = address;
  if (ConsumePrefix(disguised, "::ffff:") && disguised.find('.') != std::string_view::npos) {
    address = disguised;
  }
  return {"ip", std::string(address)};
}

tree::Identity DigestIdentity(std::string_view user_and_password) {
  std::string id(user_and_password.substr(0, user_and_password.find(':')));
  id += ':';
  id += Base64OfSha1(user_and_password);
  return {"digest", std::move(id)};
}

std::optional<tree::Identities> Authenticate(const tree::Identities& known,
                                             std::string_view scheme,
                                             std::string_view credentials,
                                             std::string_view super_digest) {
  if (scheme == "ip") return known;
  if (scheme != "digest") return std::nullopt;
  tree::Identity proved = DigestIdentity(credentials);
  if (proved.id.size() > kIdentityBytesMax) return std::nullopt;
  tree::Identities identities = known;
  if (!super_digest.empty() && SameSecret(proved.id, super_digest)) {
    AddOnce({"super", ""}, identities);
  }
  AddOnce(std::move(proved), identities);
  if (identities.size() > tree::kIdentitiesMax) return std::nullopt;
  return identities;
}

}  // namespace bellwether::coord
