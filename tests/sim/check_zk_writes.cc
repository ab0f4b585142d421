#include "tests/sim/check_zk_writes.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "coord/zk/replies.h"

namespace bellwether::sim {
namespace {

using coord::tree::ResultCode;
using coord::zk::wire::Opcode;
using coord::zk::wire::ZkError;

class ZkWriteChecker {
 public:
  ZkWriteChecker(const History& history, const Model& model, Violations& violations)
      : history_(history), model_(model), violations_(violations) {
    for (const Model::Applied& applied : model.commands()) {
      if (!WasAdmitted(applied.result)) continue;
      const std::string_view tag = TagOf(applied.command.command.operation);
      if (!tag.empty()) by_tag_[tag].push_back(&applied);
    }
  }

  void Check() {
    for (const ZkOperation& operation : history_.zk_operations) {
      if (!operation.is_write()) continue;
      if (operation.answered()) CheckAnswered(operation);
      if (!operation.tag.empty()) CheckTagged(operation);
    }
  }

 private:
  struct Effects {
    Zxid newest;         // of the client's
    uint64_t connection = 0;
    bool ends = false;   // one of this connection had none: so must those behind it
  };

  // Z57
  void CheckRefused(const ZkOperation& operation) {
    const bool applied = !operation.tag.empty() && by_tag_.contains(operation.tag);
    if (operation.error == ZkError::kNotReadOnly && !applied) return;
    violations_.Add("zk read-only", "{} was answered {} by a server that is read-only{}",
                    Describe(operation), static_cast<int32_t>(operation.error),
                    applied ? ", and took effect" : "");
  }

  void CheckAnswered(const ZkOperation& operation) {
    if (operation.read_only) return CheckRefused(operation);
    const Model::Applied* const found = model_.CommandAt(operation.zxid);
    if (found == nullptr) {
      violations_.Add("zk durability", "{} was answered at zxid {}, the log ends at {}",
                      Describe(operation), operation.zxid, model_.newest());
      return;
    }
    const Model::Applied& applied = *found;
    const coord::tree::Command& command = applied.command.command;
    const auto* erase = std::get_if<coord::tree::Delete>(&command.operation);
    const bool same = operation.opcode == Opcode::kDelete
                          ? erase != nullptr && erase->path == operation.path
                          : TagOf(command.operation) == operation.tag || operation.tag.empty();
    if (!same || !WasAdmitted(applied.result) || command.session != operation.session) {
      violations_.Add("zk durability", "{} was answered at zxid {}, which is another command",
                      Describe(operation), operation.zxid);
      return;
    }
    if (operation.zxid <= operation.floor) {
      violations_.Add("zk linearizability",
                      "{} has zxid {}, but {} was applied before it was asked for",
                      Describe(operation), operation.zxid, operation.floor);
    }
    if (command.identities != operation.identities) {
      violations_.Add("zk identities", "{} took effect for another than who asked",
                      Describe(operation));
    }
    if (!SameOutcome(operation, applied.result)) {
      violations_.Add("zk linearizability", "{} was answered {}, which is not what zxid {} was",
                      Describe(operation), static_cast<int32_t>(operation.error), operation.zxid);
    }
  }

  static bool SameOutcome(const ZkOperation& operation, const coord::tree::Result& result) {
    const ZkError expected = coord::zk::ErrorOf(result.code);
    if (operation.opcode == Opcode::kMulti) {
      if (operation.error != ZkError::kOk) return false;  // Z22
      if (operation.results.size() != result.operations.size()) return false;
      for (size_t i = 0; i < operation.results.size(); ++i) {
        if (operation.results[i] != coord::zk::ErrorOf(result.operations[i].code)) return false;
      }
      return true;
    }
    if (operation.error != expected) return false;
    if (expected != ZkError::kOk) return true;
    if (operation.stat.has_value() && operation.stat != result.stat) return false;
    return operation.created.empty() || operation.created == result.path;
  }

  void CheckTagged(const ZkOperation& operation) {
    Effects& effects = effects_[operation.client];
    if (std::exchange(effects.connection, operation.connection) != operation.connection) {
      effects.ends = false;
    }
    const auto found = by_tag_.find(operation.tag);
    if (found == by_tag_.end()) {
      effects.ends = true;
      return;
    }
    if (found->second.size() > 1) {
      violations_.Add("zk applied once", "{} was applied at zxids {} and {}", Describe(operation),
                      found->second[0]->zxid, found->second[1]->zxid);
    }
    const Zxid zxid = found->second.front()->zxid;
    if (zxid < effects.newest || effects.ends) {
      violations_.Add("zk order", "{} took effect at zxid {}, {}", Describe(operation), zxid,
                      effects.ends ? "a request before it did not"
                                   : "before a request that was made earlier");
    }
    effects.newest = zxid;
  }

  const History& history_;
  const Model& model_;
  Violations& violations_;
  std::map<std::string_view, std::vector<const Model::Applied*>> by_tag_;
  std::map<uint64_t, Effects> effects_;  // by client; its operations come in order
};

}  // namespace

void CheckZkWrites(const History& history, const Model& model, Violations& violations) {
  ZkWriteChecker(history, model, violations).Check();
}

}  // namespace bellwether::sim
