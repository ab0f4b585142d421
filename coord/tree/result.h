#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coord/tree/acl.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// The outcome of a command or of one operation of a transaction: the same on every replica. Bytes in
// snapshots: never renumbered.
enum class ResultCode : uint8_t {
  kOk = 0,
  kNoNode,                   // the znode, or a new one's parent, does not exist
  kNodeExists,
  kBadVersion,               // the expected version is not the znode's
  kNotEmpty,                 // it has children
  kNoChildrenForEphemerals,  // the parent is ephemeral
  kBadArguments,             // path, create mode, timeout or id is not valid
  kTooLarge,                 // beyond a limit of types.h
  kSessionExpired,           // no such session (any more), or a wrong password
  kStaleGeneration,          // the session was attached elsewhere since
  kSequenceGap,              // not the session's next command
  kCompareFailed,            // a compare of the transaction did not hold
  kRolledBack,               // of an operation before the failed one of its transaction
  kNotAttempted,             // of an operation after the failed one of its transaction
  kAlreadySet,               // the ensemble has an id, or that feature level; it is so already
  kNoAuth,                   // an ACL does not permit it
  kInvalidAcl,               // see FixUpAcl
  kQuotaExceeded,            // a hard limit of /zookeeper/quota
  kNotExpired,               // of DeleteExpired: the znode has to stay
  kResultForgotten,          // sent again after its result was dropped or acknowledged: unknown
  kSequenceReused,           // another operation had that sequence; this one was not done
};

// A sentence fragment for people: "no such znode".
std::string_view ResultText(ResultCode code);

// What one operation did.
struct OperationResult {
  ResultCode code = ResultCode::kOk;
  std::string path;         // created: with its sequence number; else empty
  std::optional<Stat> stat;  // created or changed: the znode's after it
};

// What a client needs to go on with its session.
struct SessionGrant {
  SessionId session;
  SessionGeneration generation;
  CommandSequence last_sequence;  // every command up to it was applied, none after it
  int64_t timeout_ms = 0;
  SessionPassword password;
};

// What became of a command.
struct Result {
  ResultCode code = ResultCode::kOk;
  Zxid zxid;                 // of the command itself
  std::string path;          // Create: with its sequence number
  std::optional<Stat> stat;  // Create, SetData, SetAcl: the znode's after it
  // Delete, DeleteRecursive, DeleteExpired, CloseSession, ExpireSession
  uint32_t deleted_znodes = 0;
  // Transaction: one for each operation; empty when a compare failed. Of a failed one: kRolledBack
  // before `failed_index`, the error there, kNotAttempted after it (Z22). Import: one for each
  // znode, without a Stat; its own code is kOk whatever they are.
  std::vector<OperationResult> operations;
  // Transaction that failed: the position among its operations, or among its compares when the
  // code is kCompareFailed.
  std::optional<uint32_t> failed_index;
  std::optional<SessionGrant> session;  // CreateSession, AttachSession
  // The command had been applied before; all of this is of then, the zxid included.
  bool repeated = false;
};

// One change of the tree, as watches see it.
struct Change {
  enum class Type : uint8_t {
    kCreated,   // the znode `path`
    kChanged,   // its data
    kDeleted,
    kChildren,  // a child of `path` was created or deleted
  };

  Type type = Type::kCreated;
  Zxid zxid;         // of the command
  std::string path;
  Stat stat;         // after the change; of a deleted znode: its last
  SharedBytes data;  // kCreated, kChanged: the znode's; else null
  AclPtr access;     // of `path` after the change, of a deleted znode its last: who may know (Z32)
};

// Changes are in the order in which they happened; a ZooKeeper frontend that walks them and, for
// kDeleted, looks into its data table and then its child table, notifies in the order of Z27. A
// creation or deletion is followed by the parent's kChildren. What a session's end deletes comes
// in the order of the paths' bytes; what DeleteRecursive deletes comes descendants first, and only
// the topmost znode's parent gets kChildren.
struct ApplyOutcome {
  Result result;
  std::vector<Change> changes;
};

}  // namespace bellwether::coord::tree
