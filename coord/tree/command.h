#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "coord/tree/acl.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// Opens a session at generation 1. While a session with this nonce lives, another creation raises
// its generation, as an attach does, and answers with that session, its own password included.
struct CreateSession {
  base::Uuid nonce;          // chosen by the client, random; not nil
  SessionPassword password;  // random, chosen by the server that proposes
  int64_t timeout_ms = 0;    // 1..kSessionTimeoutMsMax
  uint8_t server_id = 0;     // 1..kServerIdMax: the server that proposes

  friend bool operator==(const CreateSession&, const CreateSession&) = default;
};

// Moves a session to the server that proposes: raises its generation. An unknown session and a
// wrong password get the same kSessionExpired (Z39).
struct AttachSession {
  SessionId session;
  SessionPassword password;
  int64_t timeout_ms = 0;  // replaces the session's timeout (Z38); 1..kSessionTimeoutMsMax

  friend bool operator==(const AttachSession&, const AttachSession&) = default;
};

// Ends the command's session at its client's wish and deletes its ephemerals (Z44).
struct CloseSession {
  friend bool operator==(const CloseSession&, const CloseSession&) = default;
};

// Ends a session that was silent for too long. Without effect (kStaleGeneration) when the session
// was attached again since the leader decided.
struct ExpireSession {
  SessionId session;
  SessionGeneration generation;  // the one the leader saw

  friend bool operator==(const ExpireSession&, const ExpireSession&) = default;
};

struct Create {
  std::string path;  // a sequential one gets its ten digits appended (Z11, Z12)
  SharedBytes data;  // may be null
  CreateMode mode = CreateMode::kPersistent;
  std::optional<Acl> acl;  // as the client gave it: see FixUpAcl; none: an open one
  int64_t ttl_ms = 0;      // 1..kTtlMsMax in the modes with a TTL, otherwise 0

  friend bool operator==(const Create&, const Create&) = default;
};

struct SetData {
  std::string path;
  SharedBytes data;  // may be null
  int32_t expected_version = kAnyVersion;

  friend bool operator==(const SetData&, const SetData&) = default;
};

struct Delete {
  std::string path;
  int32_t expected_version = kAnyVersion;

  friend bool operator==(const Delete&, const Delete&) = default;
};

// Replaces a znode's ACL.
struct SetAcl {
  std::string path;
  Acl acl;                                  // as the client gave it: see FixUpAcl
  int32_t expected_version = kAnyVersion;  // compared with the aversion (Z19)

  friend bool operator==(const SetAcl&, const SetAcl&) = default;
};

// Holds when the znode's data has that version, and the client may read it (Z20). Only in a
// transaction, where it sees what the operations before it did.
struct Check {
  std::string path;
  int32_t expected_version = kAnyVersion;

  friend bool operator==(const Check&, const Check&) = default;
};

// Deletes a container or a znode with a TTL whose time has come (Z17); otherwise without effect
// (kNotExpired). The leader's own: no session's command, and ACLs don't matter to it.
struct DeleteExpired {
  std::string path;

  friend bool operator==(const DeleteExpired&, const DeleteExpired&) = default;
};

// Deletes a znode with everything below it, at most kRecursiveDeleteZnodesMax znodes. For "/":
// everything below it, never the root itself.
struct DeleteRecursive {
  std::string path;

  friend bool operator==(const DeleteRecursive&, const DeleteRecursive&) = default;
};

// A condition on the state before a transaction: the field equals the value. Any field but
// kExists of a znode that does not exist equals nothing.
struct Compare {
  enum class Field : uint8_t {
    kVersion = 0,
    kCzxid = 1,
    kMzxid = 2,
    kExists = 3,          // value 1: the znode exists; 0: it does not
    kEphemeralOwner = 4,  // value: the session id's bits; 0 = persistent
  };

  std::string path;
  Field field = Field::kVersion;
  int64_t value = 0;

  friend bool operator==(const Compare&, const Compare&) = default;
};

using TransactionOperation = std::variant<Create, SetData, Delete, Check>;

// All operations, in order, each seeing the earlier ones' effects (Z24), or none of them. First
// all compares must hold.
struct Transaction {
  std::vector<Compare> compares;
  std::vector<TransactionOperation> operations;

  friend bool operator==(const Transaction&, const Transaction&) = default;
};

// A znode as it is in another ensemble. Its zxids become those of the command that imports it.
struct ImportedZnode {
  std::string path;  // not below /zookeeper
  SharedBytes data;  // may be null
  std::optional<Acl> acl;  // kept as given, hashes included, so never with "auth"; none: an open one
  CreateMode mode = CreateMode::kPersistent;  // or kContainer or kPersistentWithTtl
  int64_t ttl_ms = 0;                         // 1..kTtlMsMax with a TTL, otherwise 0
  int64_t ctime_ms = 0;                       // both 0..kImportedTimeMsMax
  int64_t mtime_ms = 0;
  int32_t version = 0;
  int32_t aversion = 0;
  int32_t create_counter = 0;  // children ever created: its next sequence number (Z11)

  friend bool operator==(const ImportedZnode&, const ImportedZnode&) = default;
};

// Makes znodes as they are elsewhere, in their order, parents first. Unlike the operations of a
// transaction each is done or refused by itself, and the result says what became of it: see
// Edit::Apply. At most kTransactionItemsMax.
struct Import {
  std::vector<ImportedZnode> znodes;
  bool overwrite = false;  // those that exist become as given, instead of being refused

  friend bool operator==(const Import&, const Import&) = default;
};

// Makes the zxid at least this, which is at most kRaisedZxidMax, so that it never goes back for the
// clients of an ensemble that was imported. Needs kAdmin on the root. kAlreadySet when it is not
// lower already.
struct RaiseZxid {
  Zxid zxid;

  friend bool operator==(const RaiseZxid&, const RaiseZxid&) = default;
};

// Who is in the ensemble, for /zookeeper/config (Z53): the znode's data becomes `members` and a line
// with this command's zxid as the configuration's version. Without effect when it says so already
// (kAlreadySet), or was changed since the leader looked at it (kBadVersion). The leader's own.
struct SetEnsembleConfig {
  std::string members;  // a line for each server, as system_znodes.h says; may be empty
  int32_t expected_version = 0;  // of the znode; never kAnyVersion

  friend bool operator==(const SetEnsembleConfig&, const SetEnsembleConfig&) = default;
};

// Names the ensemble for good. The first one wins; a later one gets kAlreadySet.
struct SetEnsembleId {
  base::Uuid ensemble_id;  // not nil

  friend bool operator==(const SetEnsembleId&, const SetEnsembleId&) = default;
};

// Raises the ensemble's feature level for good: commands of that level may follow. A server that
// does not support it must not apply this. A level that is not above the present one gets
// kAlreadySet.
struct SetFeatureLevel {
  uint32_t level = 0;

  friend bool operator==(const SetFeatureLevel&, const SetFeatureLevel&) = default;
};

using Operation = std::variant<CreateSession, AttachSession, CloseSession, ExpireSession, Create,
                               SetData, Delete, DeleteRecursive, Transaction, SetEnsembleId,
                               SetFeatureLevel, SetAcl, DeleteExpired, Import, RaiseZxid,
                               SetEnsembleConfig>;

// FeatureLevelOf(x): the feature level from which on x may be proposed, since servers of a lower
// one may not know it. This one is for whatever was there from the first on.
template <typename Kind>
constexpr uint32_t FeatureLevelOf(const Kind&) {
  return kFeatureLevelFirst;
}
constexpr uint32_t FeatureLevelOf(const SetAcl&) { return kFeatureLevelAcls; }
constexpr uint32_t FeatureLevelOf(const Check&) { return kFeatureLevelAcls; }
constexpr uint32_t FeatureLevelOf(const DeleteExpired&) { return kFeatureLevelAcls; }
constexpr uint32_t FeatureLevelOf(const Import&) { return kFeatureLevelRetries; }
constexpr uint32_t FeatureLevelOf(const RaiseZxid&) { return kFeatureLevelRetries; }
constexpr uint32_t FeatureLevelOf(const SetEnsembleConfig&) { return kFeatureLevelRetries; }
// An ACL, a TTL and the modes that came with them need kFeatureLevelAcls.
uint32_t FeatureLevelOf(const Create& operation);
uint32_t FeatureLevelOf(const Transaction& operation);  // the highest of its operations'
uint32_t FeatureLevelOf(const Operation& operation);

// One replicated change. The first four fields say who speaks; CreateSession, AttachSession,
// ExpireSession, SetEnsembleId, SetFeatureLevel, DeleteExpired and SetEnsembleConfig are no
// session's commands and leave them 0.
struct Command {
  SessionId session;
  SessionGeneration generation;
  CommandSequence sequence;  // the session's last one + 1; not above the last one: sent again
  // The client has the results of all its commands below this one, or asks for no more of them. 0, or
  // any beyond `sequence`: it sends no command again, and this one's result is not kept. Carried from
  // the first format on; below kFeatureLevelRetries nothing depends on it.
  CommandSequence acknowledged_floor;
  Operation operation;
  // What the client had proved to be when its request arrived (Z51): what ACLs are checked with.
  // Must be empty below kFeatureLevelAcls, where there are none.
  Identities identities;

  friend bool operator==(const Command&, const Command&) = default;
};

uint32_t FeatureLevelOf(const Command& command);  // identities count as well

// The newest format. EncodeCommand writes 1 for whatever needs no kFeatureLevelAcls, 2 for what
// needs no kFeatureLevelRetries, each byte for byte as releases that know no newer one did, and 3
// for the rest.
inline constexpr uint8_t kCommandFormatVersion = 3;

// Tells operations apart that come under one sequence number. Of the operation's encoding: it stands
// in snapshots. A client can make up two that have the same.
// `scratch` holds it meanwhile: who asks often spares allocations.
uint64_t OperationHash(const Operation& operation, std::string& scratch);

// Appends the command's encoding to `out`.
void EncodeCommand(const Command& command, std::string& out);

// The command in exactly these bytes. Allocates in proportion to the bytes given, whatever counts
// they declare. Errors: UNIMPLEMENTED for a format version or kind of operation that this build
// does not know (a server must stop there, never skip it); DATA_LOSS for anything malformed.
absl::StatusOr<Command> DecodeCommand(std::string_view bytes);

}  // namespace bellwether::coord::tree
