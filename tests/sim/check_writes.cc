#include "tests/sim/check_writes.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace bellwether::sim {
namespace {

using coord::tree::ResultCode;
using coord::tree::SessionId;
using Outcome = Operation::Outcome;
using Kind = Operation::Kind;

// The command's code as clients are told.
std::string_view ReasonOf(ResultCode code) {
  switch (code) {
    case ResultCode::kNoNode:
      return "no_node";
    case ResultCode::kNodeExists:
      return "node_exists";
    case ResultCode::kBadVersion:
      return "bad_version";
    case ResultCode::kNotEmpty:
      return "not_empty";
    case ResultCode::kNoChildrenForEphemerals:
      return "no_children_for_ephemerals";
    case ResultCode::kBadArguments:
      return "bad_arguments";
    case ResultCode::kCompareFailed:
      return "compare_failed";
    default:
      return "";
  }
}

bool IsAnswerOfTheTree(const std::string& reason) {
  return !reason.empty() && reason != "session_expired" && reason != "session_moved" &&
         reason != "sequence_gap" && reason != "feature_level";
}

// kAlreadySet: it is so already.
bool SameEffects(const std::vector<client::ImportOutcome>& told,
                 const std::vector<coord::tree::OperationResult>& done) {
  return std::equal(told.begin(), told.end(), done.begin(), done.end(),
                    [](const client::ImportOutcome& outcome, const auto& result) {
                      const bool refused = result.code != ResultCode::kOk &&
                                           result.code != ResultCode::kAlreadySet;
                      return refused == (outcome.effect == client::ImportOutcome::Effect::kNone);
                    });
}

class WriteChecker {
 public:
  WriteChecker(const History& history, const Model& model, Violations& violations)
      : history_(history), model_(model), violations_(violations) {
    for (const Operation& operation : history.operations) sessions_.insert(operation.session);
    for (const Model::Applied& applied : model.commands()) {
      if (!WasAdmitted(applied.result)) continue;
      const std::string_view tag = TagOf(applied.command.command.operation);
      if (!tag.empty()) by_tag_[tag].push_back(&applied);
      CountDelete(applied);
    }
  }

  void Check() {
    for (const Operation& operation : history_.operations) {
      if (!operation.is_write()) continue;
      if (operation.outcome == Outcome::kOk) CheckAcknowledged(operation);
      if (!operation.tag.empty()) CheckTagged(operation);
    }
    CheckDeletes();
  }

 private:
  // Deletes carry nothing of their own: told apart by session and path only, and counted.
  struct DeleteKey {
    SessionId session;
    std::string path;
    bool recursive = false;
    friend auto operator<=>(const DeleteKey&, const DeleteKey&) = default;
  };
  struct DeleteCount {
    uint64_t done = 0;
    uint64_t acknowledged = 0;
    uint64_t unknown = 0;
  };

  void CountDelete(const Model::Applied& applied) {
    if (applied.result.code != ResultCode::kOk) return;
    const coord::tree::Command& command = applied.command.command;
    if (!sessions_.contains(command.session)) return;  // of another kind of client
    if (const auto* one = std::get_if<coord::tree::Delete>(&command.operation)) {
      if (IsWithin(one->path, kRecipePath)) return;  // as the recipe sees fit
      ++deletes_[{command.session, one->path, false}].done;
    } else if (const auto* all = std::get_if<coord::tree::DeleteRecursive>(&command.operation)) {
      ++deletes_[{command.session, all->path, true}].done;
    }
  }

  void CheckDeletes() {
    for (const Operation& operation : history_.operations) {
      if (operation.kind != Kind::kDelete || operation.session == SessionId(0)) continue;
      DeleteCount& count = deletes_[{operation.session, operation.path, operation.recursive}];
      if (operation.outcome == Outcome::kOk) ++count.acknowledged;
      if (operation.outcome == Outcome::kUnknown || operation.outcome == Outcome::kPending) {
        ++count.unknown;
      }
    }
    for (const auto& [key, count] : deletes_) {
      if (count.done >= count.acknowledged && count.done <= count.acknowledged + count.unknown) {
        continue;
      }
      violations_.Add("outcome",
                      "session {:#x} deleted {} {} times; {} were acknowledged, {} are unknown",
                      key.session.value(), key.path, count.done, count.acknowledged, count.unknown);
    }
  }

  void CheckAcknowledged(const Operation& operation) {
    const Model::Applied* const found = model_.CommandAt(operation.zxid);
    if (found == nullptr) {
      violations_.Add("durability", "{} was acknowledged at zxid {}, the log ends at {}",
                      Describe(operation), operation.zxid, model_.newest());
      return;
    }
    const Model::Applied& applied = *found;
    const bool high_enough = operation.kind == Kind::kRaiseZxid &&
                             applied.result.code == ResultCode::kAlreadySet;
    if ((applied.result.code != ResultCode::kOk && !high_enough) ||
        applied.command.command.session != operation.session ||
        TagOf(applied.command.command.operation) != operation.tag) {
      violations_.Add("durability", "{} was acknowledged at zxid {}, which is another command",
                      Describe(operation), operation.zxid);
      return;
    }
    if (operation.zxid <= operation.floor) {
      violations_.Add("linearizability",
                      "{} has zxid {}, but {} was applied before it was asked for",
                      Describe(operation), operation.zxid, operation.floor);
    }
    CheckResult(operation, applied);
  }

  void CheckResult(const Operation& operation, const Model::Applied& applied) {
    bool same = true;
    if (const auto* created = std::get_if<client::CreateResult>(&operation.result)) {
      same = created->path == applied.result.path && ToTree(created->stat) == applied.result.stat;
    } else if (const auto* set = std::get_if<client::SetResult>(&operation.result)) {
      same = ToTree(set->stat) == applied.result.stat;
    } else if (const auto* deleted = std::get_if<client::DeleteResult>(&operation.result)) {
      same = deleted->deleted == applied.result.deleted_znodes;
    } else if (const auto* done = std::get_if<client::TransactionResult>(&operation.result)) {
      same = done->results.size() == applied.result.operations.size();
    } else if (const auto* imported = std::get_if<client::ImportResult>(&operation.result)) {
      same = SameEffects(imported->outcomes, applied.result.operations);
    }
    if (same) return;
    violations_.Add("linearizability", "{} was answered with another result than that of zxid {}",
                    Describe(operation), operation.zxid);
  }

  void CheckTagged(const Operation& operation) {
    const auto found = by_tag_.find(operation.tag);
    const size_t times = found == by_tag_.end() ? 0 : found->second.size();
    if (times > 1) {
      violations_.Add("applied once", "{} was applied {} times, at zxids {} and {}",
                      Describe(operation), times, found->second[0]->zxid, found->second[1]->zxid);
      return;
    }
    if (operation.outcome != Outcome::kRejected) return;
    const ResultCode code = times == 0 ? ResultCode::kOk : found->second[0]->result.code;
    if (times == 1 && code == ResultCode::kOk) {
      violations_.Add("outcome", "{} was rejected ({}), but took effect at zxid {}",
                      Describe(operation), operation.reason, found->second[0]->zxid);
    } else if (IsAnswerOfTheTree(operation.reason) &&
               (times == 0 || ReasonOf(code) != operation.reason)) {
      violations_.Add("outcome", "{} was answered with {}, the log does not say so",
                      Describe(operation), operation.reason);
    }
  }

  const History& history_;
  const Model& model_;
  Violations& violations_;
  std::set<SessionId> sessions_;  // of all operations
  std::map<std::string_view, std::vector<const Model::Applied*>> by_tag_;
  std::map<DeleteKey, DeleteCount> deletes_;
};

}  // namespace

void CheckWrites(const History& history, const Model& model, Violations& violations) {
  WriteChecker(history, model, violations).Check();
}

}  // namespace bellwether::sim
