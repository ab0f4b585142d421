#include "tests/sim/check_session_order.h"

#include <map>
#include <set>
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

// Reads that were lost with their connection are sent again and may see writes called after them. So a
// write that was applied before, and asked for its result again, comes behind writes only.
void CheckOrderOfAnswers(const History& history, const Model& model, Violations& violations) {
  std::set<Zxid> repeated;
  for (const Model::Applied& applied : model.commands()) {
    if (applied.result.repeated) repeated.insert(applied.result.zxid);
  }
  struct Last {
    const Operation* any = nullptr;  // of the highest zxid
    const Operation* write = nullptr;
    uint64_t answered = 0;
  };
  std::map<uint64_t, Last> lasts;
  for (const Operation& operation : history.operations) {
    if (operation.outcome != Outcome::kOk) continue;
    Last& last = lasts[operation.client];
    const bool behind_writes = operation.is_write() && repeated.contains(operation.zxid);
    const Operation* const before = behind_writes ? last.write : last.any;
    if (before != nullptr) {
      const bool in_order = operation.is_write() ? operation.zxid > before->zxid
                                                 : operation.zxid >= before->zxid;
      if (!in_order) {
        violations.Add("session order", "{} has zxid {}, {} before it has {}", Describe(operation),
                       operation.zxid, Describe(*before), before->zxid);
      }
    }
    if (operation.paged) continue;
    if (operation.answered < last.answered) {
      violations.Add("session order", "{} was answered before one that was asked for earlier",
                     Describe(operation));
    }
    last.answered = operation.answered;
    if (operation.is_write()) last.write = &operation;
    if (last.any == nullptr || operation.zxid >= last.any->zxid) last.any = &operation;
  }
}

}  // namespace

void CheckSessionOrder(const History& history, const Model& model, Violations& violations) {
  CheckOrderOfEffects(history, model, violations);
  CheckOrderOfAnswers(history, model, violations);
}

}  // namespace bellwether::sim
