#include "coord/zk/protocol.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/uuid.h"
#include "coord/zk/read_only.h"
#include "coord/zk/requests.h"

namespace bellwether::coord::zk {
namespace {

using wire::Opcode;
using wire::ZkError;

// What may wait for the session behind the handshake, but for the last piece (Z43).
constexpr size_t kInputBeforeSessionBytesMax = 64 << 10;
constexpr size_t kPromptBytesMax = 64 << 10;
// What replies need of requests that are under way, or whose answers wait to be taken.
constexpr size_t kPendingBytesMax = 8 << 20;
// Room for this many frames is kept between calls, once for all clients of a thread.
constexpr size_t kTakenFramesKept = 64;
thread_local std::vector<ServerFrame> frames_kept;
// How often a read-only client is looked at.
constexpr absl::Duration kReadOnlyInterval = absl::Milliseconds(500);
// Of a reconfiguration, and no more than half of the session's timeout: its client must hear that the
// server lives.
constexpr absl::Duration kReconfigureMax = absl::Seconds(10);

}  // namespace

// What the connection holds of its protocol, which holds the connection.
class Protocol::Sink : public StreamSink {
 public:
  explicit Sink(std::weak_ptr<Protocol> protocol) : protocol_(std::move(protocol)) {}

  void OnOutput() override {
    if (const auto protocol = protocol_.lock()) protocol->Wake();
  }
  void OnResume() override {
    if (const auto protocol = protocol_.lock()) protocol->Resume();
  }

 private:
  const std::weak_ptr<Protocol> protocol_;
};

std::shared_ptr<Protocol> Protocol::Create(const ProtocolContext& context, base::Executor& executor,
                                           ClientAddress address,
                                           std::shared_ptr<TrafficFigures> traffic,
                                           std::function<void()> wake) {
  return std::shared_ptr<Protocol>(new Protocol(context, executor, std::move(address),
                                                std::move(traffic), std::move(wake)));
}

Protocol::Protocol(const ProtocolContext& context, base::Executor& executor, ClientAddress address,
                   std::shared_ptr<TrafficFigures> traffic, std::function<void()> wake)
    : context_(context),
      executor_(executor),
      address_(std::move(address)),
      wake_(std::move(wake)),
      now_(context.clock.Monotonic()),
      established_(context.clock.Wall()),
      established_at_(now_),
      last_response_at_(now_),
      traffic_(std::move(traffic)) {}

Protocol::~Protocol() { Close(); }

// ---- Input ----

void Protocol::Receive(std::string_view bytes) {
  if (phase_ == Phase::kClosing || phase_ == Phase::kClosed || last_request_read_) return;
  now_ = received_at_ = context_.clock.Monotonic();
  input_.Append(bytes);
  ReadFrames();
}

bool Protocol::wants_input() const {
  if (phase_ == Phase::kAttaching) return input_.unread().size() < kInputBeforeSessionBytesMax;
  return ReadsFrames();
}

bool Protocol::ReadsFrames() const {
  return (phase_ == Phase::kHandshake || phase_ == Phase::kOpen) && !paused_ &&
         !last_request_read_ && prompt_.size() < kPromptBytesMax &&
         pending_bytes_ < kPendingBytesMax;
}

void Protocol::ReadFrames() {
  while (ReadsFrames()) {
    const std::optional<std::string_view> frame = input_.Next();
    if (!frame.has_value()) break;
    traffic_.Received();
    if (phase_ == Phase::kHandshake) {
      OnHandshake(*frame);
    } else {
      OnRequest(*frame);
    }
  }
  if (input_.bad()) Close();  // Z47
}

void Protocol::OnHandshake(std::string_view frame) {
  const std::optional<wire::ConnectRequest> request = wire::DecodeConnectRequest(frame);
  if (!request.has_value()) return Close();
  const uint32_t level = context_.service.feature_level();
  if (level < tree::kFeatureLevelAcls) {
    LOG_INFO("ZooKeeper handshake refused client={} feature_level={} needed={}: finish the upgrade "
             "of all servers and run `bell cluster upgrade --finalize`",
             address_.endpoint, level, tree::kFeatureLevelAcls);
    return Close();
  }
  // Another server is further on, and this one must not take the client back (Z9).
  if (Zxid(request->last_zxid_seen) > context_.service.applied_zxid()) return Close();
  tells_read_only_ = request->read_only.has_value();
  if (request->session_id != 0 && request->password.size() != tree::SessionPassword().size()) {
    return RefuseSession();
  }
  if (request->read_only == true && context_.service.ServesReadOnly()) {
    return OpenReadOnly(*request, frame.size());
  }
  OpenSession(*request, frame.size());
}

// Z39
void Protocol::RefuseSession() {
  AppendHandshake(nullptr, SaysReadOnly(), prompt_);
  traffic_.Sent();
  CloseAfterPrompt();
}

bool Protocol::OpenConnection() {
  auto opened = context_.service.OpenConnection(
      Principal{address_.endpoint}, std::make_shared<Sink>(weak_from_this()), &executor_);
  if (!opened.ok()) {
    LOG_DEBUG("ZooKeeper handshake refused client={} reason=\"{}\"", address_.endpoint,
              opened.status());
    Close();
    return false;
  }
  connection_ = *std::move(opened);
  identities_ = connection_->identities();
  phase_ = Phase::kAttaching;
  input_.set_frame_bytes_max(wire::kFrameBytesMax);
  return true;
}

void Protocol::OpenSession(const wire::ConnectRequest& request, size_t bytes) {
  if (!OpenConnection()) return;
  AttachRequest attach;
  attach.session = SessionId(static_cast<uint64_t>(request.session_id));
  if (request.session_id == 0) {
    attach.nonce = base::Uuid::FromRandom(context_.random(), context_.random());
  } else {
    std::copy(request.password.begin(), request.password.end(), attach.password.begin());
  }
  attach.timeout_ms = std::max(request.timeout_ms, 1);  // 0 would be the default (Z38)
  attach.min_zxid = Zxid(request.last_zxid_seen);
  attach.needs_contact = true;
  connection_->Submit(std::move(attach), bytes);
}

// Its session, if it has one, stays what it is: nobody here can end or prolong it.
void Protocol::OpenReadOnly(const wire::ConnectRequest& request, size_t bytes) {
  read_only_ = true;
  const tree::SessionGrant grant =
      ReadOnlyGrant(request, context_.service.options().session_timeout_min_ms,
                    context_.service.options().session_timeout_max_ms, context_.random);
  if (!IsReadOnlySession(grant.session)) {
    const auto proved = context_.service.ProvesSession(grant.session, grant.password);
    // It may live all the same; only a quorum knows.
    if (!proved.has_value()) return Close();
    if (!*proved) return RefuseSession();
  }
  if (!OpenConnection()) return;
  grant_ = grant;
  AttachRequest attach;
  attach.read_only = true;
  connection_->Submit(std::move(attach), bytes);
}

void Protocol::OnRequest(std::string_view frame) {
  const std::optional<wire::RequestHeader> header = wire::DecodeRequestHeader(frame);
  if (!header.has_value()) return Close();
  wire::Request request;
  const ZkError error = wire::DecodeRequest(frame, request);
  if (error != ZkError::kOk) return OnUnreadable(*header, error, frame.size());
  if (const auto* auth = std::get_if<wire::AuthRequest>(&request.body)) {
    return OnAuth(request.xid, *auth);
  }
  if (request.opcode == Opcode::kSasl) {
    AppendHeader({request.xid, 0, ZkError::kAuthFailed}, prompt_);
    traffic_.Sent();
    return CloseAfterPrompt();
  }
  if (read_only_ && (NeedsQuorum(request.opcode) || request.opcode == Opcode::kCloseSession)) {
    return OnReadOnlyRequest(request, frame.size());
  }
  PendingReply reply;
  reply.received = now_;
  TranslatedRequest translated = TranslateRequest(request, identities_, reply);
  if (auto* reconfigure = std::get_if<Reconfigure>(&translated.operation)) {
    reconfigure->time_max =
        std::min(absl::Milliseconds(grant_.timeout_ms) / 2, kReconfigureMax);
  }
  Submit(std::move(translated.operation), std::move(reply),
         frame.size() + translated.overhead_bytes);
}

// What only a quorum can do is refused in its turn; so is the end of a session of the ensemble.
void Protocol::OnReadOnlyRequest(const wire::Request& request, size_t bytes) {
  PendingReply reply;
  reply.received = now_;
  reply.xid = request.xid;
  reply.opcode = request.opcode;
  reply.ends_connection = request.opcode == Opcode::kCloseSession;
  if (!reply.ends_connection || !IsReadOnlySession(grant_.session)) {
    reply.refusal = ZkError::kNotReadOnly;
  }
  Submit(EchoRead{}, std::move(reply), bytes);
}

// Answered in its turn; after an unknown opcode nobody knows what else would be misunderstood.
void Protocol::OnUnreadable(const wire::RequestHeader& header, ZkError error, size_t bytes) {
  const auto opcode = static_cast<Opcode>(header.opcode);
  if (opcode == Opcode::kAuth || opcode == Opcode::kSasl) return Close();
  PendingReply reply;
  reply.received = now_;
  reply.xid = header.xid;
  reply.refusal = error;
  reply.ends_connection = error == ZkError::kUnimplemented;
  Submit(EchoRead{}, std::move(reply), bytes);
}

// On receipt, and for what comes behind it (Z51).
void Protocol::OnAuth(int32_t xid, const wire::AuthRequest& auth) {
  std::optional<tree::Identities> proved;
  if (auth.auth.has_value()) {
    proved = context_.service.Authenticate(*identities_, auth.scheme, *auth.auth);
  }
  AppendHeader({xid, 0, proved.has_value() ? ZkError::kOk : ZkError::kAuthFailed}, prompt_);
  traffic_.Sent();
  if (!proved.has_value()) {
    LOG_INFO("ZooKeeper client failed to authenticate client={}", address_.endpoint);
    return CloseAfterPrompt();
  }
  // Requests share them: one who proves the same again and again makes no copies.
  if (*proved == *identities_) return;
  identities_ = std::make_shared<const tree::Identities>(*std::move(proved));
  connection_->SetIdentities(identities_);
}

void Protocol::Submit(RequestOperation operation, PendingReply reply, size_t bytes) {
  Request request;
  request.id = ++last_request_id_;
  request.generation = grant_.generation;
  request.stale_ok = true;  // but for a sync, which never is (Z52)
  request.operation = std::move(operation);
  request.sequence = kNextSequence;
  last_request_read_ = reply.ends_connection;
  pending_bytes_ += PendingBytes(reply);
  pending_.push_back(std::move(reply));
  paused_ = !connection_->Submit(std::move(request), bytes);
}

void Protocol::Resume() {
  paused_ = false;
  now_ = context_.clock.Monotonic();
  ReadFrames();
  Wake();
}

// ---- Output ----

void Protocol::TakeOutput(std::string& out, size_t bytes_max) {
  now_ = context_.clock.Monotonic();
  const size_t size_max = out.size() + bytes_max;
  do {
    out.append(prompt_);
    prompt_.clear();
    TakeFrames(out, size_max);
    ReadFrames();  // what waited for the session, or for room
  } while (!prompt_.empty() && out.size() < size_max);
  if (phase_ == Phase::kClosing && prompt_.empty()) Close();
}

void Protocol::TakeFrames(std::string& out, size_t size_max) {
  std::vector<ServerFrame> taken = std::exchange(frames_kept, {});
  while ((phase_ == Phase::kAttaching || phase_ == Phase::kOpen) && out.size() < size_max) {
    const TakeResult result = connection_->Take(size_max - out.size(), taken);
    const bool nothing = taken.empty();
    for (const ServerFrame& frame : taken) {
      std::visit([this, &out](const auto& each) { Write(each, out); }, frame);
      if (phase_ == Phase::kClosed) break;
    }
    taken.clear();
    if (!nothing) continue;
    if (result.finished) Close();
    break;
  }
  if (taken.capacity() <= kTakenFramesKept) frames_kept = std::move(taken);
}

void Protocol::Write(const Attached& attached, std::string& out) {
  if (attached.failure.has_value()) {
    if (attached.failure->result_code == tree::ResultCode::kSessionExpired) {
      AppendHandshake(nullptr, SaysReadOnly(), out);
      traffic_.Sent();
    }
    return Close();
  }
  if (!read_only_) grant_ = attached.grant;
  last_zxid_ = attached.zxid;
  phase_ = Phase::kOpen;
  last_operation_ = Opcode::kCreateSession;
  AppendHandshake(&grant_, SaysReadOnly(), out);
  traffic_.Sent();
  if (read_only_) CheckReadOnlyLater();
}

void Protocol::Write(const Response& response, std::string& out) {
  CHECK(!pending_.empty() && response.request_id == last_request_id_ - pending_.size() + 1,
        "response {} with {} requests under way", response.request_id, pending_.size());
  const PendingReply pending = std::move(pending_.front());
  pending_.pop_front();
  pending_bytes_ -= PendingBytes(pending);
  last_zxid_ = std::max(last_zxid_, response.zxid);
  if (!AppendReply(pending, response, last_zxid_, out)) {
    LOG_DEBUG("ZooKeeper client closed client={} reason=\"{}\"", address_.endpoint,
              response.failure.has_value() ? response.failure->message : "the reply is too large");
    return Close();
  }
  traffic_.Sent();
  CountReply(pending);
  if (pending.ends_connection) Close();
}

void Protocol::Write(const WatchEvent& event, std::string& out) {
  AppendEvent(event, out);
  traffic_.Sent();
}

void Protocol::Write(const Detached& detached, std::string&) {
  LOG_DEBUG("ZooKeeper client closed client={} reason=\"{}\"", address_.endpoint,
            detached.failure.message);
  Close();
}

// ---- Without a quorum ----

std::optional<bool> Protocol::SaysReadOnly() const {
  return tells_read_only_ ? std::optional<bool>(read_only_) : std::nullopt;
}

void Protocol::CheckReadOnlyLater() {
  executor_.RunAfter(kReadOnlyInterval, [weak = weak_from_this()] {
    if (const auto protocol = weak.lock()) protocol->CheckReadOnly();
  });
}

// A client looks for its session, or a new one, when its connection ends.
void Protocol::CheckReadOnly() {
  if (phase_ != Phase::kOpen || disconnected_) return;
  if (context_.service.InContact() && !MUTANT(76)) {
    connection_->Drain(Unavailable("a leader is there again; attach with a session"));
    return;
  }
  if (context_.clock.Monotonic() - received_at_ > absl::Milliseconds(grant_.timeout_ms)) {
    Close();
    return Wake();
  }
  CheckReadOnlyLater();
}

// ---- The end ----

void Protocol::OnDisconnect() {
  disconnected_ = true;
  ReadRest();
  Close();
}

// What was read of a client before its end is understood, so that its writes count, though there was
// no room to answer them.
void Protocol::ReadRest() {
  while (phase_ == Phase::kOpen && !last_request_read_) {
    const std::optional<std::string_view> frame = input_.Next();
    if (!frame.has_value()) return;
    OnRequest(*frame);
  }
}

void Protocol::Wake() {
  if (!disconnected_) wake_();
}

void Protocol::Close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  prompt_.clear();
  pending_.clear();
  pending_bytes_ = 0;
  if (connection_ != nullptr) connection_->Close();
}

void Protocol::CloseAfterPrompt() {
  phase_ = Phase::kClosing;
  pending_.clear();
  pending_bytes_ = 0;
  if (connection_ != nullptr) connection_->Close();
}

// ---- Figures ----

void Protocol::CountReply(const PendingReply& pending) {
  traffic_.Took(now_ - pending.received);
  last_response_at_ = now_;
  last_operation_ = pending.opcode;
  last_xid_ = pending.xid;
}

ConnectionInfo Protocol::Info() const {
  ConnectionInfo info;
  info.address = address_.endpoint;
  info.session = grant_.session;
  info.timeout_ms = grant_.timeout_ms;
  info.wants_input = wants_input();
  info.wants_output =
      !prompt_.empty() || (connection_ != nullptr && connection_->outbox_bytes() > 0);
  info.outstanding = pending_.size();
  info.last_operation = OperationName(last_operation_);
  info.last_xid = last_xid_;
  info.last_zxid = last_zxid_;
  info.established = established_;
  if (last_response_at_ != established_at_) {
    info.last_response = established_ + (last_response_at_ - established_at_);
  }
  info.traffic = traffic_.own();
  return info;
}

void Protocol::ResetFigures() { traffic_.Reset(); }

}  // namespace bellwether::coord::zk
