#include "coord/zk/wire/records.h"

#include <utility>

namespace bellwether::coord::zk::wire {
namespace {

constexpr size_t kTextBytesMin = 4;
constexpr size_t kAclEntryBytesMin = 4 + 2 * kTextBytesMin;
constexpr size_t kIdentityBytesMin = 2 * kTextBytesMin;

// --- Parts

Acl ReadAcl(JuteReader& in) {
  Acl acl(in.Count(kAclEntryBytesMin));
  for (AclEntry& entry : acl) entry = {in.Int(), in.Text(), in.Text()};
  return acl;
}

void WriteAcl(const Acl& acl, JuteWriter& out) {
  out.Count(acl.size());
  for (const AclEntry& entry : acl) out.Int(entry.permissions).Text(entry.scheme).Text(entry.id);
}

Stat ReadStat(JuteReader& in) {
  return {in.Long(), in.Long(), in.Long(), in.Long(), in.Int(), in.Int(),
          in.Int(),  in.Long(), in.Int(),  in.Int(),  in.Long()};
}

std::vector<std::string_view> ReadTexts(JuteReader& in) {
  std::vector<std::string_view> texts(in.Count(kTextBytesMin));
  for (std::string_view& text : texts) text = in.Text();
  return texts;
}

std::vector<std::string_view> ReadPaths(JuteReader& in) {
  std::vector<std::string_view> paths(in.Count(kTextBytesMin));
  for (std::string_view& path : paths) path = in.PathText();
  return paths;
}

void WriteTexts(const std::vector<std::string_view>& texts, JuteWriter& out) {
  out.Count(texts.size());
  for (const std::string_view text : texts) out.Text(text);
}

// Before each operation of a transaction and each result of one, and behind the last.
struct MultiHeader {
  int32_t type = 0;
  bool done = false;
  int32_t error = 0;
};

MultiHeader ReadMultiHeader(JuteReader& in) { return {in.Int(), in.Bool(), in.Int()}; }

void WriteMultiHeader(Opcode type, int32_t error, JuteWriter& out) {
  out.Int(static_cast<int32_t>(type)).Bool(false).Int(error);
}

void WriteMultiEnd(JuteWriter& out) { out.Int(-1).Bool(true).Int(-1); }

// --- Requests

CreateRequest ReadCreate(Opcode opcode, JuteReader& in) {
  CreateRequest create{in.PathText(), in.Bytes(), ReadAcl(in), in.Int()};
  if (opcode == Opcode::kCreateTtl) create.ttl_ms = in.Long();
  return create;
}

// What ZooKeeper makes of a create inside of a transaction: it goes by the flags alone.
Opcode CreateOpcodeOf(int32_t flags) {
  switch (static_cast<CreateFlags>(flags)) {
    case CreateFlags::kContainer:
      return Opcode::kCreateContainer;
    case CreateFlags::kPersistentWithTtl:
    case CreateFlags::kPersistentSequentialWithTtl:
      return Opcode::kCreateTtl;
    default:
      return Opcode::kCreate;
  }
}

MultiOperation ReadMultiCreate(Opcode opcode, JuteReader& in) {
  CreateRequest create = ReadCreate(opcode, in);
  const Opcode meant = CreateOpcodeOf(create.flags);
  if (meant != Opcode::kCreateTtl) {
    create.ttl_ms = 0;
  } else if (opcode != Opcode::kCreateTtl) {
    in.Fail();  // how long is not there
  }
  return {meant, std::move(create)};
}

MultiOperation ReadMultiWrite(Opcode opcode, JuteReader& in) {
  switch (opcode) {
    case Opcode::kCreate:
    case Opcode::kCreate2:
    case Opcode::kCreateContainer:
    case Opcode::kCreateTtl:
      return ReadMultiCreate(opcode, in);
    case Opcode::kDelete:
      return {opcode, DeleteRequest{in.PathText(), in.Int()}};
    case Opcode::kSetData:
      return {opcode, SetDataRequest{in.PathText(), in.Bytes(), in.Int()}};
    case Opcode::kCheck:
      return {opcode, CheckVersionRequest{in.PathText(), in.Int()}};
    default:
      in.Fail();
      return {};
  }
}

MultiOperation ReadMultiRead(Opcode opcode, JuteReader& in) {
  if (opcode != Opcode::kGetData && opcode != Opcode::kGetChildren) {
    in.Fail();
    return {};
  }
  ReadRequest read{in.PathText(), in.Bool()};
  read.watch = false;
  return {opcode, read};
}

MultiRequest ReadMulti(bool reads, JuteReader& in) {
  MultiRequest multi;
  for (MultiHeader header = ReadMultiHeader(in); in.ok() && !header.done;
       header = ReadMultiHeader(in)) {
    const auto opcode = static_cast<Opcode>(header.type);
    multi.operations.push_back(reads ? ReadMultiRead(opcode, in) : ReadMultiWrite(opcode, in));
  }
  return multi;
}

SetWatchesRequest ReadSetWatches(Opcode opcode, JuteReader& in) {
  SetWatchesRequest watches{in.Long(), ReadPaths(in), ReadPaths(in), ReadPaths(in)};
  if (opcode == Opcode::kSetWatches2) {
    watches.persistent = ReadPaths(in);
    watches.recursive = ReadPaths(in);
  }
  return watches;
}

// An absent path is not possible where ZooKeeper fails on it; elsewhere it is like the empty one.
RequestBody ReadRequestBody(Opcode opcode, JuteReader& in) {
  switch (opcode) {
    case Opcode::kCreate:
    case Opcode::kCreate2:
    case Opcode::kCreateContainer:
    case Opcode::kCreateTtl:
      return ReadCreate(opcode, in);
    case Opcode::kDelete:
      return DeleteRequest{in.PathText(), in.Int()};
    case Opcode::kExists:
    case Opcode::kGetData:
    case Opcode::kGetChildren:
    case Opcode::kGetChildren2:
      return ReadRequest{in.PathText(), in.Bool()};
    case Opcode::kSetData:
      return SetDataRequest{in.Text(), in.Bytes(), in.Int()};
    case Opcode::kGetAcl:
    case Opcode::kGetAllChildrenNumber:
      return PathRequest{in.PathText()};
    case Opcode::kSetAcl:
      return SetAclRequest{in.Text(), ReadAcl(in), in.Int()};
    case Opcode::kSync:
      return SyncRequest{in.Bytes()};
    case Opcode::kMulti:
      return ReadMulti(/*reads=*/false, in);
    case Opcode::kMultiRead:
      return ReadMulti(/*reads=*/true, in);
    case Opcode::kReconfig:
      return ReconfigRequest{in.Bytes(), in.Bytes(), in.Bytes(), in.Long()};
    case Opcode::kCheckWatches:
    case Opcode::kRemoveWatches:
      return WatchesRequest{in.Text(), in.Int()};
    case Opcode::kAuth:
      return AuthRequest{in.Int(), in.Text(), in.Bytes()};
    case Opcode::kSetWatches:
    case Opcode::kSetWatches2:
      return ReadSetWatches(opcode, in);
    case Opcode::kSasl:
      return SaslRequest{in.Bytes()};
    case Opcode::kGetEphemerals:
      return GetEphemeralsRequest{in.Text()};
    case Opcode::kAddWatch:
      return AddWatchRequest{in.Text(), in.Int()};
    default:  // kPing, kWhoAmI, kCloseSession
      return EmptyRequest{};
  }
}

void Write(Opcode, const EmptyRequest&, JuteWriter&) {}
void Write(Opcode opcode, const CreateRequest& create, JuteWriter& out) {
  out.Text(create.path).Bytes(create.data);
  WriteAcl(create.acl, out);
  out.Int(create.flags);
  if (opcode == Opcode::kCreateTtl) out.Long(create.ttl_ms);
}
void Write(Opcode, const DeleteRequest& request, JuteWriter& out) {
  out.Text(request.path).Int(request.version);
}
void Write(Opcode, const CheckVersionRequest& check, JuteWriter& out) {
  out.Text(check.path).Int(check.version);
}
void Write(Opcode, const ReadRequest& read, JuteWriter& out) {
  out.Text(read.path).Bool(read.watch);
}
void Write(Opcode, const SetDataRequest& set, JuteWriter& out) {
  out.Text(set.path).Bytes(set.data).Int(set.version);
}
void Write(Opcode, const PathRequest& request, JuteWriter& out) { out.Text(request.path); }
void Write(Opcode, const SetAclRequest& set, JuteWriter& out) {
  out.Text(set.path);
  WriteAcl(set.acl, out);
  out.Int(set.aversion);
}
void Write(Opcode, const SyncRequest& sync, JuteWriter& out) { out.Bytes(sync.path); }
void Write(Opcode, const MultiRequest& multi, JuteWriter& out) {
  for (const MultiOperation& operation : multi.operations) {
    WriteMultiHeader(operation.opcode, -1, out);
    std::visit([&](const auto& body) { Write(operation.opcode, body, out); }, operation.body);
  }
  WriteMultiEnd(out);
}
void Write(Opcode, const ReconfigRequest& reconfig, JuteWriter& out) {
  out.Bytes(reconfig.joining).Bytes(reconfig.leaving).Bytes(reconfig.new_members);
  out.Long(reconfig.config_id);
}
void Write(Opcode, const WatchesRequest& watches, JuteWriter& out) {
  out.Text(watches.path).Int(watches.type);
}
void Write(Opcode, const AuthRequest& auth, JuteWriter& out) {
  out.Int(auth.type).Text(auth.scheme).Bytes(auth.auth);
}
void Write(Opcode opcode, const SetWatchesRequest& watches, JuteWriter& out) {
  out.Long(watches.relative_zxid);
  WriteTexts(watches.data, out);
  WriteTexts(watches.exist, out);
  WriteTexts(watches.child, out);
  if (opcode != Opcode::kSetWatches2) return;
  WriteTexts(watches.persistent, out);
  WriteTexts(watches.recursive, out);
}
void Write(Opcode, const SaslRequest& sasl, JuteWriter& out) { out.Bytes(sasl.token); }
void Write(Opcode, const GetEphemeralsRequest& request, JuteWriter& out) {
  out.Text(request.prefix);
}
void Write(Opcode, const AddWatchRequest& watch, JuteWriter& out) {
  out.Text(watch.path).Int(watch.mode);
}

// --- Replies

void Write(const EmptyReply&, JuteWriter&) {}
void Write(const PathReply& reply, JuteWriter& out) { out.Bytes(reply.path); }
void Write(const CreateReply& reply, JuteWriter& out) {
  out.Text(reply.path);
  EncodeStat(reply.stat, out);
}
void Write(const StatReply& reply, JuteWriter& out) { EncodeStat(reply.stat, out); }
void Write(const DataReply& reply, JuteWriter& out) {
  out.Bytes(reply.data);
  EncodeStat(reply.stat, out);
}
void Write(const AclReply& reply, JuteWriter& out) {
  WriteAcl(reply.acl, out);
  EncodeStat(reply.stat, out);
}
void Write(const NamesReply& reply, JuteWriter& out) { WriteTexts(reply.names, out); }
void Write(const NamesStatReply& reply, JuteWriter& out) {
  WriteTexts(reply.names, out);
  EncodeStat(reply.stat, out);
}
void Write(const ErrorReply& reply, JuteWriter& out) {
  out.Int(static_cast<int32_t>(reply.error));
}
void Write(const MultiReply& reply, JuteWriter& out) {
  for (const MultiResult& result : reply.results) {
    const auto* failed = std::get_if<ErrorReply>(&result.body);
    const ZkError error = failed == nullptr ? ZkError::kOk : failed->error;
    WriteMultiHeader(result.opcode, static_cast<int32_t>(error), out);
    std::visit([&out](const auto& body) { Write(body, out); }, result.body);
  }
  WriteMultiEnd(out);
}
void Write(const TokenReply& reply, JuteWriter& out) { out.Bytes(reply.token); }
void Write(const CountReply& reply, JuteWriter& out) { out.Int(reply.count); }
void Write(const WhoAmIReply& reply, JuteWriter& out) {
  out.Count(reply.identities.size());
  for (const ClientIdentity& identity : reply.identities) {
    out.Text(identity.scheme).Text(identity.user);
  }
}
void Write(const WatcherEvent& event, JuteWriter& out) {
  out.Int(event.type).Int(event.state).Text(event.path);
}

ErrorReply ReadError(JuteReader& in) { return {static_cast<ZkError>(in.Int())}; }

MultiResult ReadMultiResult(Opcode opcode, JuteReader& in) {
  switch (opcode) {
    case Opcode::kError:
      return {opcode, ReadError(in)};
    case Opcode::kDelete:
    case Opcode::kCheck:
      return {opcode, EmptyReply{}};
    case Opcode::kCreate:
      return {opcode, PathReply{in.Bytes()}};
    case Opcode::kCreate2:
      return {opcode, CreateReply{in.Text(), ReadStat(in)}};
    case Opcode::kSetData:
      return {opcode, StatReply{ReadStat(in)}};
    case Opcode::kGetData:
      return {opcode, DataReply{in.Bytes(), ReadStat(in)}};
    case Opcode::kGetChildren:
      return {opcode, NamesReply{ReadTexts(in)}};
    default:
      in.Fail();
      return {};
  }
}

MultiReply ReadMultiReply(JuteReader& in) {
  MultiReply multi;
  for (MultiHeader header = ReadMultiHeader(in); in.ok() && !header.done;
       header = ReadMultiHeader(in)) {
    multi.results.push_back(ReadMultiResult(static_cast<Opcode>(header.type), in));
  }
  return multi;
}

WhoAmIReply ReadWhoAmI(JuteReader& in) {
  WhoAmIReply reply;
  reply.identities.resize(in.Count(kIdentityBytesMin));
  for (ClientIdentity& identity : reply.identities) identity = {in.Text(), in.Text()};
  return reply;
}

ReplyBody ReadReplyBody(Opcode opcode, JuteReader& in) {
  switch (opcode) {
    case Opcode::kCreate:
    case Opcode::kSync:
      return PathReply{in.Bytes()};
    case Opcode::kCreate2:
    case Opcode::kCreateContainer:
    case Opcode::kCreateTtl:
      return CreateReply{in.Text(), ReadStat(in)};
    case Opcode::kExists:
    case Opcode::kSetData:
    case Opcode::kSetAcl:
      return StatReply{ReadStat(in)};
    case Opcode::kGetData:
    case Opcode::kReconfig:
      return DataReply{in.Bytes(), ReadStat(in)};
    case Opcode::kGetAcl:
      return AclReply{ReadAcl(in), ReadStat(in)};
    case Opcode::kGetChildren:
    case Opcode::kGetEphemerals:
      return NamesReply{ReadTexts(in)};
    case Opcode::kGetChildren2:
      return NamesStatReply{ReadTexts(in), ReadStat(in)};
    case Opcode::kMulti:
    case Opcode::kMultiRead:
      return ReadMultiReply(in);
    case Opcode::kSasl:
      return TokenReply{in.Bytes()};
    case Opcode::kGetAllChildrenNumber:
      return CountReply{in.Int()};
    case Opcode::kAddWatch:
      return ReadError(in);
    case Opcode::kWhoAmI:
      return ReadWhoAmI(in);
    case Opcode::kNotification:
      return WatcherEvent{in.Int(), in.Int(), in.Text()};
    default:  // of EmptyReply
      return EmptyReply{};
  }
}

RequestHeader ReadRequestHeader(JuteReader& in) { return {in.Int(), in.Int()}; }

ReplyHeader ReadReplyHeader(JuteReader& in) {
  return {in.Int(), in.Long(), static_cast<ZkError>(in.Int())};
}

// The last byte of both messages of the handshake, which old clients and servers don't send.
std::optional<bool> ReadReadOnly(JuteReader& in) {
  if (in.remaining() == 0) return std::nullopt;
  return in.Bool();
}

}  // namespace

std::optional<ConnectRequest> DecodeConnectRequest(std::string_view frame) {
  JuteReader in(frame);
  ConnectRequest request{in.Int(), in.Long(), in.Int(), in.Long(), in.Text()};
  if (!in.ok()) return std::nullopt;
  request.read_only = ReadReadOnly(in);
  return request;
}

std::optional<ConnectResponse> DecodeConnectResponse(std::string_view frame) {
  JuteReader in(frame);
  ConnectResponse response{in.Int(), in.Int(), in.Long(), in.Text()};
  if (!in.ok()) return std::nullopt;
  response.read_only = ReadReadOnly(in);
  return response;
}

void EncodeConnectRequest(const ConnectRequest& request, std::string& out) {
  JuteWriter writer(out);
  writer.Int(request.protocol_version).Long(request.last_zxid_seen).Int(request.timeout_ms);
  writer.Long(request.session_id).Text(request.password);
  if (request.read_only.has_value()) writer.Bool(*request.read_only);
}

void EncodeConnectResponse(const ConnectResponse& response, std::string& out) {
  JuteWriter writer(out);
  writer.Int(response.protocol_version).Int(response.timeout_ms).Long(response.session_id);
  writer.Text(response.password);
  if (response.read_only.has_value()) writer.Bool(*response.read_only);
}

std::optional<RequestHeader> DecodeRequestHeader(std::string_view frame) {
  JuteReader in(frame);
  const RequestHeader header = ReadRequestHeader(in);
  if (!in.ok()) return std::nullopt;
  return header;
}

ZkError DecodeRequest(std::string_view frame, Request& request) {
  JuteReader in(frame);
  const RequestHeader header = ReadRequestHeader(in);
  request.xid = header.xid;
  if (!in.ok() || !IsRequestable(header.opcode)) return ZkError::kUnimplemented;
  request.opcode = static_cast<Opcode>(header.opcode);
  request.body = ReadRequestBody(request.opcode, in);
  return in.ok() ? ZkError::kOk : ZkError::kMarshallingError;
}

void EncodeRequest(const Request& request, std::string& out) {
  JuteWriter writer(out);
  writer.Int(request.xid).Int(static_cast<int32_t>(request.opcode));
  std::visit([&](const auto& body) { Write(request.opcode, body, writer); }, request.body);
}

void EncodeReply(const Reply& reply, std::string& out) {
  EncodeReplyHeader(reply.header, out);
  if (reply.header.error != ZkError::kOk) return;
  JuteWriter writer(out);
  std::visit([&writer](const auto& body) { Write(body, writer); }, reply.body);
}

void EncodeReplyHeader(const ReplyHeader& header, std::string& out) {
  JuteWriter(out).Int(header.xid).Long(header.zxid).Int(static_cast<int32_t>(header.error));
}

void EncodeStat(const Stat& stat, JuteWriter& out) {
  out.Long(stat.czxid).Long(stat.mzxid).Long(stat.ctime_ms).Long(stat.mtime_ms);
  out.Int(stat.version).Int(stat.cversion).Int(stat.aversion).Long(stat.ephemeral_owner);
  out.Int(stat.data_length).Int(stat.num_children).Long(stat.pzxid);
}

std::optional<ReplyHeader> DecodeReplyHeader(std::string_view frame) {
  JuteReader in(frame);
  const ReplyHeader header = ReadReplyHeader(in);
  if (!in.ok()) return std::nullopt;
  return header;
}

std::optional<Reply> DecodeReply(Opcode opcode, std::string_view frame) {
  JuteReader in(frame);
  Reply reply;
  reply.header = ReadReplyHeader(in);
  if (in.ok() && reply.header.error == ZkError::kOk) reply.body = ReadReplyBody(opcode, in);
  if (!in.ok()) return std::nullopt;
  return reply;
}

}  // namespace bellwether::coord::zk::wire
