#include "tests/sim/check_quotas.h"

#include <string>
#include <utility>
#include <variant>

#include "fmt/format.h"
#include "tests/sim/zk_users.h"

namespace bellwether::sim {

void QuotaChecker::Follow(const coord::tree::Operation& operation,
                          const coord::tree::StateMachine& tree, Violations& violations) {
  static const auto* const path =
      new std::string(fmt::format("/zookeeper/quota{}/zookeeper_stats", kQuotaedPath));
  const coord::tree::Znode* const usage = tree.FindZnode(*path);
  if (usage == nullptr) return;
  uint64_t count = 0;
  uint64_t bytes = 0;
  tree.Subtree(kQuotaedPath, [&](const coord::tree::ZnodeVisit& visit) {
    ++count;
    bytes += visit.data().size();
    return true;
  });
  const std::string counted = fmt::format("count={},bytes={}", count, bytes);
  if (usage->data.view() != counted) {
    violations.Add("quota", "at zxid {} the usage of {} is said to be {}; it is {}", tree.zxid(),
                   kQuotaedPath, usage->data.view(), counted);
  }
  const bool single = std::holds_alternative<coord::tree::Create>(operation) ||
                      std::holds_alternative<coord::tree::SetData>(operation);
  const bool more_count = count > std::exchange(count_, count);
  const bool more_bytes = bytes > std::exchange(bytes_, bytes);
  if (!std::exchange(known_, true) || !single) return;
  if ((more_count && count > kQuotaedCountMax) || (more_bytes && bytes > kQuotaedBytesMax)) {
    violations.Add("quota", "at zxid {} the usage of {} went beyond its limit: {}", tree.zxid(),
                   kQuotaedPath, counted);
  }
}

}  // namespace bellwether::sim
