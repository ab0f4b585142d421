#include "tests/sim/check_access.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <variant>

namespace bellwether::sim {
namespace {

using coord::tree::Acl;
using coord::tree::Identity;
using coord::tree::ResultCode;

// The znode that is asked and the permission that it must give.
struct Demand {
  std::string_view path;
  uint32_t permission = 0;  // 0: none
};

struct DemandOf {
  Demand operator()(const coord::tree::Create& create) const {
    return {ParentOf(create.path), coord::tree::kCreate};
  }
  Demand operator()(const coord::tree::SetData& set) const {
    return {set.path, coord::tree::kWrite};
  }
  Demand operator()(const coord::tree::Delete& one) const {
    return {ParentOf(one.path), coord::tree::kDelete};
  }
  Demand operator()(const coord::tree::DeleteRecursive& all) const {
    return {ParentOf(all.path), coord::tree::kDelete};
  }
  Demand operator()(const coord::tree::SetAcl& set) const {
    return {set.path, coord::tree::kAdmin};
  }
  Demand operator()(const coord::tree::Check& check) const {
    return {check.path, coord::tree::kRead};
  }
  template <typename Other>
  Demand operator()(const Other&) const {
    return {};
  }
};

class AccessChecker {
 public:
  AccessChecker(const Model& model, Violations& violations)
      : model_(model), violations_(violations) {}

  void Follow(const Model::Applied& applied) {
    if (applied.result.repeated) return;
    const coord::tree::Command& command = applied.command.command;
    if (const auto* transaction = std::get_if<coord::tree::Transaction>(&command.operation)) {
      return FollowTransaction(*transaction, applied);
    }
    const Demand demand = std::visit(DemandOf(), command.operation);
    if (applied.result.code == ResultCode::kOk) {
      Expect(true, demand, applied);
    } else if (applied.result.code == ResultCode::kNoAuth &&
               !std::holds_alternative<coord::tree::DeleteRecursive>(command.operation)) {
      Expect(false, demand, applied);
    }
  }

 private:
  // Of znodes that nothing before in the transaction has made or replaced.
  void FollowTransaction(const coord::tree::Transaction& transaction,
                         const Model::Applied& applied) {
    if (applied.result.code != ResultCode::kOk) return;
    std::set<std::string_view> replaced;
    for (const auto& operation : transaction.operations) {
      const Demand demand = std::visit(DemandOf(), operation);
      if (!replaced.contains(demand.path)) Expect(true, demand, applied);
      if (const auto* create = std::get_if<coord::tree::Create>(&operation)) {
        replaced.insert(create->path);
      }
    }
  }

  void Expect(bool permitted, const Demand& demand, const Model::Applied& applied) {
    if (demand.permission == 0) return;
    const Model::Snapshot* const before = model_.At(demand.path, applied.zxid - 1);
    if (before == nullptr || !before->access) {
      if (permitted) return;
    } else if (Gives(before->access->acl, demand.permission, applied.command.command.identities) ==
               permitted) {
      return;
    }
    violations_.Add("access", "the command of zxid {} of session {:#x} was {}, the ACL of {} {}",
                    applied.zxid, applied.command.command.session.value(),
                    permitted ? "done" : "refused", demand.path,
                    permitted ? "does not permit it" : "permits it");
  }

  // As the rule says, apart from the product: the only prefix of addresses is 10.0.0.0/30.
  static bool Gives(const Acl& acl, uint32_t permission, const coord::tree::Identities& who) {
    const auto is_super = [](const Identity& identity) { return identity.scheme == "super"; };
    if (std::any_of(who.begin(), who.end(), is_super)) return true;
    return std::any_of(acl.begin(), acl.end(), [&](const coord::tree::AclEntry& entry) {
      if ((entry.permissions & permission) == 0) return false;
      if (entry.scheme == "world") return true;
      return std::any_of(who.begin(), who.end(), [&entry](const Identity& identity) {
        if (identity.scheme != entry.scheme) return false;
        if (entry.scheme == "ip") return identity.id < "10.0.0.4";
        return identity.id == entry.id;
      });
    });
  }

  const Model& model_;
  Violations& violations_;
};

}  // namespace

void CheckAccess(const Model& model, Violations& violations) {
  AccessChecker checker(model, violations);
  for (const Model::Applied& applied : model.commands()) checker.Follow(applied);
}

}  // namespace bellwether::sim
