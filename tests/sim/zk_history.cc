#include "tests/sim/zk_history.h"

#include "fmt/format.h"

namespace bellwether::sim {
namespace {

using coord::zk::wire::Opcode;

const char* NameOf(Opcode opcode) {
  switch (opcode) {
    case Opcode::kCreate:
      return "create";
    case Opcode::kCreate2:
      return "create2";
    case Opcode::kCreateContainer:
      return "createContainer";
    case Opcode::kCreateTtl:
      return "createTTL";
    case Opcode::kDelete:
      return "delete";
    case Opcode::kSetData:
      return "setData";
    case Opcode::kSetAcl:
      return "setACL";
    case Opcode::kMulti:
      return "multi";
    case Opcode::kExists:
      return "exists";
    case Opcode::kGetData:
      return "getData";
    case Opcode::kGetChildren2:
      return "getChildren2";
    case Opcode::kGetAcl:
      return "getACL";
    case Opcode::kGetAllChildrenNumber:
      return "getAllChildrenNumber";
    case Opcode::kSync:
      return "sync";
    case Opcode::kSetWatches2:
      return "setWatches2";
    case Opcode::kAddWatch:
      return "addWatch";
    case Opcode::kRemoveWatches:
      return "removeWatches";
    case Opcode::kCheckWatches:
      return "checkWatches";
    case Opcode::kReconfig:
      return "reconfig";
    case Opcode::kCloseSession:
      return "closeSession";
    default:
      return "request";
  }
}

}  // namespace

std::string Describe(const ZkOperation& operation) {
  return fmt::format("client {} #{} {}{} {}", operation.client, operation.number,
                     NameOf(operation.opcode), operation.watch ? " watching" : "", operation.path);
}

}  // namespace bellwether::sim
