#include "coord/zk/replies.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "coord/service/ensemble_change.h"
#include "coord/zk/reconfig.h"
#include "coord/zk/wire/frame.h"

namespace bellwether::coord::zk {
namespace {

using tree::ResultCode;
using wire::Opcode;
using wire::ZkError;

std::string_view View(const tree::SessionPassword& password) {
  return {reinterpret_cast<const char*>(password.data()), password.size()};
}

wire::Stat ToWire(const tree::Stat& stat) {
  wire::Stat made;
  made.czxid = stat.czxid.value();
  made.mzxid = stat.mzxid.value();
  made.ctime_ms = stat.ctime_ms;
  made.mtime_ms = stat.mtime_ms;
  made.version = stat.version;
  made.cversion = stat.cversion;
  made.aversion = stat.aversion;
  made.ephemeral_owner = static_cast<int64_t>(stat.ephemeral_owner.value());
  made.data_length = stat.data_length;
  made.num_children = stat.num_children;
  made.pzxid = stat.pzxid.value();
  return made;
}

// Null stays null (Z21).
wire::Buffer ToWire(const tree::SharedBytes& bytes) {
  if (bytes.is_null()) return std::nullopt;
  return bytes.view();
}

wire::Acl ToWire(const tree::Acl& acl) {
  wire::Acl made;
  made.reserve(acl.size());
  for (const tree::AclEntry& entry : acl) {
    made.push_back({static_cast<int32_t>(entry.permissions), entry.scheme, entry.id});
  }
  return made;
}

wire::EventType ToWire(tree::Change::Type type) {
  switch (type) {
    case tree::Change::Type::kCreated:
      return wire::EventType::kNodeCreated;
    case tree::Change::Type::kChanged:
      return wire::EventType::kNodeDataChanged;
    case tree::Change::Type::kDeleted:
      return wire::EventType::kNodeDeleted;
    case tree::Change::Type::kChildren:
      break;
  }
  return wire::EventType::kNodeChildrenChanged;
}

// What a successful response holds.
template <typename Result>
const Result& ResultIn(const Response& response) {
  const auto* result = std::get_if<Result>(&response.result);
  CHECK(result != nullptr, "a response does not answer its request");
  return *result;
}

template <typename Detail>
const Detail& DetailOf(const PendingReply& pending) {
  const auto* detail = std::get_if<Detail>(&pending.detail);
  CHECK(detail != nullptr, "a request was kept without what its reply needs");
  return *detail;
}

// ZooKeeper looks a read's path up as it is: one that no znode can have is just not there (Z48).
bool IsReadOfZnode(Opcode opcode) {
  return opcode == Opcode::kExists || opcode == Opcode::kGetData || opcode == Opcode::kGetAcl ||
         opcode == Opcode::kGetChildren || opcode == Opcode::kGetChildren2 ||
         opcode == Opcode::kGetAllChildrenNumber || opcode == Opcode::kMultiRead;
}

// ---- Transactions ----

// Of an operation whose own result is in `result` (Z23).
wire::MultiResult MultiResultOf(Opcode opcode, const CreateResult& result) {
  if (opcode == Opcode::kCreate) return {opcode, wire::PathReply{result.path}};
  return {Opcode::kCreate2, wire::CreateReply{result.path, ToWire(result.stat)}};
}
wire::MultiResult MultiResultOf(Opcode opcode, const SetDataResult& result) {
  return {opcode, wire::StatReply{ToWire(result.stat)}};
}
wire::MultiResult MultiResultOf(Opcode opcode, const DeleteResult&) {
  return {opcode, wire::EmptyReply{}};
}
wire::MultiResult MultiResultOf(Opcode opcode, const CheckResult&) {
  return {opcode, wire::EmptyReply{}};
}

wire::MultiResult Failed(ZkError error) { return {Opcode::kError, wire::ErrorReply{error}}; }

wire::MultiReply MultiReplyOf(const PendingReply& pending, const TransactionResult& transaction) {
  const auto& opcodes = DetailOf<PendingReply::Opcodes>(pending);
  CHECK(transaction.results.size() == opcodes.size());
  wire::MultiReply reply;
  reply.results.reserve(opcodes.size());
  for (size_t i = 0; i < opcodes.size(); ++i) {
    const auto to_wire = [opcode = opcodes[i]](const auto& result) {
      return MultiResultOf(opcode, result);
    };
    reply.results.push_back(std::visit(to_wire, transaction.results[i]));
  }
  return reply;
}

// Each operation has an answer: rolled back, its error, not tried (Z22).
wire::MultiReply FailedMultiReply(size_t operations, size_t failed, ZkError error) {
  wire::MultiReply reply;
  reply.results.reserve(operations);
  for (size_t i = 0; i < operations; ++i) {
    const ResultCode other = i < failed ? ResultCode::kRolledBack : ResultCode::kNotAttempted;
    reply.results.push_back(Failed(i == failed ? error : ErrorOf(other)));
  }
  return reply;
}

// The operation of a transaction that failed; nullopt when the transaction as a whole did.
std::optional<size_t> FailedOperation(const PendingReply& pending, const Response& response) {
  const auto* transaction = std::get_if<TransactionResult>(&response.result);
  if (pending.opcode != Opcode::kMulti || transaction == nullptr) return std::nullopt;
  if (transaction->failed_operation < 0) return std::nullopt;
  return static_cast<size_t>(transaction->failed_operation);
}

wire::MultiReply MultiReplyOf(const MultiReadResult& reads) {
  wire::MultiReply reply;
  reply.results.reserve(reads.results.size());
  for (const auto& read : reads.results) {
    if (const auto* got = std::get_if<GetResult>(&read)) {
      reply.results.push_back(
          {Opcode::kGetData, wire::DataReply{ToWire(got->data), ToWire(got->stat)}});
    } else if (const auto* list = std::get_if<ListResult>(&read)) {
      std::vector<std::string_view> names(list->names.begin(), list->names.end());
      reply.results.push_back({Opcode::kGetChildren, wire::NamesReply{std::move(names)}});
    } else {
      const auto error = ErrorOf(Opcode::kMultiRead, std::get<Failure>(read));
      reply.results.push_back(Failed(error.value_or(ZkError::kSystemError)));
    }
  }
  return reply;
}

// ---- Bodies ----

// As each scheme shows its users: a digest's without the hash (Z50).
wire::WhoAmIReply WhoAmIReplyOf(const PendingReply::SharedIdentities& identities) {
  wire::WhoAmIReply reply;
  for (const tree::Identity& identity : *identities) {
    std::string_view user = identity.id;
    if (identity.scheme == "digest") user = user.substr(0, user.find(':'));
    reply.identities.push_back({identity.scheme, user});
  }
  return reply;
}

wire::CountReply CountReplyOf(const CountResult& result) {
  constexpr uint64_t kMax = std::numeric_limits<int32_t>::max();
  return {static_cast<int32_t>(std::min(result.count, kMax))};
}

// Of a successful request that IsList does not name.
wire::ReplyBody BodyOf(const PendingReply& pending, const Response& response) {
  switch (pending.opcode) {
    case Opcode::kCreate:
      return wire::PathReply{ResultIn<CreateResult>(response).path};
    case Opcode::kCreate2:
    case Opcode::kCreateContainer:
    case Opcode::kCreateTtl: {
      const auto& created = ResultIn<CreateResult>(response);
      return wire::CreateReply{created.path, ToWire(created.stat)};
    }
    case Opcode::kExists:
      return wire::StatReply{ToWire(ResultIn<StatResult>(response).stat)};
    case Opcode::kGetData:
    case Opcode::kReconfig: {
      const auto& got = ResultIn<GetResult>(response);
      return wire::DataReply{ToWire(got.data), ToWire(got.stat)};
    }
    case Opcode::kSetData:
      return wire::StatReply{ToWire(ResultIn<SetDataResult>(response).stat)};
    case Opcode::kGetAcl: {
      const auto& got = ResultIn<GetAclResult>(response);
      return wire::AclReply{ToWire(got.acl), ToWire(got.stat)};
    }
    case Opcode::kSetAcl:
      return wire::StatReply{ToWire(ResultIn<SetAclResult>(response).stat)};
    case Opcode::kSync:
      return wire::PathReply{DetailOf<PendingReply::Path>(pending)};
    case Opcode::kMulti:
      return MultiReplyOf(pending, ResultIn<TransactionResult>(response));
    case Opcode::kMultiRead:
      return MultiReplyOf(ResultIn<MultiReadResult>(response));
    case Opcode::kGetAllChildrenNumber:
      return CountReplyOf(ResultIn<CountResult>(response));
    case Opcode::kAddWatch:
      return wire::ErrorReply{ZkError::kOk};  // Z33
    case Opcode::kWhoAmI:
      return WhoAmIReplyOf(DetailOf<PendingReply::SharedIdentities>(pending));
    case Opcode::kGetChildren:
    case Opcode::kGetChildren2:
    case Opcode::kGetEphemerals:
    case Opcode::kDelete:
    case Opcode::kPing:
    case Opcode::kCheckWatches:
    case Opcode::kRemoveWatches:
    case Opcode::kSetWatches:
    case Opcode::kSetWatches2:
    case Opcode::kCloseSession:
    // Never a request of the service.
    case Opcode::kError:
    case Opcode::kNotification:
    case Opcode::kCheck:
    case Opcode::kDeleteContainer:
    case Opcode::kAuth:
    case Opcode::kSasl:
    case Opcode::kCreateSession:
      break;
  }
  return wire::EmptyReply{};
}

void AppendNames(const std::vector<std::string>& names, const tree::Stat* stat, std::string& out) {
  wire::JuteWriter writer(out);
  writer.Count(names.size());
  for (const std::string& name : names) writer.Text(name);
  if (stat != nullptr) wire::EncodeStat(ToWire(*stat), writer);
}

bool IsList(Opcode opcode) {
  return opcode == Opcode::kGetChildren || opcode == Opcode::kGetChildren2 ||
         opcode == Opcode::kGetEphemerals;
}

// Straight from where the service put the names, as they may be very many. Requires: IsList.
void AppendListBody(Opcode opcode, const Response& response, std::string& out) {
  if (opcode == Opcode::kGetEphemerals) {
    return AppendNames(ResultIn<EphemeralsResult>(response).paths, nullptr, out);
  }
  const auto& list = ResultIn<ListResult>(response);
  const tree::Stat* const stat = opcode == Opcode::kGetChildren2 ? &list.stat : nullptr;
  if (list.packed == nullptr) return AppendNames(list.names, stat, out);
  // Packed as the wire has them.
  wire::JuteWriter writer(out);
  writer.Count(list.packed->count);
  out += list.packed->bytes;
  if (stat != nullptr) wire::EncodeStat(ToWire(*stat), writer);
}

// The outcome of a request as a whole; nullopt as ErrorOf.
std::optional<ZkError> OutcomeOf(const PendingReply& pending, const Response& response) {
  if (pending.refusal != ZkError::kOk && !response.failure.has_value()) return pending.refusal;
  if (!response.failure.has_value()) return ZkError::kOk;
  return ErrorOf(pending.opcode, *response.failure);
}

}  // namespace

size_t PendingBytes(const PendingReply& pending) {
  size_t bytes = sizeof(pending);
  if (const auto* path = std::get_if<PendingReply::Path>(&pending.detail)) {
    bytes += path->has_value() ? (*path)->size() : 0;
  } else if (const auto* opcodes = std::get_if<PendingReply::Opcodes>(&pending.detail)) {
    bytes += opcodes->size() * sizeof(Opcode);
  }
  return bytes;
}

ZkError ErrorOf(ResultCode code) {
  switch (code) {
    case ResultCode::kOk:
    case ResultCode::kRolledBack:  // Z22
      return ZkError::kOk;
    case ResultCode::kNotAttempted:
      return ZkError::kRuntimeInconsistency;
    case ResultCode::kNoNode:
      return ZkError::kNoNode;
    case ResultCode::kNodeExists:
      return ZkError::kNodeExists;
    case ResultCode::kBadVersion:
      return ZkError::kBadVersion;
    case ResultCode::kNotEmpty:
      return ZkError::kNotEmpty;
    case ResultCode::kNoChildrenForEphemerals:
      return ZkError::kNoChildrenForEphemerals;
    case ResultCode::kBadArguments:
    case ResultCode::kTooLarge:  // a limit of ours: no retry helps
      return ZkError::kBadArguments;
    case ResultCode::kSessionExpired:
      return ZkError::kSessionExpired;
    case ResultCode::kStaleGeneration:
    case ResultCode::kSequenceGap:
      return ZkError::kSessionMoved;
    case ResultCode::kNoAuth:
      return ZkError::kNoAuth;
    case ResultCode::kInvalidAcl:
      return ZkError::kInvalidAcl;
    case ResultCode::kQuotaExceeded:
      return ZkError::kQuotaExceeded;
    case ResultCode::kCompareFailed:
    case ResultCode::kAlreadySet:
    case ResultCode::kNotExpired:
    case ResultCode::kResultForgotten:  // a client of this port sends nothing again
    case ResultCode::kSequenceReused:
      break;
  }
  return ZkError::kSystemError;
}

namespace {

// Z55; nullopt when the client must ask again, perhaps at another server.
std::optional<ZkError> ErrorOfReconfig(std::string_view reason) {
  if (reason == kReasonReconfigDisabled) return ZkError::kReconfigDisabled;
  if (reason == kReasonStandalone) return ZkError::kUnimplemented;
  if (reason == kReasonReconfigInProgress) return ZkError::kReconfigInProgress;
  if (reason == kReasonNoQuorum) return ZkError::kNewConfigNoQuorum;
  if (reason == kReasonBadServers) return ZkError::kBadArguments;
  if (reason == kReasonBadId) return ZkError::kMarshallingError;
  return std::nullopt;
}

}  // namespace

std::optional<ZkError> ErrorOf(Opcode opcode, const Failure& failure) {
  if (failure.outcome == base::Outcome::kUnknown) return std::nullopt;
  if (failure.reason == "no_watcher") return ZkError::kNoWatcher;
  if (failure.reason == "too_many_watches") {
    // A client that sets its watches again looks at no error: it would rely on those that were not
    // set. Without its connection it sets them at another server.
    if (opcode == Opcode::kSetWatches || opcode == Opcode::kSetWatches2) return std::nullopt;
    return ZkError::kThrottledOp;  // Z59
  }
  // The one that all clients know: kazoo dies of -125 (Z54), and -8 blames the request.
  if (failure.reason == "tree_full") return ZkError::kSystemError;
  if (opcode == Opcode::kReconfig && !failure.result_code.has_value()) {
    return ErrorOfReconfig(failure.reason);
  }
  if (!failure.result_code.has_value()) return std::nullopt;
  const ResultCode code = *failure.result_code;
  // The session is served elsewhere, or a write before this one was lost: A closes (Z42).
  if (code == ResultCode::kStaleGeneration || code == ResultCode::kSequenceGap) {
    return std::nullopt;
  }
  if (code == ResultCode::kBadArguments && IsReadOfZnode(opcode)) return ZkError::kNoNode;
  return ErrorOf(code);
}

bool AppendReply(const PendingReply& pending, const Response& response, Zxid zxid,
                 std::string& out) {
  const std::optional<ZkError> outcome = OutcomeOf(pending, response);
  if (!outcome.has_value()) return false;
  const std::optional<size_t> failed = FailedOperation(pending, response);
  const wire::ReplyHeader header{pending.xid, zxid.value(),
                                 failed.has_value() ? ZkError::kOk : *outcome};
  const size_t begin = wire::BeginFrame(out);
  if (failed.has_value()) {
    const size_t operations = DetailOf<PendingReply::Opcodes>(pending).size();
    wire::EncodeReply({header, FailedMultiReply(operations, *failed, *outcome)}, out);
  } else if (header.error != ZkError::kOk) {
    wire::EncodeReplyHeader(header, out);
  } else if (IsList(pending.opcode)) {
    wire::EncodeReplyHeader(header, out);
    AppendListBody(pending.opcode, response, out);
  } else {
    wire::EncodeReply({header, BodyOf(pending, response)}, out);
  }
  return wire::EndFrame(out, begin);
}

void AppendHeader(const wire::ReplyHeader& header, std::string& out) {
  const size_t begin = wire::BeginFrame(out);
  wire::EncodeReplyHeader(header, out);
  CHECK(wire::EndFrame(out, begin));
}

void AppendEvent(const WatchEvent& event, std::string& out) {
  const wire::ReplyHeader header{wire::kNotificationXid, event.zxid.value(), ZkError::kOk};
  const auto type = static_cast<int32_t>(ToWire(event.type));
  const size_t begin = wire::BeginFrame(out);
  wire::EncodeReply({header, wire::WatcherEvent{type, wire::kSyncConnected, event.path.view()}},
                    out);
  CHECK(wire::EndFrame(out, begin));
}

void AppendHandshake(const tree::SessionGrant* grant, std::optional<bool> read_only,
                     std::string& out) {
  const tree::SessionGrant none{};
  const tree::SessionGrant& told = grant == nullptr ? none : *grant;
  wire::ConnectResponse response;
  response.timeout_ms = static_cast<int32_t>(told.timeout_ms);
  response.session_id = static_cast<int64_t>(told.session.value());
  response.password = View(told.password);
  response.read_only = read_only;
  const size_t begin = wire::BeginFrame(out);
  wire::EncodeConnectResponse(response, out);
  CHECK(wire::EndFrame(out, begin));
}

}  // namespace bellwether::coord::zk
