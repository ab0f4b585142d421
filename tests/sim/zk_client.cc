#include "tests/sim/zk_client.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "coord/service/identities.h"
#include "tests/sim/zk_users.h"

namespace bellwether::sim {
namespace {

namespace wire = coord::zk::wire;
using wire::ZkError;

constexpr absl::Duration kReconnectWithin = absl::Milliseconds(100);  // in the world's time scale
// A connection that was left is asked so often, that many times a timeout, whether it still serves.
constexpr int kAskedWhenLeftMax = 24;
constexpr int kAskedWhenLeftPerTimeout = 24;

std::string Framed(const std::function<void(std::string&)>& append) {
  std::string bytes;
  const size_t begin = wire::BeginFrame(bytes);
  append(bytes);
  CHECK(wire::EndFrame(bytes, begin));
  return bytes;
}

std::string Framed(const wire::Request& request) {
  return Framed([&request](std::string& out) { wire::EncodeRequest(request, out); });
}

coord::tree::Stat ToTree(const wire::Stat& stat) {
  coord::tree::Stat made;
  made.czxid = Zxid(stat.czxid);
  made.mzxid = Zxid(stat.mzxid);
  made.pzxid = Zxid(stat.pzxid);
  made.ctime_ms = stat.ctime_ms;
  made.mtime_ms = stat.mtime_ms;
  made.version = stat.version;
  made.cversion = stat.cversion;
  made.aversion = stat.aversion;
  made.data_length = stat.data_length;
  made.num_children = stat.num_children;
  made.ephemeral_owner = coord::tree::SessionId(static_cast<uint64_t>(stat.ephemeral_owner));
  return made;
}

// Copies what a reply's body has into the operation.
struct Keeper {
  ZkOperation& operation;

  void operator()(const wire::PathReply& reply) const {
    operation.created = std::string(reply.path.value_or(""));
  }
  void operator()(const wire::CreateReply& reply) const {
    operation.created = std::string(reply.path);
    operation.stat = ToTree(reply.stat);
  }
  void operator()(const wire::StatReply& reply) const { operation.stat = ToTree(reply.stat); }
  void operator()(const wire::DataReply& reply) const {
    if (reply.data.has_value()) operation.bytes = std::string(*reply.data);
    operation.stat = ToTree(reply.stat);
  }
  void operator()(const wire::AclReply& reply) const {
    for (const wire::AclEntry& entry : reply.acl) {
      operation.acl.push_back({static_cast<uint32_t>(entry.permissions), std::string(entry.scheme),
                               std::string(entry.id)});
    }
    operation.stat = ToTree(reply.stat);
  }
  void operator()(const wire::NamesStatReply& reply) const {
    operation.names.assign(reply.names.begin(), reply.names.end());
    operation.stat = ToTree(reply.stat);
  }
  void operator()(const wire::CountReply& reply) const { operation.count = reply.count; }
  void operator()(const wire::MultiReply& reply) const {
    for (const wire::MultiResult& result : reply.results) {
      const auto* error = std::get_if<wire::ErrorReply>(&result.body);
      operation.results.push_back(error == nullptr ? ZkError::kOk : error->error);
    }
  }
  template <typename Other>
  void operator()(const Other&) const {}
};

}  // namespace

ZkClient::ZkClient(uint32_t slot, uint64_t serial, const Options& options, Dependencies deps)
    : slot_(slot),
      serial_(serial),
      options_(options),
      deps_(std::move(deps)),
      random_(deps_.scheduler.random().Next()),
      user_(random_.Below(2)),
      proves_user_(random_.Chance(0.7)),
      operates_(random_.Chance(0.7)),
      outstanding_max_(options.outstanding_max),
      executor_(deps_.scheduler),
      timeout_(options.session_timeout) {
  executor_.Post([this] {
    Connect();
    CheckOnConnection();
    Think();
  });
}

ZkClient::~ZkClient() {
  executor_.Stop();
  if (link_ != nullptr) link_->Cancel();
  LetGoOfLeft();
  for (ZkOperation* operation : pending_) operation->session = session_;
  if (SessionRecord* session = FindSession()) session->abandoned = true;
}

std::string ZkClient::State() const {
  return fmt::format("client {} of ZooKeeper's, session {:#x} {} server {}, {} requests unanswered",
                     serial_, session_.value(), attached_ ? "attached at" : "tries", server_,
                     pending_.size());
}

size_t ZkClient::writes_outstanding() const {
  return static_cast<size_t>(std::count_if(pending_.begin(), pending_.end(),
                                           [](const ZkOperation* op) { return op->is_write(); }));
}

SessionRecord* ZkClient::FindSession() {
  const auto session = deps_.history.sessions.find(session_);
  return session == deps_.history.sessions.end() ? nullptr : &session->second;
}

// ---- Connections ----

void ZkClient::Connect() {
  if (over_ || link_ != nullptr) return;
  server_ = 1 + static_cast<uint32_t>(random_.Below(options_.servers));
  connection_ = &deps_.history.zk_connections.emplace_back();
  connection_->client = serial_;
  connection_->number = ++last_connection_;
  attached_ = false;
  pipelines_ = random_.Chance(0.3);
  input_ = wire::FrameReader(wire::kFrameBytesMax);
  identities_ = {coord::AddressIdentity(fmt::format("10.0.0.{}:40312", slot_))};
  heard_ = deps_.scheduler.now();
  ZkLink::Callbacks callbacks;
  callbacks.on_piece = [this, number = last_connection_](ZkLink::Piece piece) {
    OnPiece(number, std::move(piece));
  };
  callbacks.on_end = [this, number = last_connection_] {
    if (link_ != nullptr && connection_->number == number) Disconnect("it ended");
    if (left_.link != nullptr && left_.connection->number == number) left_ = Left();
  };
  link_ = std::make_shared<ZkLink>(deps_.network, slot_, server_, executor_, std::move(callbacks));
  deps_.network.Open(link_);
  SendHandshake();
  if (proves_user_) SendAuth(user_);
  connection_->first_identities = connection_->last_identities = identities_;
  SetWatchesAgain();
}

void ZkClient::SendHandshake() {
  wire::ConnectRequest request;
  request.last_zxid_seen = last_zxid_;
  request.timeout_ms =
      static_cast<int32_t>(absl::ToInt64Milliseconds(options_.session_timeout));
  request.session_id = static_cast<int64_t>(session_.value());
  request.password = password_;
  const uint64_t choice = random_.Below(10);
  if (choice < 8) request.read_only = choice < 3;
  may_be_read_only_ = request.read_only == true;
  connect_sent_ = deps_.scheduler.now();
  link_->Send(Framed([&request](std::string& out) { wire::EncodeConnectRequest(request, out); }),
              nullptr);
}

// What is asked behind it is asked as that user, too (Z51).
void ZkClient::SendAuth(uint64_t user) { Prove(PasswordOfUser(user)); }

void ZkClient::Prove(std::string_view password) {
  wire::Request request;
  request.xid = wire::kAuthXid;
  request.opcode = Opcode::kAuth;
  request.body = wire::AuthRequest{0, "digest", password};
  link_->Send(Framed(request), nullptr);
  auto proved = coord::Authenticate(identities_, "digest", password,
                                    coord::DigestIdentity(kSuperPassword).id);
  CHECK(proved.has_value());
  identities_ = *std::move(proved);
  connection_->last_identities = identities_;
}

void ZkClient::SetWatchesAgain() {
  if (session_ == coord::tree::SessionId(0)) return;
  if (data_watches_.empty() && exist_watches_.empty() && child_watches_.empty() &&
      persistent_watches_.empty() && recursive_watches_.empty()) {
    return;
  }
  ZkOperation& operation = NewOperation(Opcode::kSetWatches2, "");
  operation.xid = wire::kSetWatchesXid;
  operation.relative = Zxid(last_zxid_);
  operation.data.assign(data_watches_.begin(), data_watches_.end());
  operation.exist.assign(exist_watches_.begin(), exist_watches_.end());
  operation.child.assign(child_watches_.begin(), child_watches_.end());
  operation.persistent.assign(persistent_watches_.begin(), persistent_watches_.end());
  operation.all_below.assign(recursive_watches_.begin(), recursive_watches_.end());
  wire::SetWatchesRequest request;
  request.relative_zxid = last_zxid_;
  request.data.assign(operation.data.begin(), operation.data.end());
  request.exist.assign(operation.exist.begin(), operation.exist.end());
  request.child.assign(operation.child.begin(), operation.child.end());
  request.persistent.assign(operation.persistent.begin(), operation.persistent.end());
  request.recursive.assign(operation.all_below.begin(), operation.all_below.end());
  Send(operation, std::move(request));
}

void ZkClient::Disconnect(std::string_view why) {
  deps_.trace.Add("client {} has no connection to server {}: {}", serial_, server_, why);
  if (link_ != left_.link) link_->Cancel();
  link_.reset();
  on_reconfigured_ = nullptr;
  for (ZkOperation* operation : pending_) {
    operation->outcome = ZkOperation::Outcome::kLost;
    operation->session = session_;
  }
  pending_.clear();
  if (over_) return;
  const double share = static_cast<double>(random_.Below(1000)) / 1000;
  executor_.RunAfter(kReconnectWithin * options_.time_scale * share, [this] { Connect(); });
}

// Goes to another server with its session, as a client does that takes this connection for dead;
// here it lives on, and must come to nothing.
void ZkClient::Leave() {
  LetGoOfLeft();
  left_.link = link_;
  left_.connection = connection_;
  left_.input = std::move(input_);
  Disconnect("it was left");
  AskWhereLeft(left_.connection->number);
}

void ZkClient::LetGoOfLeft() {
  if (left_.link != nullptr) left_.link->Cancel();
  left_ = Left();
}

void ZkClient::AskWhereLeft(uint64_t connection) {
  if (left_.link == nullptr || left_.connection->number != connection) return;
  if (++left_.asked > kAskedWhenLeftMax) return LetGoOfLeft();
  left_.link->Send(Framed({wire::kPingXid, Opcode::kPing, wire::EmptyRequest{}}), nullptr);
  executor_.RunAfter(timeout_ / kAskedWhenLeftPerTimeout,
                     [this, connection] { AskWhereLeft(connection); });
}

// As ZooKeeper's clients do: words when idle for a third of the timeout, another server after two
// thirds of it without any.
void ZkClient::CheckOnConnection() {
  if (over_) return;
  const absl::Duration now = deps_.scheduler.now();
  if (link_ != nullptr && now - heard_ > timeout_ * 2 / 3) {
    Disconnect("it is silent");
  } else if (link_ != nullptr && attached_ && now - sent_ > timeout_ / 3) {
    sent_ = now;
    link_->Send(Framed({wire::kPingXid, Opcode::kPing, wire::EmptyRequest{}}), nullptr);
  }
  executor_.RunAfter(timeout_ / 12, [this] { CheckOnConnection(); });
}

// ---- What comes ----

void ZkClient::OnPiece(uint64_t connection, ZkLink::Piece piece) {
  if (left_.link != nullptr && left_.connection->number == connection) return OnPieceOfLeft(piece);
  if (link_ == nullptr || connection_->number != connection) return;
  heard_ = deps_.scheduler.now();
  input_.Append(piece.bytes);
  while (link_ != nullptr && !over_) {
    const std::optional<std::string_view> frame = input_.Next();
    if (!frame.has_value()) break;
    OnFrame(*frame, piece);
  }
}

void ZkClient::OnPieceOfLeft(const ZkLink::Piece& piece) {
  left_.input.Append(piece.bytes);
  while (const std::optional<std::string_view> frame = left_.input.Next()) {
    const std::optional<wire::ReplyHeader> header = wire::DecodeReplyHeader(*frame);
    if (!header.has_value()) continue;
    if (header->xid == wire::kNotificationXid || header->xid == wire::kAuthXid) continue;
    left_.connection->answered_when_left.push_back(Zxid(header->zxid));
  }
}

void ZkClient::OnFrame(std::string_view frame, const ZkLink::Piece& piece) {
  if (!attached_) return OnHandshake(frame);
  const std::optional<wire::ReplyHeader> header = wire::DecodeReplyHeader(frame);
  if (!header.has_value()) {
    return deps_.violations.Add("zk replies", "client {} can't read a reply", serial_);
  }
  switch (header->xid) {
    case wire::kNotificationXid:
      return OnEvent(frame);
    case wire::kAuthXid:
      if (header->error == ZkError::kOk && header->zxid == 0) return;
      return deps_.violations.Add("zk replies", "client {} could not prove who it is: {}", serial_,
                                  static_cast<int32_t>(header->error));
    case wire::kPingXid:
      connection_->arrivals.push_back({ZkArrival::Kind::kPing, Zxid(header->zxid)});
      return SawZxid(header->zxid);
    default:
      return OnReply(*header, frame, piece);
  }
}

void ZkClient::OnHandshake(std::string_view frame) {
  const std::optional<wire::ConnectResponse> response = wire::DecodeConnectResponse(frame);
  if (!response.has_value()) {
    return deps_.violations.Add("zk replies", "client {} can't read its handshake", serial_);
  }
  if (response->session_id == 0 || response->timeout_ms <= 0) {
    if (session_ == coord::tree::SessionId(0)) {
      deps_.violations.Add("session life", "client {} was refused a new session", serial_);
    }
    return SessionIsOver("expired");
  }
  if (response->read_only == true) return OnReadOnly(*response);
  const coord::tree::SessionId session(static_cast<uint64_t>(response->session_id));
  if (session_ != coord::tree::SessionId(0) && session != session_) {
    deps_.violations.Add("session life", "client {} was given session {:#x} in place of {:#x}",
                         serial_, session.value(), session_.value());
  }
  session_ = session;
  connection_->session = session;
  password_ = std::string(response->password);
  attached_ = true;
  timeout_ = absl::Milliseconds(response->timeout_ms);
  deadline_ = std::max(deadline_, connect_sent_ + timeout_);
  SessionRecord& record = deps_.history.sessions[session_];
  record.client = serial_;
  record.timeout = timeout_;
  record.deadline_max = std::max(record.deadline_max, deadline_);
  deps_.trace.Add("client {} is attached session={:#x} server={}", serial_, session_.value(),
                  server_);
}

// Its session, if it has one, is promised nothing.
void ZkClient::OnReadOnly(const wire::ConnectResponse& response) {
  if (!may_be_read_only_) {
    deps_.violations.Add("zk read-only", "client {} was given a read-only connection", serial_);
  }
  attached_ = true;
  connection_->read_only = true;
  timeout_ = absl::Milliseconds(response.timeout_ms);
  deps_.trace.Add("client {} may read at server {}", serial_, server_);
}

void ZkClient::SawZxid(int64_t zxid) {
  if (zxid > 0) last_zxid_ = zxid;
}

void ZkClient::OnEvent(std::string_view frame) {
  const std::optional<wire::Reply> reply = wire::DecodeReply(Opcode::kNotification, frame);
  const auto* event = reply.has_value() ? std::get_if<wire::WatcherEvent>(&reply->body) : nullptr;
  if (event == nullptr || event->state != wire::kSyncConnected) {
    return deps_.violations.Add("zk replies", "client {} can't read an event", serial_);
  }
  ZkArrival arrival{ZkArrival::Kind::kEvent, Zxid(reply->header.zxid)};
  arrival.type = static_cast<wire::EventType>(event->type);
  arrival.path = std::string(event->path);
  deps_.trace.Add("client {} event {} {} zxid={}", serial_, event->type, arrival.path,
                  arrival.zxid);
  if (arrival.type == wire::EventType::kNodeChildrenChanged) {
    child_watches_.erase(arrival.path);
  } else {
    data_watches_.erase(arrival.path);
    exist_watches_.erase(arrival.path);
    if (arrival.type == wire::EventType::kNodeDeleted) child_watches_.erase(arrival.path);
  }
  connection_->arrivals.push_back(std::move(arrival));
}

void ZkClient::OnReply(const wire::ReplyHeader& header, std::string_view frame,
                       const ZkLink::Piece& piece) {
  if (pending_.empty() || pending_.front()->xid != header.xid) {
    return deps_.violations.Add("zk replies", "client {} was answered {} instead of {}", serial_,
                                header.xid, pending_.empty() ? 0 : pending_.front()->xid);
  }
  ZkOperation& operation = *pending_.front();
  pending_.pop_front();
  const std::optional<wire::Reply> reply = wire::DecodeReply(operation.opcode, frame);
  if (!reply.has_value()) {
    return deps_.violations.Add("zk replies", "{} was answered with something else",
                                Describe(operation));
  }
  operation.outcome = ZkOperation::Outcome::kAnswered;
  operation.ceiling = Newest();
  operation.session = session_;
  operation.error = header.error;
  operation.zxid = Zxid(header.zxid);
  operation.read_only = connection_->read_only;
  operation.answered_without_contact = operation.read_without_contact && !piece.in_contact &&
                                       operation.contact_until_when_read == piece.contact_until;
  std::visit(Keeper{operation}, reply->body);
  connection_->arrivals.push_back({ZkArrival::Kind::kReply, operation.zxid, &operation});
  SawZxid(header.zxid);
  deps_.trace.Add("{} -> {} zxid {}", Describe(operation), static_cast<int32_t>(header.error),
                  operation.zxid);
  OnAnswered(operation);
}

void ZkClient::OnAnswered(const ZkOperation& operation) {
  if (operation.stat.has_value() && !operation.is_write()) last_version_ = operation.stat->version;
  if (operation.is_write() && !operation.created.empty() && operation.created != operation.path) {
    constexpr size_t kSequentialPathsKept = 8;
    if (sequential_paths_.size() == kSequentialPathsKept) sequential_paths_.clear();
    sequential_paths_.push_back(operation.created);
  }
  RememberWatch(operation);
  OnConfig(operation);
  if (operation.opcode == Opcode::kCloseSession && operation.error == ZkError::kOk) {
    return SessionIsOver("closed");
  }
  if (last_write_ != nullptr && last_write_->answered() && last_read_->answered() &&
      last_write_->error == ZkError::kOk && last_read_->error == ZkError::kOk) {
    last_answered_ = true;
  }
}

void ZkClient::RememberWatch(const ZkOperation& operation) {
  const bool ok = operation.error == ZkError::kOk;
  const std::string& path = operation.path;
  if (operation.opcode == Opcode::kAddWatch && ok) {
    (operation.recursive ? recursive_watches_ : persistent_watches_).insert(path);
  } else if (operation.opcode == Opcode::kRemoveWatches && ok) {
    using Type = wire::WatcherType;
    const Type type = operation.watcher_type;
    const bool any = type == Type::kAny;
    if (any || type == Type::kData) data_watches_.erase(path), exist_watches_.erase(path);
    if (any || type == Type::kChildren) child_watches_.erase(path);
    if (any || type == Type::kPersistent) persistent_watches_.erase(path);
    if (any || type == Type::kPersistentRecursive) recursive_watches_.erase(path);
  } else if (operation.watch && ok) {
    (operation.opcode == Opcode::kGetChildren2 ? child_watches_ : data_watches_).insert(path);
  } else if (operation.watch && operation.opcode == Opcode::kExists &&
             operation.error == ZkError::kNoNode) {
    exist_watches_.insert(path);
  }
}

void ZkClient::SessionIsOver(std::string_view why) {
  if (SessionRecord* session = FindSession()) session->told_ended = true;
  over_ = true;
  Disconnect(why);
  deps_.on_over();
}

}  // namespace bellwether::sim
