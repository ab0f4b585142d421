#include "coord/tree/command.h"

#include <algorithm>

namespace bellwether::coord::tree {

uint32_t FeatureLevelOf(const Create& operation) {
  switch (operation.mode) {
    case CreateMode::kContainer:
    case CreateMode::kPersistentWithTtl:
    case CreateMode::kPersistentSequentialWithTtl:
      return kFeatureLevelAcls;
    case CreateMode::kPersistent:
    case CreateMode::kEphemeral:
    case CreateMode::kPersistentSequential:
    case CreateMode::kEphemeralSequential:
      break;
  }
  const bool is_first = !operation.acl.has_value() && operation.ttl_ms == 0;
  return is_first ? kFeatureLevelFirst : kFeatureLevelAcls;
}

uint32_t FeatureLevelOf(const Transaction& operation) {
  uint32_t level = kFeatureLevelFirst;
  for (const TransactionOperation& each : operation.operations) {
    level = std::max(
        level, std::visit([](const auto& change) { return FeatureLevelOf(change); }, each));
  }
  return level;
}

uint32_t FeatureLevelOf(const Operation& operation) {
  return std::visit([](const auto& each) { return FeatureLevelOf(each); }, operation);
}

uint32_t FeatureLevelOf(const Command& command) {
  const uint32_t level = FeatureLevelOf(command.operation);
  return command.identities.empty() ? level : std::max(level, kFeatureLevelAcls);
}

}  // namespace bellwether::coord::tree
