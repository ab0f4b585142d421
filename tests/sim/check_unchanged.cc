#include "tests/sim/check_unchanged.h"

#include <string>
#include <variant>

#include "coord/tree/system_znodes.h"

namespace bellwether::sim {
namespace {

using coord::tree::ResultCode;

// Of what was remembered when it changed, and of what is there now.
bool Same(const Model::Snapshot* known, const coord::tree::StateMachine& tree,
          const std::string& path) {
  const auto now = tree.Get(path);
  if (known == nullptr || !now.has_value()) return known == nullptr && !now.has_value();
  return known->stat == now->stat && known->data.has_value() != now->data.is_null() &&
         known->data.value_or("") == now->data.view() &&
         coord::tree::SameAccess(known->access, tree.AccessOf(path)) &&
         known->ttl_ms == tree.TtlOf(path);
}

}  // namespace

void CheckUnchanged(const Model::Applied& applied, const Model& model, Violations& violations) {
  const auto* transaction =
      std::get_if<coord::tree::Transaction>(&applied.command.command.operation);
  if (transaction == nullptr || applied.result.code == ResultCode::kOk) return;
  for (const auto& operation : transaction->operations) {
    const std::string& path =
        std::visit([](const auto& each) -> const std::string& { return each.path; }, operation);
    if (IsWithin(path, coord::tree::kQuotaPath)) continue;  // what it counts changes unseen
    if (Same(model.Newest(path), model.tree(), path)) continue;
    violations.Add("rollback", "the transaction of zxid {} failed and left {} changed",
                   applied.zxid, path);
  }
}

}  // namespace bellwether::sim
