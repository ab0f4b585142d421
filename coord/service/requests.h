#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/status.h"
#include "base/uuid.h"
#include "coord/replica/reasons.h"  // also for coord/rpc
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
};

// Nothing happened because this server can't do it now; another one, or a later try, may.
Failure Unavailable(std::string message);
// The failure that an operational status stands for.
Failure FailureOf(const absl::Status& status);
// The failure of a command. Requires: code is not kOk.
Failure FailureOf(tree::ResultCode code, std::string_view path);

// OK when the client wants any ensemble (nil) or this server's; else FAILED_PRECONDITION with reason
// "other_ensemble".
absl::Status CheckSameEnsemble(base::Uuid wanted, base::Uuid own);

// Who a client is. Until clients authenticate themselves that is where they connect from.
struct Principal {
  std::string address;

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
};

struct GetRead {
  std::string path;
  bool watch = false;
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
};
// Evaluates nothing: a barrier.
struct SyncRead {};

// Reads first: IsWrite relies on the order.
using RequestOperation =
    std::variant<GetRead, StatRead, ListRead, SyncRead, tree::Create, tree::SetData, tree::Delete,
                 tree::DeleteRecursive, tree::Transaction, tree::CloseSession>;

struct Request {
  uint64_t id = 0;
  CommandSequence sequence;  // writes
  CommandSequence acknowledged_floor;
  SessionGeneration generation;
  Zxid min_zxid;          // reads
  bool stale_ok = false;  // reads
  RequestOperation operation;
  // Transaction: the client's position of each compare, when one of its compares became several.
  std::vector<uint32_t> compare_positions;
  // Set by the frontend when the request can't be understood: it is refused in its turn.
  std::optional<Failure> malformed;

  bool is_write() const { return operation.index() > 3; }
};

struct KeepAliveRequest {
  uint64_t id = 0;
};

// A frame that can't be understood at all: the connection is given up.
struct ProtocolError {
  std::string message;
};

using ClientFrame = std::variant<AttachRequest, Request, KeepAliveRequest, ProtocolError>;

struct Attached {
  std::optional<Failure> failure;  // set: the connection ends
  tree::SessionGrant grant;        // session 0: read-only
  base::Uuid ensemble_id;
  uint32_t server_id = 0;
  Zxid zxid;
};

struct CreateResult {
  std::string path;
  tree::Stat stat;
};
struct SetDataResult {
  tree::Stat stat;
};
struct DeleteResult {
  uint64_t deleted = 0;
};
struct TransactionResult {
  std::vector<std::variant<CreateResult, SetDataResult, DeleteResult>> results;
  int32_t failed_compare = -1;
  int32_t failed_operation = -1;
};
struct GetResult {
  tree::SharedBytes data;
  tree::Stat stat;
};
struct StatResult {
  tree::Stat stat;
};
struct ListResult {
  std::vector<std::string> names;
  bool more = false;
  tree::Stat stat;
};

struct Response {
  uint64_t request_id = 0;
  std::optional<Failure> failure;
  Zxid zxid;  // 0: nothing was evaluated
  std::variant<std::monostate, CreateResult, SetDataResult, DeleteResult, TransactionResult,
               GetResult, StatResult, ListResult>
      result;
};

// A one-shot watch fired.
struct WatchEvent {
  tree::Change::Type type = tree::Change::Type::kCreated;
  std::string path;  // the watched one
  Zxid zxid;
};

struct KeepAliveAck {
  uint64_t id = 0;
};

// The server gives the connection up.
struct Detached {
  Failure failure;
};

using ServerFrame = std::variant<Attached, Response, WatchEvent, KeepAliveAck, Detached>;

// What a frame takes in memory, roughly: what byte bounds count.
size_t FrameBytes(const ServerFrame& frame);

}  // namespace bellwether::coord
