#include "coord/zk/wire/opcodes.h"

namespace bellwether::coord::zk::wire {

bool IsRequestable(int32_t number) {
  switch (static_cast<Opcode>(number)) {
    case Opcode::kCreate:
    case Opcode::kDelete:
    case Opcode::kExists:
    case Opcode::kGetData:
    case Opcode::kSetData:
    case Opcode::kGetAcl:
    case Opcode::kSetAcl:
    case Opcode::kGetChildren:
    case Opcode::kSync:
    case Opcode::kPing:
    case Opcode::kGetChildren2:
    case Opcode::kMulti:
    case Opcode::kCreate2:
    case Opcode::kReconfig:
    case Opcode::kCheckWatches:
    case Opcode::kRemoveWatches:
    case Opcode::kCreateContainer:
    case Opcode::kCreateTtl:
    case Opcode::kMultiRead:
    case Opcode::kAuth:
    case Opcode::kSetWatches:
    case Opcode::kSasl:
    case Opcode::kGetEphemerals:
    case Opcode::kGetAllChildrenNumber:
    case Opcode::kSetWatches2:
    case Opcode::kAddWatch:
    case Opcode::kWhoAmI:
    case Opcode::kCloseSession:
      return true;
    case Opcode::kError:
    case Opcode::kNotification:
    case Opcode::kCheck:
    case Opcode::kDeleteContainer:
    case Opcode::kCreateSession:
      return false;
  }
  return false;
}

}  // namespace bellwether::coord::zk::wire
