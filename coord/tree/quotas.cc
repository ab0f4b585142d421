#include "coord/tree/quotas.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <system_error>
#include <utility>

#include "coord/tree/path.h"
#include "coord/tree/system_znodes.h"
#include "fmt/format.h"

namespace bellwether::coord::tree {
namespace {

constexpr std::string_view kLimitsName = "zookeeper_limits";
constexpr std::string_view kUsageName = "zookeeper_stats";
constexpr std::string_view kCount = "count";
constexpr std::string_view kBytes = "bytes";
constexpr std::string_view kCountHardLimit = "countHardLimit";
constexpr std::string_view kBytesHardLimit = "byteHardLimit";
constexpr int64_t kUnset = -1;
// ZooKeeper sends its numbers through servers that know only the first two by this odd '='.
constexpr std::string_view kMoreFollow = "=";

// Wraps, as everything that counts does.
int64_t Sum(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

// A name and its value: "count=5", "bytes=7=", "bytes==" is none.
std::optional<std::pair<std::string_view, int64_t>> ParsePair(std::string_view pair) {
  const size_t equals = pair.find('=');
  if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
  const std::string_view rest = pair.substr(equals + 1);
  if (rest.find_first_not_of('=') == std::string_view::npos) return std::nullopt;
  const std::string_view number = rest.substr(0, rest.find('='));
  if (number.empty()) return std::pair(pair.substr(0, equals), kUnset);
  const std::optional<int64_t> value = ParseNumber(number);
  if (!value.has_value()) return std::nullopt;
  return std::pair(pair.substr(0, equals), *value);
}

// The znode of a quota that has that name.
const Znode* FindPart(const Tree& tree, std::string_view quota, std::string_view name) {
  return tree.Find(fmt::format("{}{}/{}", kQuotaPath, quota, name));
}

// The path of the quota to which a znode belongs as the part of that name; empty when it does not.
std::optional<std::string_view> QuotaOfPart(std::string_view path, std::string_view name) {
  if (!IsBelow(path, kQuotaPath)) return std::nullopt;
  const PathParts parts = *SplitPath(path);
  if (parts.name != name) return std::nullopt;
  return parts.parent.substr(kQuotaPath.size());
}

bool IsBeyond(int64_t usage, int64_t change, int64_t hard_limit) {
  return change != 0 && hard_limit > kUnset && Sum(usage, change) > hard_limit;
}

}  // namespace

size_t QuotaCountedZnodesMax(uint32_t feature_level) {
  return feature_level < kFeatureLevelRetries ? 10'000'000 : 200'000;
}

std::optional<QuotaNumbers> QuotaNumbers::Parse(const SharedBytes& text) {
  // Twice the bound leaves room for the numbers that are added to what somebody wrote.
  if (text.is_null() || text.size() > 2 * kQuotaTextBytesMax) return std::nullopt;
  constexpr std::string_view kSeparators = ",;";
  QuotaNumbers numbers;
  std::string_view rest = text.view();
  rest = rest.substr(0, rest.find_last_not_of(kSeparators) + 1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of(kSeparators), rest.size());
    const auto pair = ParsePair(rest.substr(0, end));
    if (!pair.has_value()) return std::nullopt;
    numbers.Set(pair->first, pair->second);
    rest.remove_prefix(std::min(rest.find_first_not_of(kSeparators, end), rest.size()));
  }
  return numbers;
}

int64_t QuotaNumbers::Get(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? kUnset : found->second;
}

void QuotaNumbers::Set(std::string_view name, int64_t value) {
  values_.insert_or_assign(std::string(name), value);
}

SharedBytes QuotaNumbers::Text() const {
  std::string text = fmt::format("{}={},{}={}", kCount, Get(kCount), kBytes, Get(kBytes));
  std::string_view before_first = kMoreFollow;
  for (const auto& [name, value] : values_) {
    if (name == kCount || name == kBytes) continue;
    text += std::exchange(before_first, std::string_view());
    text += fmt::format(";{}={}", name, value);
  }
  return SharedBytes::Copy(text);
}

bool IsValidQuota(std::string_view path, const SharedBytes& data) {
  std::optional<std::string_view> quota = QuotaOfPart(path, kLimitsName);
  if (!quota.has_value()) quota = QuotaOfPart(path, kUsageName);
  if (!quota.has_value()) return true;
  return !quota->empty() && data.size() <= kQuotaTextBytesMax &&
         QuotaNumbers::Parse(data).has_value();
}

bool HasQuotas(const Tree& tree) {
  const Znode* const quotas = tree.Find(kQuotaPath);
  return quotas != nullptr && quotas->num_children() > 0;
}

std::string_view QuotaOf(const Tree& tree, std::string_view path) {
  const Znode* znode = tree.Find(kQuotaPath);
  std::string_view quota;
  size_t end = 0;
  while (end < path.size()) {
    const size_t begin = end + 1;
    end = std::min(path.find('/', begin), path.size());
    znode = znode == nullptr ? nullptr : znode->Child(path.substr(begin, end - begin));
    if (znode == nullptr) break;
    if (znode->Child(kLimitsName) != nullptr) quota = path.substr(0, end);
  }
  return quota;
}

bool ExceedsQuota(const Tree& tree, std::string_view path, const Usage& change) {
  const std::string_view quota = QuotaOf(tree, path);
  if (quota.empty()) return false;
  const auto limits = QuotaNumbers::Parse(FindPart(tree, quota, kLimitsName)->data);
  const Znode* const counted = FindPart(tree, quota, kUsageName);
  if (!limits.has_value() || counted == nullptr) return false;
  const auto usage = QuotaNumbers::Parse(counted->data);
  if (!usage.has_value()) return false;
  return IsBeyond(usage->Get(kCount), change.count, limits->Get(kCountHardLimit)) ||
         IsBeyond(usage->Get(kBytes), change.bytes, limits->Get(kBytesHardLimit));
}

std::string UsagePath(std::string_view quota) {
  return fmt::format("{}{}/{}", kQuotaPath, quota, kUsageName);
}

std::string_view QuotaOfUsage(std::string_view path) {
  return QuotaOfPart(path, kUsageName).value_or(std::string_view());
}

std::optional<Usage> CountUsage(const Tree& tree, std::string_view quota, size_t& countable) {
  Usage usage;
  bool all = true;
  tree.Walk(quota, [&](const ZnodeVisit& visit) {
    all = countable > 0;
    if (!all) return false;
    --countable;
    ++usage.count;
    usage.bytes += static_cast<int64_t>(visit.data().size());
    return true;
  });
  if (!all) return std::nullopt;
  return usage;
}

SharedBytes UsageText(const Usage& usage) {
  QuotaNumbers numbers;
  numbers.Set(kCount, usage.count);
  numbers.Set(kBytes, usage.bytes);
  return numbers.Text();
}

std::optional<SharedBytes> AddUsage(const SharedBytes& text, const Usage& change) {
  std::optional<QuotaNumbers> numbers = QuotaNumbers::Parse(text);
  if (!numbers.has_value()) return std::nullopt;
  numbers->Set(kCount, Sum(numbers->Get(kCount), change.count));
  numbers->Set(kBytes, Sum(numbers->Get(kBytes), change.bytes));
  return numbers->Text();
}

}  // namespace bellwether::coord::tree
