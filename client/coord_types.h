#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/strong_id.h"
#include "base/uuid.h"

// What a program that uses coord sees of it: plain values, no protobuf.
namespace bellwether::client {

// The order of all changes in one ensemble; 0 means "before the first" or "any".
using Zxid = base::StrongId<struct ZxidTag, int64_t>;
// Of a session; 0 is never one.
using SessionId = base::StrongId<struct SessionIdTag, uint64_t>;

// What is known about a znode besides its data.
struct Stat {
  Zxid czxid;                 // of the change that created it
  Zxid mzxid;                 // of the last change of its data
  Zxid pzxid;                 // of the last creation or deletion of a child
  int64_t ctime_ms = 0;       // created; ms since 1970 by the leader's clock
  int64_t mtime_ms = 0;       // data last changed; ms since 1970
  int32_t version = 0;        // changes of the data
  int32_t cversion = 0;       // changes of the set of children
  int32_t aversion = 0;       // changes of the access list
  SessionId ephemeral_owner;  // owning session of an ephemeral znode; else 0
  int32_t data_length = 0;    // bytes
  int32_t num_children = 0;   // direct children

  friend bool operator==(const Stat&, const Stat&) = default;
};

// A znode's data; nullopt is null, which is not the same as empty. At most 1 MiB.
using Data = std::optional<std::string>;

// How a znode lives and is named.
enum class CreateMode {
  kPersistent,           // until deleted
  kEphemeral,            // until the session ends
  kPersistentSequential, // ten digits of the parent's counter are appended to the path
  kEphemeralSequential,  // both
  kContainer,            // until deleted, or some time after its last child was
  kPersistentWithTtl,    // until deleted, or after it was childless and unchanged for its TTL
  kPersistentSequentialWithTtl,
};

// What an AclEntry permits: bits.
enum Permission : uint32_t {
  kRead = 1,    // the znode's data, ACL and names of children
  kWrite = 2,   // a change of its data
  kCreate = 4,  // a new child
  kDelete = 8,  // the end of a child
  kAdmin = 16,  // a change of its ACL
};
inline constexpr uint32_t kAllPermissions = 31;

// Permits whoever has the identity.
struct AclEntry {
  uint32_t permissions = 0;  // bits of Permission
  // "world", "ip", "digest", "x509"; when set also "auth": whoever this client has proved to be.
  std::string scheme;
  // world: "anyone"; ip: an address, also with a prefix length; digest: "user:" + base64(SHA1(
  // "user:password")), for who has no kAdmin "user:x".
  std::string id;

  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

// Who may do what with one znode, 1 to 1,000 entries; it says nothing about what is below.
using Acl = std::vector<AclEntry>;

// Makes a client somebody whom ACLs can name.
struct Credential {
  std::string scheme;      // "digest"
  std::string credential;  // digest: "user:password"
};

// Somebody whom ACLs can name.
struct Identity {
  std::string scheme;  // "ip", "digest", "x509", "super"
  std::string id;      // ip: the address; digest: the user; super: empty

  friend bool operator==(const Identity&, const Identity&) = default;
};

// Any version will do, in Set and Delete.
inline constexpr int32_t kAnyVersion = -1;

// Of every request.
struct CallOptions {
  // From the call to the answer; the client's request_timeout unless set. When it passes, a
  // request that was not sent, or only reads, fails as rejected; a write that was, as unknown.
  std::optional<absl::Duration> timeout;
};

// A one-shot watch fired, or died.
enum class WatchEventType {
  kCreated,         // the znode exists now
  kChanged,         // its data was set
  kDeleted,         // it is gone
  kChildren,        // a child was created or deleted
  kConnectionLost,  // the server forgot the watch with the connection: read again
};

// See WatchEventType.
struct WatchEvent {
  WatchEventType type = WatchEventType::kConnectionLost;
  std::string path;  // the watched path
  Zxid zxid;         // of the change; 0 for kConnectionLost
};

// Called once. An event comes before any answer that could reveal the change.
using OneShotWatch = absl::AnyInvocable<void(const WatchEvent&)>;

// What became of a znode that stands in line.
enum class GrantEventType {
  kGranted,         // it is the first now
  kGone,            // it was deleted
  kConnectionLost,  // the server forgot who asked: ask again
};

// See GrantEventType.
struct GrantEvent {
  GrantEventType type = GrantEventType::kConnectionLost;
  std::string path;  // of the znode
  Zxid token;        // of GrantResult; 0 for kConnectionLost
  Zxid zxid;         // of the change; likewise
};

// Called for each event; kGone and kConnectionLost are the last one.
using GrantListener = absl::AnyInvocable<void(const GrantEvent&)>;

// Of a successful AwaitGrant.
struct GrantResult {
  Zxid token;         // czxid of the znode: greater than that of whoever was first before
  bool held = false;  // it is the first
};

// Of a read. Linearizable unless stale_ok.
struct ReadOptions {
  std::optional<absl::Duration> timeout;  // as in CallOptions
  bool stale_ok = false;                  // answer from the server's own state; may be old
  Zxid min_zxid;                          // answer from a state at least this new
  // Set a one-shot watch: on the znode (Get, Exists: its creation, too), or on the set of its
  // children (List, not with recursive). Called only if the read succeeded, or failed with
  // NOT_FOUND in Get and GetStat.
  OneShotWatch watch;
};

// Of a successful Create.
struct CreateResult {
  std::string path;  // with the sequence number, if any
  Stat stat;         // of the new znode
  Zxid zxid;         // of this change
};

// Of a successful Set.
struct SetResult {
  Stat stat;  // after the change
  Zxid zxid;  // of this change
};

// Of a successful Delete.
struct DeleteResult {
  uint64_t deleted = 0;  // znodes removed, the named one included
  Zxid zxid;             // of this change
};

// Of a successful Get.
struct GetResult {
  Data data;
  Stat stat;
  Zxid zxid;  // the state read was that of this zxid
};

// Of a successful GetStat.
struct StatResult {
  Stat stat;
  Zxid zxid;  // as in GetResult
};

// Of a successful List.
struct ListResult {
  // Names of the children, or full paths with recursive (the listed znode first); sorted by bytes
  // (recursive: in path order).
  std::vector<std::string> names;
  Stat stat;  // of the listed znode
  Zxid zxid;  // all of it is the state of this zxid, unless:
  // A list of more than 3 MiB comes in pages. Of a server of a release before feature level 4 each is of
  // a zxid of its own, not below that of the first one.
  bool one_zxid = true;
  int pages = 1;
};

// Of a successful GetAcl.
struct AclResult {
  Acl acl;    // at least one entry
  Stat stat;  // its aversion is the ACL's version
  Zxid zxid;  // as in GetResult
};

// Of a successful Sync: the server was as new as the leader, at this zxid.
struct SyncResult {
  Zxid zxid;
};

// One condition of a transaction on one znode, which the client must be permitted to read; those set
// must all hold.
struct Compare {
  std::string path;
  std::optional<bool> exists;  // unset: it must exist if any other condition is set
  std::optional<int32_t> version;
  std::optional<Zxid> czxid;
  std::optional<Zxid> mzxid;
  std::optional<SessionId> ephemeral_owner;  // 0: not ephemeral
};

// As CoordClient::Create, Set and Delete.
struct CreateOperation {
  std::string path;
  Data data;
  CreateMode mode = CreateMode::kPersistent;
  std::optional<Acl> acl = std::nullopt;      // none: everybody may do everything
  absl::Duration ttl = absl::ZeroDuration();  // in the modes with a TTL 1 ms to 34 years
};
struct SetOperation {
  std::string path;
  Data data;
  int32_t version = kAnyVersion;
};
struct DeleteOperation {
  std::string path;
  int32_t version = kAnyVersion;
  bool recursive = false;  // all below it as well
};
// Holds when the znode has that version; sees what the operations before it did.
struct CheckOperation {
  std::string path;
  int32_t version = kAnyVersion;
};
using Operation = std::variant<CreateOperation, SetOperation, DeleteOperation, CheckOperation>;

// All or nothing, under one zxid: the compares against the state before, then the operations in
// order, later ones seeing the effects of earlier ones. At most 4 MiB in all.
struct Transaction {
  std::vector<Compare> compares;
  std::vector<Operation> operations;
};

// Of a check that held.
struct CheckResult {};
using OperationResult = std::variant<CreateResult, SetResult, DeleteResult, CheckResult>;

// Of a successful Transaction: one result per operation.
struct TransactionResult {
  std::vector<OperationResult> results;
  Zxid zxid;
};

// A znode as it is in another ensemble: see CoordClient::Import.
struct ImportedZnode {
  std::string path;
  Data data;
  std::optional<Acl> acl = std::nullopt;       // kept as given, hashes included; none: an open one
  CreateMode mode = CreateMode::kPersistent;   // or kContainer or kPersistentWithTtl
  int64_t ttl_ms = 0;                          // with a TTL at least 1, else 0
  int64_t ctime_ms = 0;                        // as in its Stat, like those that follow
  int64_t mtime_ms = 0;
  int32_t version = 0;
  int32_t aversion = 0;
  // How many children were ever created: its next sequence number. See ChildrenCreated.
  int32_t children_created = 0;
};

// What that is by a znode's Stat.
inline int32_t ChildrenCreated(int32_t cversion, int32_t num_children) {
  return static_cast<int32_t>((int64_t{cversion} + num_children) / 2);
}

// What became of an imported znode.
struct ImportOutcome {
  enum class Effect {
    kNone,       // it was refused: see error
    kCreated,    // it was not there before
    kReplaced,   // it was there, and became as given
    kUnchanged,  // it was as given already, whatever its zxids and ctime
  };
  Effect effect = Effect::kNone;
  absl::Status error;  // with kNone: an error of Create, or node_exists
};

// Of a successful Import.
struct ImportResult {
  std::vector<ImportOutcome> outcomes;  // one for each znode, in their order
  Zxid zxid;                            // of this change
};

// What who copies a znode needs besides data and Stat.
struct ZnodeAccess {
  Acl acl;  // as this client may see it
  CreateMode mode = CreateMode::kPersistent;  // never a sequential one
  int64_t ttl_ms = 0;  // of one with a TTL, else 0
};

// One change seen by a watch, or one znode of its state.
struct WatchChange {
  WatchEventType type = WatchEventType::kCreated;  // never kConnectionLost
  std::string path;
  Data data;  // after kCreated and kChanged
  Stat stat;  // after the change; all zero for kDeleted
  std::optional<ZnodeAccess> access = std::nullopt;  // with WatchOptions::with_access, of a state
};

// A part of what a watch delivers, in the order of zxids.
struct WatchBatch {
  Zxid zxid;  // of all changes in it
  std::vector<WatchChange> changes;
  // The state at the start, each znode as kCreated, rather than changes.
  bool initial = false;
  // Changes between were lost to compaction: these are the differences between what was delivered
  // and the state at `zxid`, the deleted included.
  bool resync = false;
  // With resync, only when the watch was started with from_zxid: it can't tell what was deleted
  // since; what is delivered is each znode created or changed after from_zxid.
  bool deletions_unknown = false;
  // All up to `zxid` has been delivered. False only for a part of a state or resync that is
  // followed by more. A batch that is complete and empty marks progress.
  bool complete = true;
};

// Of a watch.
struct WatchOptions {
  bool recursive = false;  // all at and below the path; else the znode and its set of children
  Zxid from_zxid;          // 0: start with the state; else only changes after it
  bool stale_ok = false;   // the initial state may be old
  // Watched in the same way and in the same order of zxids, as one whole; at most 63.
  std::vector<std::string> further_paths;
  // Tells the zxid of changes elsewhere after about 20 ms, in empty batches, instead of within a
  // second.
  bool prompt_progress = false;
  bool with_access = false;  // fills WatchChange::access in
};

// One server as another one knows it.
struct ServerPeer {
  uint32_t id = 0;         // 1 to 254
  std::string peer;        // address for peers
  std::string grpc;        // address for clients; empty when never heard
  bool connected = false;  // whether the server asked hears it now
};

enum class ServerRole { kUnknown, kFollower, kCandidate, kLeader, kLearner };

// A server's view of itself and its peers, answered without a leader, too.
struct ServerStatus {
  base::Uuid ensemble_id;  // nil while the ensemble forms
  uint32_t server_id = 0;
  ServerRole role = ServerRole::kUnknown;
  uint32_t leader_id = 0;      // 0: none known
  uint64_t term = 0;           // Raft term
  uint64_t commit_index = 0;   // Raft index known committed
  uint64_t applied_index = 0;  // zxid and digest are those of this Raft index
  Zxid zxid;
  uint64_t digest = 0;       // equal on all servers at the same applied_index
  uint64_t log_bytes = 0;    // of the Raft log on disk
  uint64_t log_entries = 0;  // of the Raft log
  std::string version;       // "0.1.0"
  std::string revision;      // the commit it was built from, as in "3eb6939"
  std::vector<ServerPeer> servers;  // all of the ensemble, the one asked included
  uint64_t znodes = 0;              // the root included
  uint64_t sessions = 0;            // live ones of the ensemble
  uint64_t watches = 0;             // set at this server
  bool ready = false;               // serves linearizable requests now
  std::string not_ready_reason;     // why not, and what to do
  uint64_t disk_free_bytes = 0;     // free for it on the disk of its data folder
};

// A piece of a snapshot's file.
struct SnapshotPiece {
  uint64_t index = 0;       // names the snapshot: the Raft index it ends with
  uint64_t term = 0;        // and that entry's term
  uint64_t file_bytes = 0;  // of the whole; only in the first piece
  std::string bytes;        // empty: the file has ended
};

// How far an ensemble is with an upgrade, as one server sees it.
struct UpgradeStatus {
  // The levels that one server supports.
  struct Server {
    uint32_t id = 0;         // 1 to 254
    bool connected = false;  // whether the server asked hears it now
    uint32_t level_min = 0;  // as last heard; 0: never
    uint32_t level_max = 0;  // likewise
  };
  uint32_t level = 0;   // in force
  uint32_t target = 0;  // the highest that any server supports: what finalizing leads to
  std::vector<Server> servers;         // all of the ensemble
  std::vector<std::string> obstacles;  // why the target can't be finalized now; sentences
};

// What is asked about who is in an ensemble. Asking again for what is so already changes nothing.
struct MembershipChange {
  enum class Kind {
    kNone,      // only tell who is
    kAdd,       // `server` joins, without a vote
    kPromote,   // it gets its vote
    kRemove,    // it leaves
    kTransfer,  // it leads; 0: the voter that has most of the log
  };
  Kind kind = Kind::kNone;
  uint32_t server = 0;  // 1 to 254; 0 only for kNone and kTransfer
  std::string address;  // kAdd: "host:port" of its peer listener
};

// Who is in an ensemble, as its leader sees it.
struct MembershipStatus {
  struct Member {
    uint32_t id = 0;            // 1 to 254
    std::string peer;           // address for peers
    std::string grpc;           // address for clients; empty when never heard
    bool voter = false;         // else a learner; while a change is under way: what it is to be
    bool leaving = false;       // a change under way removes it
    bool active = false;        // has answered the leader within the last election timeout
    bool awaiting_readmission = false;  // its data folder is new or was emptied, and does not count yet
    bool needs_snapshot = false;        // what it lacks is no longer in the log
    uint64_t match_index = 0;           // the last log entry that is durable there
  };
  uint64_t term = 0;       // of the leader
  uint32_t leader_id = 0;  // 0: not known yet
  // Of the entry that says who is in, or of the snapshot that the leader started from when that is
  // newer; 0: as it was formed.
  uint64_t index = 0;
  uint64_t last_index = 0;  // of the leader's log
  bool changing = false;    // a change is under way
  std::vector<Member> members;  // ascending by id
};

// Where a client stands. Past the deadline it must act as if the session, with its ephemeral
// znodes, were gone: another client may see it so already.
enum class SessionState {
  kConnecting,    // no session yet; read-only: no connection
  kConnected,     // before the deadline, with a connection
  kSuspended,     // before the deadline, without a connection: looking for another server
  kPastDeadline,  // may come back as kConnected when the ensemble kept the session after all
  kExpired,       // final: the session is gone, or was refused for its credentials; make a new client
  kClosed,        // final: closed by this client
};

// As in "connected", for messages.
const char* SessionStateName(SessionState state);

// The session of a client.
struct SessionInfo {
  SessionId id;             // 0 before the first attach, and when read-only
  uint64_t generation = 0;  // raised by every attach
  absl::Duration timeout;   // as granted
  base::Uuid ensemble_id;   // nil before the first attach
  uint32_t server_id = 0;   // the server last attached to
  std::string address;      // its address
};

template <typename T>
using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;

}  // namespace bellwether::client
