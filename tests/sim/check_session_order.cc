#include "tests/sim/check_session_order.h"

#include <map>
#include <string_view>

namespace bellwether::sim {
namespace {

using coord::tree::SessionId;
using Outcome = Operation::Outcome;

void CheckOrderOfEffects(const History& history, const Model& model, Violations& violations) {
  std::map<std::string_view, const Operation*> by_tag;
  for (const Operation& operation : history.operations) {
    if (!operation.tag.empty()) by_tag[operation.tag] = &operation;
  }
  std::map<SessionId, const Operation*> last;
  for (const Model::Applied& applied : model.commands()) {
    if (!WasAdmitted(applied.result)) continue;
    const auto found = by_tag.find(TagOf(applied.command.command.operation));
    if (found == by_tag.end()) continue;
    const Operation*& before = last[applied.command.command.session];
    if (before != nullptr && before->number >= found->second->number) {
      violations.Add("session order", "{} took effect at zxid {}, after {}",
                     Describe(*found->second), applied.zxid, Describe(*before));
    }
    before = found->second;
  }
}

}  // namespace

void CheckSessionOrder(const History& history, const Model& model, Violations& violations) {
  CheckOrderOfEffects(history, model, violations);
  std::map<uint64_t, const Operation*> last;
  for (const Operation& operation : history.operations) {
    if (operation.outcome != Outcome::kOk) continue;
    const Operation*& before = last[operation.client];
    if (before != nullptr) {
      const bool in_order = operation.is_write() ? operation.zxid > before->zxid
                                                 : operation.zxid >= before->zxid;
      if (!in_order) {
        violations.Add("session order", "{} has zxid {}, {} before it has {}", Describe(operation),
                       operation.zxid, Describe(*before), before->zxid);
      }
      if (operation.answered < before->answered) {
        violations.Add("session order", "{} was answered before {}", Describe(operation),
                       Describe(*before));
      }
    }
    before = &operation;
  }
}

}  // namespace bellwether::sim
