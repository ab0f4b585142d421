#include "coord/tree/result.h"

namespace bellwether::coord::tree {

std::string_view ResultText(ResultCode code) {
  switch (code) {
    case ResultCode::kOk:
      return "ok";
    case ResultCode::kNoNode:
      return "no such znode";
    case ResultCode::kNodeExists:
      return "the znode exists";
    case ResultCode::kBadVersion:
      return "the znode has another version";
    case ResultCode::kNotEmpty:
      return "the znode has children";
    case ResultCode::kNoChildrenForEphemerals:
      return "an ephemeral znode can't have children";
    case ResultCode::kBadArguments:
      return "an argument is not valid";
    case ResultCode::kTooLarge:
      return "beyond a size limit";
    case ResultCode::kSessionExpired:
      return "no such session, or a wrong password";
    case ResultCode::kStaleGeneration:
      return "the session was attached through another connection";
    case ResultCode::kSequenceGap:
      return "not the session's next command";
    case ResultCode::kCompareFailed:
      return "a compare of the transaction did not hold";
    case ResultCode::kRolledBack:
      return "rolled back with its transaction";
    case ResultCode::kNotAttempted:
      return "not attempted after an earlier failure";
    case ResultCode::kAlreadySet:
      return "already set";
    case ResultCode::kNoAuth:
      return "not permitted by the ACL";
    case ResultCode::kInvalidAcl:
      return "the ACL is not valid";
    case ResultCode::kQuotaExceeded:
      return "beyond a quota";
    case ResultCode::kNotExpired:
      return "not expired";
    case ResultCode::kResultForgotten:
      return "it was applied before, and its result is not kept any more";
    case ResultCode::kSequenceReused:
      return "another operation was sent with the same sequence before";
  }
  return "unknown result";
}

}  // namespace bellwether::coord::tree
