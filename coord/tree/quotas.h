#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "coord/tree/shared_bytes.h"
#include "coord/tree/tree.h"

namespace bellwether::coord::tree {

// The quota of /a/b are the znodes zookeeper_limits and zookeeper_stats of /zookeeper/quota/a/b
// (Z54): what /a/b and everything below it may be in all, and what they are. Both are ZooKeeper's
// text, "count=3,bytes=10" or "count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=5".

// A longer text is refused: each change below the quota reads and writes it.
inline constexpr size_t kQuotaTextBytesMax = 1024;
// Znodes that one command may count to begin quotas at a feature level: the whole server waits for
// them. Before kFeatureLevelRetries they were so many that it could wait for seconds.
size_t QuotaCountedZnodesMax(uint32_t feature_level);

// Such a text: numbers by name. One that is not in it is -1, which limits nothing.
class QuotaNumbers {
 public:
  QuotaNumbers() = default;
  // Of names with values between ',' or ';'; an empty text has none. nullopt for null data and for
  // what is no such text.
  static std::optional<QuotaNumbers> Parse(const SharedBytes& text);

  int64_t Get(std::string_view name) const;
  void Set(std::string_view name, int64_t value);

  // Byte for byte as ZooKeeper writes it.
  SharedBytes Text() const;

 private:
  std::map<std::string, int64_t, std::less<>> values_;
};

// How much there is, or by how much it changes.
struct Usage {
  int64_t count = 0;  // znodes
  int64_t bytes = 0;  // of their data
};

// False for a znode of a quota whose data is none, or that would be a quota of "/", which can't
// have one (Z54). Other paths take any data.
bool IsValidQuota(std::string_view path, const SharedBytes& data);

// True when there may be quotas at all.
bool HasQuotas(const Tree& tree);

// The path whose quota counts a znode: its own or its nearest ancestor's that has limits. A part of
// `path`; empty when there is none.
std::string_view QuotaOf(const Tree& tree, std::string_view path);

// True when the change of a znode goes beyond a hard limit of its quota (Z13, Z19). What does not
// change is not looked at; a quota without usage, or with a text that is none, limits nothing.
bool ExceedsQuota(const Tree& tree, std::string_view path, const Usage& change);

// Where the usage of a path's quota is.
std::string UsagePath(std::string_view quota);

// The path whose usage is in the znode of that path: the inverse of UsagePath. Empty when none is.
std::string_view QuotaOfUsage(std::string_view path);

// What a path's quota begins with: the znode and all below it; nothing when it does not exist.
// Takes the znodes it counts off `countable`; nullopt when there are more.
std::optional<Usage> CountUsage(const Tree& tree, std::string_view quota, size_t& countable);

// The text of a usage.
SharedBytes UsageText(const Usage& usage);
// The text of a usage after a change; nullopt when it was none.
std::optional<SharedBytes> AddUsage(const SharedBytes& text, const Usage& change);

}  // namespace bellwether::coord::tree
