#include "tests/sim/check_zk_reads.h"

#include <algorithm>
#include <string>
#include <vector>

namespace bellwether::sim {
namespace {

using coord::zk::wire::Opcode;
using coord::zk::wire::ZkError;

bool IsRead(Opcode opcode) {
  return opcode == Opcode::kGetData || opcode == Opcode::kExists ||
         opcode == Opcode::kGetChildren2 || opcode == Opcode::kGetAcl ||
         opcode == Opcode::kGetAllChildrenNumber;
}

ZkError ErrorExpected(const ZkOperation& operation, const Model::Snapshot* snapshot) {
  if (snapshot == nullptr) return ZkError::kNoNode;
  uint32_t any_of = coord::tree::kRead;
  if (operation.opcode == Opcode::kGetAcl) any_of |= coord::tree::kAdmin;
  return coord::tree::Allows(snapshot->access, any_of, operation.identities) ? ZkError::kOk
                                                                              : ZkError::kNoAuth;
}

bool SameAcl(const ZkOperation& operation, const Model::Snapshot& snapshot) {
  const coord::tree::Acl& acl = coord::tree::AclOf(snapshot.access);
  const bool all =
      coord::tree::Allows(snapshot.access, coord::tree::kAdmin, operation.identities);
  return operation.acl == (all ? acl : coord::tree::MaskedAcl(acl));
}

bool SameBody(const ZkOperation& operation, const Model::Snapshot& snapshot, const Model& model) {
  if (operation.opcode == Opcode::kGetAllChildrenNumber) {
    const size_t below = model.Subtree(operation.path, operation.zxid).size() - 1;
    return operation.count == static_cast<int32_t>(below);
  }
  if (operation.stat != snapshot.stat) return false;
  if (operation.opcode == Opcode::kGetData) return operation.bytes == snapshot.data;
  if (operation.opcode == Opcode::kGetAcl) return SameAcl(operation, snapshot);
  if (operation.opcode != Opcode::kGetChildren2) return true;
  std::vector<std::string> names = operation.names;
  std::sort(names.begin(), names.end());
  return names == snapshot.children;
}

}  // namespace

void CheckZkReads(const History& history, const Model& model, Violations& violations) {
  for (const ZkOperation& operation : history.zk_operations) {
    if (!operation.answered()) continue;
    if (operation.opcode == Opcode::kSync && !operation.read_only &&
        operation.zxid < operation.floor) {
      violations.Add("zk sync", "{} is of zxid {}, but {} was applied before it was asked for",
                     Describe(operation), operation.zxid, operation.floor);
    }
    if (!IsRead(operation.opcode)) continue;
    const Model::Snapshot* const snapshot = model.At(operation.path, operation.zxid);
    const ZkError expected = ErrorExpected(operation, snapshot);
    if (operation.error == expected &&
        (expected != ZkError::kOk || SameBody(operation, *snapshot, model))) {
      continue;
    }
    violations.Add("zk reads", "{} was not answered ({}) with the state of zxid {}",
                   Describe(operation), static_cast<int32_t>(operation.error), operation.zxid);
  }
}

}  // namespace bellwether::sim
