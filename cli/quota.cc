#include "cli/quota.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "client/errors.h"
#include "coord/tree/quotas.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

using coord::tree::QuotaNumbers;
using coord::tree::SharedBytes;

constexpr char kQuotas[] = "/zookeeper/quota";
constexpr std::string_view kLimitsName = "/zookeeper_limits";

std::string LimitsPath(std::string_view path) {
  return fmt::format("{}{}{}", kQuotas, path, kLimitsName);
}

// "/a" and "/a/b" of "/a/b/c".
std::vector<std::string> AncestorsOf(const std::string& path) {
  std::vector<std::string> ancestors;
  for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    ancestors.push_back(path.substr(0, end));
  }
  return ancestors;
}

std::string TextWith(QuotaNumbers numbers, const QuotaLimits& limits) {
  const auto set = [&numbers](std::string_view name, const std::optional<int64_t>& limit) {
    numbers.Set(name, limit.value_or(numbers.Get(name)));
  };
  set("count", limits.count);
  set("bytes", limits.bytes);
  set("countHardLimit", limits.count_hard);
  set("byteHardLimit", limits.bytes_hard);
  return std::string(numbers.Text().view());
}

absl::Status Nested(const std::string& path, std::string_view other) {
  return absl::FailedPreconditionError(fmt::format(
      "quota of {}: {} has one, and quotas can't be nested; delete that one first", path, other));
}

// As zkCli does it: what others set at the same moment is seen above (by compares of the
// transaction that makes the quota) and may be missed below.
absl::Status CheckNotNested(client::Coord& coord, const std::string& path) {
  for (const std::string& ancestor : AncestorsOf(path)) {
    const absl::Status found = coord.GetStat(LimitsPath(ancestor)).status();
    if (found.ok()) return Nested(path, ancestor);
    if (!absl::IsNotFound(found)) return found;
  }
  const std::string below = kQuotas + path;
  const auto listed = coord.List(below, /*recursive=*/true);
  if (absl::IsNotFound(listed.status())) return absl::OkStatus();
  RETURN_IF_ERROR(listed.status());
  for (const std::string& name : listed->names) {
    if (!name.ends_with(kLimitsName) || name.size() == below.size() + kLimitsName.size()) continue;
    return Nested(path, std::string_view(name).substr(
                            sizeof(kQuotas) - 1,
                            name.size() - (sizeof(kQuotas) - 1) - kLimitsName.size()));
  }
  return absl::OkStatus();
}

absl::Status CreateQuota(client::Coord& coord, const std::string& path, std::string limits) {
  client::Transaction transaction;
  std::vector<std::string> folders = AncestorsOf(path);
  for (const std::string& ancestor : folders) {
    transaction.compares.push_back({.path = LimitsPath(ancestor), .exists = false});
  }
  folders.push_back(path);
  for (const std::string& folder : folders) {
    const absl::Status made = coord.Create(kQuotas + folder, std::nullopt).status();
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  }
  transaction.operations.push_back(
      client::CreateOperation{.path = LimitsPath(path), .data = std::move(limits)});
  // The servers count what there is.
  transaction.operations.push_back(client::CreateOperation{
      .path = coord::tree::UsagePath(path), .data = std::string("count=0,bytes=0")});
  return coord.Commit(std::move(transaction)).status();
}

absl::Status NoQuota(const std::string& path) {
  return absl::NotFoundError(fmt::format("{} has no quota; set one first", path));
}

}  // namespace

absl::Status SetQuota(client::Coord& coord, const std::string& path, const QuotaLimits& limits) {
  if (path == "/" || path == "/zookeeper" || path.starts_with("/zookeeper/")) {
    return absl::InvalidArgumentError(
        fmt::format("quota of {}: it can't have one; choose a znode of your own", path));
  }
  RETURN_IF_ERROR(coord.GetStat(path).status());
  const auto present = coord.Get(LimitsPath(path));
  if (absl::IsNotFound(present.status())) {
    RETURN_IF_ERROR(CheckNotNested(coord, path));
    return CreateQuota(coord, path, TextWith(QuotaNumbers(), limits));
  }
  RETURN_IF_ERROR(present.status());
  const auto numbers = QuotaNumbers::Parse(SharedBytes::Copy(present->data.value_or("")));
  if (!numbers.has_value()) {
    return absl::DataLossError(fmt::format(
        "quota of {}: {} is no quota's text; delete the quota and set it again", path,
        LimitsPath(path)));
  }
  return coord.Set(LimitsPath(path), TextWith(*numbers, limits), present->stat.version).status();
}

absl::StatusOr<QuotaTexts> ReadQuota(client::Coord& coord, const std::string& path) {
  const auto limits = coord.Get(LimitsPath(path));
  if (absl::IsNotFound(limits.status())) return NoQuota(path);
  RETURN_IF_ERROR(limits.status());
  ASSIGN_OR_RETURN(const client::GetResult usage, coord.Get(coord::tree::UsagePath(path)));
  return QuotaTexts{limits->data.value_or(""), usage.data.value_or("")};
}

absl::Status DeleteQuota(client::Coord& coord, const std::string& path) {
  client::Transaction transaction;
  transaction.operations.push_back(client::DeleteOperation{.path = LimitsPath(path)});
  transaction.operations.push_back(client::DeleteOperation{.path = coord::tree::UsagePath(path)});
  const absl::Status deleted = coord.Commit(std::move(transaction)).status();
  if (absl::IsNotFound(deleted)) return NoQuota(path);
  RETURN_IF_ERROR(deleted);
  std::vector<std::string> folders = AncestorsOf(path);
  folders.push_back(path);
  while (!folders.empty()) {  // those that are empty now
    const absl::Status removed = coord.Delete(kQuotas + folders.back()).status();
    if (client::ReasonOf(removed) == "not_empty" || absl::IsNotFound(removed)) break;
    RETURN_IF_ERROR(removed);
    folders.pop_back();
  }
  return absl::OkStatus();
}

}  // namespace bellwether::cli
