#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/uuid.h"
#include "coord/replica/reasons.h"  // also for coord/rpc
#include "coord/tree/acl.h"
#include "coord/tree/command.h"
#include "coord/tree/result.h"
#include "coord/tree/types.h"

// What frontends and the service say to each other: one vocabulary for every protocol.
namespace bellwether::coord {

using tree::CommandSequence;
using tree::SessionGeneration;
using tree::SessionId;
using tree::Zxid;

// Why a request failed, as a client is told.
struct Failure {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string message;  // for people
  std::string reason;   // a stable word for programs, as in "no_node"; may be empty
  base::Outcome outcome = base::Outcome::kRejected;
  // Of a command or a read that the tree refused: its own word, for frontends whose protocol has one.
  std::optional<tree::ResultCode> result_code = std::nullopt;
};

// Nothing happened because this server can't do it now; another one, or a later try, may.
Failure Unavailable(std::string message);
// The failure that an operational status stands for.
Failure FailureOf(const absl::Status& status);
// The failure of a command or a read. The message names the path as PathForMessage gives it.
// Requires: code is not kOk.
Failure FailureOf(tree::ResultCode code, std::string_view path);
// A path as messages to people name it: all of it, or its first kMessagePathBytesMax bytes and how
// many there are, as a client may ask for any path, and reads its answers when it likes.
inline constexpr size_t kMessagePathBytesMax = 256;
std::string PathForMessage(std::string_view path);

// OK when the client wants any ensemble (nil) or this server's; else FAILED_PRECONDITION with reason
// "other_ensemble".
absl::Status CheckSameEnsemble(base::Uuid wanted, base::Uuid own);

// Where a client connects from. What it proved to be besides are its tree::Identities.
struct Principal {
  std::string address;  // as the transport writes it, with its port

  // As servers tell each other; never empty, which is a server itself.
  std::string Name() const { return "address:" + address; }
};

// The client's first frame.
struct AttachRequest {
  base::Uuid ensemble_id;  // nil: any
  SessionId session;       // 0: a new one
  tree::SessionPassword password{};
  base::Uuid nonce;        // of a new session; not nil then
  int64_t timeout_ms = 0;  // wanted; 0: the default
  Zxid min_zxid;           // the highest that this client has seen
  bool read_only = false;  // no session: only stale_ok reads; but for ensemble_id all is ignored
  // The client takes stale reads for the state of a server that is part of the ensemble, as
  // ZooKeeper's clients do. Once this server has had no confirmed contact with a leader for two
  // election timeouts, the connection is given up rather than served; so it never waits for one.
  bool needs_contact = false;
};

struct GetRead {
  std::string path;
  bool watch = false;
  bool watch_missing = true;  // sets the watch also when there is no znode; ZooKeeper: false (Z26)
};
struct StatRead {
  std::string path;
  bool watch = false;
};
struct ListRead {
  std::string path;
  bool watch = false;  // ignored when recursive
  bool recursive = false;
  std::string after;  // names (recursive: paths) after this one
  // All names in one result, though it be large (Z60): above ServiceOptions::reply_bytes_max the
  // read fails, while its watch may have been set. Else a page.
  bool whole = false;
  // What is below the root includes ZooKeeper's system znodes (Z53). Else they are seen only by
  // who asks for them or for what is below them.
  bool system_znodes = false;
  // A page of the state of this zxid, which was kept for the connection: the one of the first page.
  // The watch is not set. Fails with reason "list_expired" when it is not kept any more. 0: of the
  // present state.
  Zxid at_zxid;
  bool keep_state = false;  // keeps the state of the first page, for the next ones
};
// Evaluates nothing: a barrier. Never stale, whatever the request says.
struct SyncRead {};
// Evaluates nothing: answered in its turn, with the zxid that earlier reads had or a later one.
struct EchoRead {};
// What the client is to ACLs when the request comes (Z51). Evaluates nothing.
struct WhoAmIRead {};
// The ACL as who asks may see it (Z50).
struct GetAclRead {
  std::string path;
};
// The connection's session's ephemerals whose paths begin with `prefix`, sorted by bytes.
struct EphemeralsRead {
  std::string prefix;
};
// How many znodes are below this one.
struct DescendantsRead {
  std::string path;
};
// Tells what becomes of the session's own ephemeral znode, which stands in line among its siblings:
// whether it is the first, as the answer, and by GrantEvents when it becomes that and when it is gone.
// Asked again it tells as if asked the first time. Needs READ on the parent.
struct AwaitGrant {
  std::string path;
};
// Each by itself, at one state; no watches. Fails as a whole above
// ServiceOptions::multi_read_bytes_max.
struct MultiRead {
  std::vector<std::variant<GetRead, ListRead>> reads;
};

// Sets again the watches of a connection that is gone (Z31). For those that would have fired by
// changes after `relative` events are queued instead, before the response, with zxid -1 and
// whatever the ACL; persistent ones are only set (Z30).
struct SetWatches {
  Zxid relative;
  std::vector<std::string> data;   // of znodes that existed
  std::vector<std::string> exist;  // of znodes that did not
  std::vector<std::string> child;
  std::vector<std::string> persistent;
  std::vector<std::string> recursive;
};
// A watch that stays until it is removed. Needs no znode and no permission (Z33).
struct AddWatch {
  std::string path;
  bool recursive = false;
};
// Values as on the ZooKeeper wire (Z33).
enum class WatchKind : int32_t {
  kChildren = 1,
  kData = 2,
  kAny = 3,
  kPersistent = 4,
  kRecursive = 5,
};
// Fails with reason "no_watcher" when this connection has no such watch.
struct RemoveWatches {
  std::string path;
  WatchKind kind = WatchKind::kAny;
  bool only_check = false;  // removes nothing
};

// Who is to be in the ensemble (Z55). Asks the leader for one change of the members after another, so
// it is no command, and takes no sequence number; evaluated in its turn like a linearizable read. The
// answer is a GetResult: /zookeeper/config when it says so. Needs WRITE on that znode.
struct Reconfigure {
  struct Server {
    uint32_t id = 0;
    std::string address;  // "host:port" of its peer listener
    bool voter = true;    // else it stays a learner
  };

  std::vector<Server> joining;    // become members, or as given if they are
  std::vector<uint32_t> leaving;  // before the others join; unknown ones don't matter
  bool replaces_all = false;      // who is not among `joining` leaves
  int64_t config_version = -1;    // must be the configuration's; -1: any
  std::optional<Failure> malformed;  // why the lists can't be understood
  absl::Duration time_max = absl::Seconds(5);
};

// Reads first: Request::is_write relies on the order. What sets and removes watches is a read, too:
// it changes nothing but the connection.
using RequestOperation =
    std::variant<GetRead, StatRead, ListRead, SyncRead, EchoRead, WhoAmIRead, GetAclRead,
                 EphemeralsRead, DescendantsRead, MultiRead, SetWatches, AddWatch, RemoveWatches,
                 AwaitGrant, Reconfigure, tree::Create, tree::SetData, tree::SetAcl, tree::Delete,
                 tree::DeleteRecursive, tree::Transaction, tree::CloseSession, tree::Import, tree::RaiseZxid>;
inline constexpr size_t kFirstWriteOperation = 15;
static_assert(std::is_same_v<std::variant_alternative_t<kFirstWriteOperation, RequestOperation>,
                             tree::Create>);

// As the sequence of a write: whichever is the session's next, for clients that count no writes. Once
// one that was proposed is refused there is no next one, until the session is attached again.
inline constexpr CommandSequence kNextSequence{};

struct Request {
  uint64_t id = 0;
  CommandSequence sequence;            // writes
  CommandSequence acknowledged_floor;  // writes; 0: the client sends none again
  SessionGeneration generation;
  Zxid min_zxid;          // reads
  bool stale_ok = false;  // reads
  RequestOperation operation;
  // Who asks, as proved when the request came (Z51). Null: the connection's identities then.
  // Shared with the connection and its other requests.
  std::shared_ptr<const tree::Identities> identities;
  // Transaction: the client's position of each compare, when one of its compares became several.
  std::vector<uint32_t> compare_positions;
  // Set by the frontend when the request can't be understood: it is refused in its turn.
  std::optional<Failure> malformed;

  bool is_write() const { return operation.index() >= kFirstWriteOperation; }
};

struct KeepAliveRequest {
  uint64_t id = 0;
};

// A sign of life: touches the session, and gives the connection up when it needs_contact and there
// is none. Gets no answer from the service.
struct Ping {};

// A frame that can't be understood at all: the connection is given up.
struct ProtocolError {
  std::string message;
};

using ClientFrame = std::variant<AttachRequest, Request, KeepAliveRequest, Ping, ProtocolError>;

struct Attached {
  std::optional<Failure> failure;  // set: the connection ends
  tree::SessionGrant grant;        // session 0: read-only
  base::Uuid ensemble_id;
  uint32_t server_id = 0;
  Zxid zxid;
  bool results_kept = false;  // of writes, for who sends them again
};

struct CreateResult {
  std::string path;
  tree::Stat stat;
};
struct SetDataResult {
  tree::Stat stat;
};
struct SetAclResult {
  tree::Stat stat;
};
struct DeleteResult {
  uint64_t deleted = 0;
};
struct CheckResult {};
// Of a failed one `results` is empty and the response's failure is that of the failed operation, or
// of a compare.
struct TransactionResult {
  std::vector<std::variant<CreateResult, SetDataResult, DeleteResult, CheckResult>> results;
  int32_t failed_compare = -1;
  int32_t failed_operation = -1;
};
// One for each znode of an import.
struct ImportResult {
  enum class Effect { kCreated, kReplaced, kUnchanged };  // kUnchanged: it is as given already
  std::vector<std::variant<Effect, Failure>> outcomes;
};
struct GetResult {
  tree::SharedBytes data;
  tree::Stat stat;
};
struct StatResult {
  tree::Stat stat;
};
// Names, each behind its length as four bytes, the most significant one first.
struct PackedNames {
  size_t count = 0;
  std::string bytes;
};
struct ListResult {
  std::vector<std::string> names;
  bool more = false;
  tree::Stat stat;
  // Of a large ListRead::whole in the place of `names`; shared with all who asked for that list.
  std::shared_ptr<const PackedNames> packed = nullptr;
};
struct GetAclResult {
  tree::Acl acl;  // never empty
  tree::Stat stat;
};
struct WhoAmIResult {
  tree::Identities identities;
};
struct EphemeralsResult {
  std::vector<std::string> paths;
};
struct CountResult {
  uint64_t count = 0;
};
struct AwaitGrantResult {
  Zxid token;         // the znode's czxid: greater than that of whoever was first before
  bool held = false;  // it is the first
};
struct MultiReadResult {
  std::vector<std::variant<Failure, GetResult, ListResult>> results;  // one for each read
};

struct Response {
  uint64_t request_id = 0;
  std::optional<Failure> failure;
  Zxid zxid;  // 0: nothing was evaluated
  std::variant<std::monostate, CreateResult, SetDataResult, SetAclResult, DeleteResult,
               TransactionResult, ImportResult, GetResult, StatResult, ListResult, GetAclResult, WhoAmIResult,
               EphemeralsResult, CountResult, AwaitGrantResult, MultiReadResult>
      result;
};

// Of an event that SetWatches told, of whichever change it was (Z34).
inline constexpr Zxid kCaughtUpZxid = Zxid(-1);

// A watch of the connection fired.
struct WatchEvent {
  tree::Change::Type type = tree::Change::Type::kCreated;
  // The watched one; of a recursive watch: the changed one (Z29). Shared by all who are told.
  tree::SharedBytes path;
  Zxid zxid;  // of the change, or kCaughtUpZxid
};

// What became of a znode that an AwaitGrant named. Each type at most once.
struct GrantEvent {
  enum class Type { kGranted, kGone };  // kGone: the last one

  Type type = Type::kGranted;
  std::string path;
  Zxid token;  // of AwaitGrantResult
  Zxid zxid;   // of the change
};

struct KeepAliveAck {
  uint64_t id = 0;
};

// The server gives the connection up.
struct Detached {
  Failure failure;
};

using ServerFrame =
    std::variant<Attached, Response, WatchEvent, GrantEvent, KeepAliveAck, Detached>;

// What a frame takes in memory where it waits: what byte bounds count.
size_t FrameBytes(const ServerFrame& frame);

}  // namespace bellwether::coord
