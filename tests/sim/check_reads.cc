#include "tests/sim/check_reads.h"

#include <string>
#include <vector>

#include "coord/tree/system_znodes.h"
#include "tests/sim/zk_users.h"

namespace bellwether::sim {
namespace {

using Outcome = Operation::Outcome;

// Whether the answer is what the model says; null: no such znode.
bool Matches(const client::GetResult& result, const Model::Snapshot* snapshot) {
  return snapshot != nullptr && result.data == snapshot->data &&
         ToTree(result.stat) == snapshot->stat;
}

bool Matches(const client::StatResult& result, const Model::Snapshot* snapshot) {
  return snapshot != nullptr && ToTree(result.stat) == snapshot->stat;
}

bool Matches(const client::ListResult& result, const Model::Snapshot* snapshot) {
  return snapshot != nullptr && ToTree(result.stat) == snapshot->stat;
}

bool ListMatches(const Operation& operation, const client::ListResult& result,
                 const Model& model) {
  const Model::Snapshot* const snapshot = model.At(operation.path, operation.zxid);
  if (!Matches(result, snapshot)) return false;
  // Lists of the root leave it out.
  const std::string_view hidden = operation.path == "/" ? coord::tree::kSystemPath : "";
  if (!operation.recursive) {
    std::vector<std::string> names = snapshot->children;
    std::erase_if(names, [hidden](const std::string& name) { return "/" + name == hidden; });
    return result.names == names;
  }
  std::vector<std::string> paths;
  for (const auto& [path, unused] : model.Subtree(operation.path, operation.zxid)) {
    if (IsPrivate(path) || (!hidden.empty() && IsWithin(path, hidden))) continue;
    paths.push_back(path);
  }
  std::vector<std::string> names = result.names;
  std::erase_if(names, [](const std::string& path) { return IsPrivate(path); });
  return names == paths;
}

bool AnswerMatches(const Operation& operation, const Model& model) {
  const Model::Snapshot* const snapshot = model.At(operation.path, operation.zxid);
  if (const auto* get = std::get_if<client::GetResult>(&operation.result)) {
    return Matches(*get, snapshot);
  }
  if (const auto* stat = std::get_if<client::StatResult>(&operation.result)) {
    return Matches(*stat, snapshot);
  }
  if (const auto* list = std::get_if<client::ListResult>(&operation.result)) {
    return ListMatches(operation, *list, model);
  }
  return true;  // a sync evaluates nothing
}

}  // namespace

void CheckReads(const History& history, const Model& model, Violations& violations) {
  for (const Operation& operation : history.operations) {
    if (operation.is_write()) continue;
    const Zxid floor = operation.stale_ok ? Zxid() : operation.floor;
    if (operation.outcome == Outcome::kRejected && operation.reason == "no_node" &&
        !model.WasMissing(operation.path, floor, operation.ceiling)) {
      violations.Add("linearizability",
                     "{} found nothing, but it existed all through zxids {} to {}",
                     Describe(operation), floor, operation.ceiling);
    }
    if (operation.outcome != Outcome::kOk) continue;
    if (operation.zxid < floor) {
      violations.Add("linearizability",
                     "{} is of zxid {}, but {} was applied before it was asked for",
                     Describe(operation), operation.zxid, floor);
    }
    if (operation.zxid > operation.ceiling) {
      violations.Add("linearizability", "{} is of zxid {}, no server had applied more than {}",
                     Describe(operation), operation.zxid, operation.ceiling);
    } else if (!AnswerMatches(operation, model)) {
      violations.Add("linearizability", "{} was not answered with the state of zxid {}",
                     Describe(operation), operation.zxid);
    }
  }
}

}  // namespace bellwether::sim
