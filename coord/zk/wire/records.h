#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coord/zk/wire/jute.h"
#include "coord/zk/wire/opcodes.h"

// Everything that ZooKeeper's clients and servers send each other, as plain structs: the server
// decodes requests and encodes replies, a client the other way round. Text and data are views: into
// the decoded frame, or whatever the encoding side keeps. Text is not checked to be UTF-8, nor are
// numbers with a meaning (flags, modes, versions): that is for whom the request is for.
namespace bellwether::coord::zk::wire {

// --- Parts

struct Stat {
  int64_t czxid = 0;
  int64_t mzxid = 0;
  int64_t ctime_ms = 0;  // since 1970
  int64_t mtime_ms = 0;
  int32_t version = 0;
  int32_t cversion = 0;
  int32_t aversion = 0;
  int64_t ephemeral_owner = 0;  // session id; 0 for none, containers and TTL znodes (Z6)
  int32_t data_length = 0;
  int32_t num_children = 0;
  int64_t pzxid = 0;

  bool operator==(const Stat&) const = default;
};

// One entry of an ACL. Absent scheme and id are read as empty ones, which no scheme takes (Z49).
struct AclEntry {
  int32_t permissions = 0;  // 1 read, 2 write, 4 create, 8 delete, 16 admin
  std::string_view scheme;
  std::string_view id;

  bool operator==(const AclEntry&) const = default;
};
// Absent and empty lists are the same: both are refused (Z49).
using Acl = std::vector<AclEntry>;

// --- Handshake: the first frame each way, without a header

struct ConnectRequest {
  int32_t protocol_version = 0;
  int64_t last_zxid_seen = 0;  // Z9
  int32_t timeout_ms = 0;
  int64_t session_id = 0;     // 0: a new session
  std::string_view password;  // of 16 bytes (Z37), or any others
  // nullopt: not sent, by clients up to 3.3; then it must not be in the response either.
  std::optional<bool> read_only;

  bool operator==(const ConnectRequest&) const = default;
};

struct ConnectResponse {
  int32_t protocol_version = 0;
  int32_t timeout_ms = 0;  // negotiated (Z38); 0 with session id 0: no such session (Z39)
  int64_t session_id = 0;
  std::string_view password;      // exactly 16 bytes (Z37)
  std::optional<bool> read_only;  // sent iff the request had it

  bool operator==(const ConnectResponse&) const = default;
};

// What follows read_only is ignored. nullopt: not a handshake; the connection ends without a reply.
std::optional<ConnectRequest> DecodeConnectRequest(std::string_view frame);
std::optional<ConnectResponse> DecodeConnectResponse(std::string_view frame);
void EncodeConnectRequest(const ConnectRequest& request, std::string& out);
void EncodeConnectResponse(const ConnectResponse& response, std::string& out);

// --- Requests. The comment names the opcodes whose body it is.

struct CreateRequest {  // kCreate, kCreate2, kCreateContainer, kCreateTtl
  std::string_view path;
  Buffer data;
  Acl acl;
  int32_t flags = 0;   // a CreateFlags, or else refused (Z15)
  int64_t ttl_ms = 0;  // with kCreateTtl only

  bool operator==(const CreateRequest&) const = default;
};

struct DeleteRequest {  // kDelete
  std::string_view path;
  int32_t version = -1;  // -1: any (Z20)

  bool operator==(const DeleteRequest&) const = default;
};

struct CheckVersionRequest {  // kCheck
  std::string_view path;
  int32_t version = -1;

  bool operator==(const CheckVersionRequest&) const = default;
};

struct ReadRequest {  // kExists, kGetData, kGetChildren, kGetChildren2
  std::string_view path;
  bool watch = false;

  bool operator==(const ReadRequest&) const = default;
};

struct SetDataRequest {  // kSetData
  std::string_view path;
  Buffer data;
  int32_t version = -1;

  bool operator==(const SetDataRequest&) const = default;
};

struct SetAclRequest {  // kSetAcl
  std::string_view path;
  Acl acl;
  int32_t aversion = -1;

  bool operator==(const SetAclRequest&) const = default;
};

struct PathRequest {  // kGetAcl, kGetAllChildrenNumber
  std::string_view path;

  bool operator==(const PathRequest&) const = default;
};

struct SyncRequest {  // kSync
  Buffer path;  // whatever it is, the reply returns it

  bool operator==(const SyncRequest&) const = default;
};

struct EmptyRequest {  // kPing, kCloseSession, kWhoAmI
  bool operator==(const EmptyRequest&) const = default;
};

struct MultiOperation {
  // kCreate, kCreateContainer, kCreateTtl, kDelete, kSetData, kCheck; in a kMultiRead kGetData,
  // kGetChildren, both without a watch. A decoded create has the opcode of its flags, as in
  // ZooKeeper: so kCreate2 becomes kCreate, and its result is kCreate's (Z23).
  Opcode opcode = Opcode::kCreate;
  std::variant<CreateRequest, DeleteRequest, SetDataRequest, CheckVersionRequest, ReadRequest> body;

  bool operator==(const MultiOperation&) const = default;
};

struct MultiRequest {  // kMulti, kMultiRead
  std::vector<MultiOperation> operations;

  bool operator==(const MultiRequest&) const = default;
};

struct ReconfigRequest {  // kReconfig
  Buffer joining;
  Buffer leaving;
  Buffer new_members;
  int64_t config_id = -1;  // -1: any (Z55)

  bool operator==(const ReconfigRequest&) const = default;
};

struct WatchesRequest {  // kCheckWatches, kRemoveWatches
  std::string_view path;
  int32_t type = 0;  // a WatcherType, or else refused (Z33)

  bool operator==(const WatchesRequest&) const = default;
};

struct AuthRequest {  // kAuth
  int32_t type = 0;  // means nothing
  std::string_view scheme;
  Buffer auth;

  bool operator==(const AuthRequest&) const = default;
};

struct SetWatchesRequest {  // kSetWatches, kSetWatches2
  int64_t relative_zxid = 0;  // Z31
  std::vector<std::string_view> data;
  std::vector<std::string_view> exist;
  std::vector<std::string_view> child;
  std::vector<std::string_view> persistent;  // with kSetWatches2 only
  std::vector<std::string_view> recursive;   // with kSetWatches2 only

  bool operator==(const SetWatchesRequest&) const = default;
};

struct SaslRequest {  // kSasl; read to be refused
  Buffer token;

  bool operator==(const SaslRequest&) const = default;
};

struct GetEphemeralsRequest {  // kGetEphemerals
  std::string_view prefix;  // absent is empty: all

  bool operator==(const GetEphemeralsRequest&) const = default;
};

struct AddWatchRequest {  // kAddWatch
  std::string_view path;
  int32_t mode = 0;  // an AddWatchMode, or else refused (Z33)

  bool operator==(const AddWatchRequest&) const = default;
};

using RequestBody =
    std::variant<EmptyRequest, CreateRequest, DeleteRequest, ReadRequest, SetDataRequest,
                 PathRequest, SetAclRequest, SyncRequest, MultiRequest, ReconfigRequest,
                 WatchesRequest, AuthRequest, SetWatchesRequest, SaslRequest, GetEphemeralsRequest,
                 AddWatchRequest>;

struct RequestHeader {
  int32_t xid = 0;
  int32_t opcode = 0;  // an Opcode if IsRequestable

  bool operator==(const RequestHeader&) const = default;
};

struct Request {
  int32_t xid = 0;
  Opcode opcode = Opcode::kPing;
  RequestBody body;  // the alternative whose comment names the opcode

  bool operator==(const Request&) const = default;
};

// Returns the header alone, the first eight bytes; nullopt when they are not there: the connection
// ends without a reply.
std::optional<RequestHeader> DecodeRequestHeader(std::string_view frame);

// Sets `request` from a frame behind the handshake and returns kOk; or, with xid as in the frame
// and else unspecified, returns
// - kUnimplemented: not IsRequestable; reply so, then end the connection (Z47);
// - kMarshallingError: the body is not one; reply so, and go on (Z47), save with kAuth and kSasl,
//   where the connection ends without a reply. So is a kMulti with a read or another operation that
//   can't be in it (Z23, Z24), or flags that say TTL without one, and a kMultiRead with a write.
// A path that is null is no body where ZooKeeper answers so, and else empty. Bytes behind the body
// are ignored. Allocates less than 32 bytes for each byte of the frame.
// Requires: the frame has a header.
ZkError DecodeRequest(std::string_view frame, Request& request);

// Appends header and body, without the frame's length.
void EncodeRequest(const Request& request, std::string& out);

// --- Replies. The comment names the opcodes whose successful reply's body it is.

struct ReplyHeader {
  int32_t xid = 0;
  int64_t zxid = 0;  // last applied when the reply was made (Z8)
  ZkError error = ZkError::kOk;

  bool operator==(const ReplyHeader&) const = default;
};

// kDelete, kPing, kCheckWatches, kRemoveWatches, kAuth, kSetWatches, kSetWatches2, kCloseSession
struct EmptyReply {
  bool operator==(const EmptyReply&) const = default;
};

struct PathReply {  // kCreate, kSync
  Buffer path;

  bool operator==(const PathReply&) const = default;
};

struct CreateReply {  // kCreate2, kCreateContainer, kCreateTtl
  std::string_view path;
  Stat stat;

  bool operator==(const CreateReply&) const = default;
};

struct StatReply {  // kExists, kSetData, kSetAcl
  Stat stat;

  bool operator==(const StatReply&) const = default;
};

struct DataReply {  // kGetData, kReconfig
  Buffer data;
  Stat stat;

  bool operator==(const DataReply&) const = default;
};

struct AclReply {  // kGetAcl
  Acl acl;
  Stat stat;

  bool operator==(const AclReply&) const = default;
};

struct NamesReply {  // kGetChildren (names), kGetEphemerals (paths)
  std::vector<std::string_view> names;

  bool operator==(const NamesReply&) const = default;
};

struct NamesStatReply {  // kGetChildren2
  std::vector<std::string_view> names;
  Stat stat;

  bool operator==(const NamesStatReply&) const = default;
};

struct ErrorReply {  // kAddWatch: always kOk (Z33); a failed operation of kMulti and kMultiRead
  ZkError error = ZkError::kOk;

  bool operator==(const ErrorReply&) const = default;
};

struct MultiResult {
  // The operation's, save kCreate2 for kCreateContainer and kCreateTtl (Z23), and kError with an
  // ErrorReply for an operation that failed, was rolled back (kOk) or not tried
  // (kRuntimeInconsistency) (Z22).
  Opcode opcode = Opcode::kError;
  std::variant<ErrorReply, EmptyReply, PathReply, CreateReply, StatReply, DataReply, NamesReply>
      body;

  bool operator==(const MultiResult&) const = default;
};

struct MultiReply {  // kMulti, kMultiRead
  std::vector<MultiResult> results;

  bool operator==(const MultiReply&) const = default;
};

struct TokenReply {  // kSasl
  Buffer token;

  bool operator==(const TokenReply&) const = default;
};

struct CountReply {  // kGetAllChildrenNumber
  int32_t count = 0;

  bool operator==(const CountReply&) const = default;
};

struct ClientIdentity {
  std::string_view scheme;
  std::string_view user;

  bool operator==(const ClientIdentity&) const = default;
};

struct WhoAmIReply {  // kWhoAmI
  std::vector<ClientIdentity> identities;

  bool operator==(const WhoAmIReply&) const = default;
};

struct WatcherEvent {  // behind a header of kNotificationXid (Z34)
  int32_t type = 0;  // an EventType
  int32_t state = kSyncConnected;
  std::string_view path;

  bool operator==(const WatcherEvent&) const = default;
};

using ReplyBody =
    std::variant<EmptyReply, PathReply, CreateReply, StatReply, DataReply, AclReply, NamesReply,
                 NamesStatReply, ErrorReply, MultiReply, TokenReply, CountReply, WhoAmIReply,
                 WatcherEvent>;

struct Reply {
  ReplyHeader header;
  ReplyBody body;  // EmptyReply when the header says an error

  bool operator==(const Reply&) const = default;
};

// Appends the header, and the body unless the header says an error; without the frame's length.
void EncodeReply(const Reply& reply, std::string& out);
// For bodies that are written straight from where they are kept.
void EncodeReplyHeader(const ReplyHeader& header, std::string& out);
void EncodeStat(const Stat& stat, JuteWriter& out);

// For clients: the header of what a server sent; nullopt when it is not there.
std::optional<ReplyHeader> DecodeReplyHeader(std::string_view frame);
// For clients: a reply to a request of `opcode` (kNotification for a header of kNotificationXid);
// nullopt when it is not one.
std::optional<Reply> DecodeReply(Opcode opcode, std::string_view frame);

}  // namespace bellwether::coord::zk::wire
