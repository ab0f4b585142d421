#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coord/zk/protocol.h"
#include "coord/zk/wire/frame.h"
#include "coord/zk/wire/records.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord::zk {

using wire::Opcode;
using wire::ZkError;

// A ZooKeeper client on one Protocol: keeps what it was sent; reads as fast as the server writes,
// unless it is told not to.
class ZkClient {
 public:
  ZkClient(const ProtocolContext& context, base::Executor& executor, std::string ip)
      : protocol_(Protocol::Create(context, executor, {ip, ip + ":40312"},
                                   std::make_shared<TrafficFigures>(), [this] { Take(); })) {}
  ~ZkClient() { protocol_->OnDisconnect(); }

  // Any bytes at all.
  void SendBytes(std::string_view bytes) {
    protocol_->Receive(bytes);
    Take();
  }
  void SendFrame(std::string_view body) { SendBytes(Framed(body)); }
  static std::string Framed(std::string_view body) {
    std::string bytes;
    const size_t begin = wire::BeginFrame(bytes);
    bytes.append(body);
    EXPECT_TRUE(wire::EndFrame(bytes, begin));
    return bytes;
  }

  static wire::ConnectRequest NewSession(int32_t timeout_ms = 10'000) {
    wire::ConnectRequest request;
    request.timeout_ms = timeout_ms;
    request.password = kNoPassword;
    request.read_only = false;
    return request;
  }
  static wire::ConnectRequest Again(const ZkClient& client) {
    wire::ConnectRequest request = NewSession();
    request.session_id = client.handshake().session_id;
    request.password = client.handshake().password;
    return request;
  }
  void Connect(const wire::ConnectRequest& request) {
    std::string body;
    wire::EncodeConnectRequest(request, body);
    SendFrame(body);
  }

  // Sends a request; returns its xid.
  int32_t Ask(Opcode opcode, wire::RequestBody body) {
    const int32_t xid = opcode == Opcode::kPing   ? wire::kPingXid
                        : opcode == Opcode::kAuth ? wire::kAuthXid
                                                  : ++last_xid_;
    AskAs(xid, opcode, std::move(body));
    return xid;
  }
  void AskAs(int32_t xid, Opcode opcode, wire::RequestBody body) {
    SendFrame(Encoded(xid, opcode, std::move(body)));
  }
  std::string Encoded(int32_t xid, Opcode opcode, wire::RequestBody body) {
    opcodes_[xid] = opcode;
    std::string bytes;
    wire::EncodeRequest({xid, opcode, std::move(body)}, bytes);
    return bytes;
  }

  int32_t Create(std::string_view path, std::string_view data = "",
                 wire::CreateFlags flags = wire::CreateFlags::kPersistent) {
    return Ask(Opcode::kCreate, Making(path, data, flags));
  }
  static wire::CreateRequest Making(std::string_view path, std::string_view data = "",
                                    wire::CreateFlags flags = wire::CreateFlags::kPersistent) {
    return {path, data, OpenAcl(), static_cast<int32_t>(flags)};
  }
  // Of "/1" and so on, in one piece, with these as xids.
  void SendCreations(int32_t count) {
    std::string bytes;
    for (int32_t xid = 1; xid <= count; ++xid) {
      bytes += Framed(Encoded(xid, Opcode::kCreate, Making("/" + std::to_string(xid))));
    }
    SendBytes(bytes);
  }
  static wire::Acl OpenAcl() { return {{31, "world", "anyone"}}; }
  int32_t Set(std::string_view path, std::string_view data, int32_t version = -1) {
    return Ask(Opcode::kSetData, wire::SetDataRequest{path, data, version});
  }
  int32_t Get(std::string_view path, bool watch = false) {
    return Ask(Opcode::kGetData, wire::ReadRequest{path, watch});
  }
  int32_t Exists(std::string_view path, bool watch = false) {
    return Ask(Opcode::kExists, wire::ReadRequest{path, watch});
  }
  int32_t Delete(std::string_view path) {
    return Ask(Opcode::kDelete, wire::DeleteRequest{path, -1});
  }
  int32_t Ping() { return Ask(Opcode::kPing, wire::EmptyRequest{}); }
  int32_t Auth(std::string_view scheme, std::string_view auth) {
    return Ask(Opcode::kAuth, wire::AuthRequest{0, scheme, auth});
  }

  // What came, the handshake's answer aside, in order.
  std::vector<wire::Reply> replies() const {
    std::vector<wire::Reply> replies;
    for (size_t i = 1; i < frames_.size(); ++i) replies.push_back(Decoded(frames_[i]));
    return replies;
  }
  std::vector<int32_t> xids() const {
    std::vector<int32_t> xids;
    for (const wire::Reply& reply : replies()) xids.push_back(reply.header.xid);
    return xids;
  }
  // The last reply of the xid, whether there is one or not.
  std::optional<wire::Reply> Find(int32_t xid) const {
    std::optional<wire::Reply> found;
    for (wire::Reply& reply : replies()) {
      if (reply.header.xid == xid) found = std::move(reply);
    }
    return found;
  }
  // kInvalidCallback, which no server sends, when there is no reply.
  ZkError ErrorOf(int32_t xid) const {
    const std::optional<wire::Reply> reply = Find(xid);
    return reply.has_value() ? reply->header.error : ZkError::kInvalidCallback;
  }
  int64_t ZxidOf(int32_t xid) const {
    const std::optional<wire::Reply> reply = Find(xid);
    return reply.has_value() ? reply->header.zxid : -1;
  }
  // The body of a successful reply; an empty one of its kind when there is none.
  template <typename Body>
  Body BodyOf(int32_t xid) const {
    const std::optional<wire::Reply> reply = Find(xid);
    EXPECT_TRUE(reply.has_value()) << "no reply to " << xid;
    if (!reply.has_value()) return Body();
    EXPECT_EQ(reply->header.error, ZkError::kOk);
    const Body* body = std::get_if<Body>(&reply->body);
    EXPECT_NE(body, nullptr) << "another kind of reply to " << xid;
    return body == nullptr ? Body() : *body;
  }
  std::string PathOf(int32_t xid) const {
    const auto path = BodyOf<wire::PathReply>(xid).path;
    return path.has_value() ? std::string(*path) : "null";
  }
  // "1 /a" for a NodeCreated of /a.
  std::vector<std::string> events() const {
    std::vector<std::string> events;
    for (const wire::Reply& reply : replies()) {
      if (reply.header.xid != wire::kNotificationXid) continue;
      const auto& event = std::get<wire::WatcherEvent>(reply.body);
      events.push_back(std::to_string(event.type) + " " + std::string(event.path));
    }
    return events;
  }

  bool is_answered() const { return !frames_.empty(); }
  wire::ConnectResponse handshake() const {
    if (frames_.empty()) return {};
    return wire::DecodeConnectResponse(frames_.front()).value_or(wire::ConnectResponse());
  }
  // The answer to the handshake as it came.
  std::string handshake_bytes() const { return frames_.empty() ? "" : frames_.front(); }
  bool closed() const { return protocol_->closed(); }
  bool wants_input() const { return protocol_->wants_input(); }
  size_t frame_count() const { return frames_.size(); }
  ConnectionInfo Info() const { return protocol_->Info(); }
  void ResetFigures() { protocol_->ResetFigures(); }
  void Disconnect() { protocol_->OnDisconnect(); }

  void SetReads(bool reads) {
    reads_ = reads;
    if (reads) Take();
  }

 private:
  static constexpr std::string_view kNoPassword{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16};

  wire::Reply Decoded(const std::string& frame) const {
    const auto header = wire::DecodeReplyHeader(frame);
    EXPECT_TRUE(header.has_value());
    if (!header.has_value()) return {};
    Opcode opcode = Opcode::kNotification;
    if (header->xid != wire::kNotificationXid) {
      const auto known = opcodes_.find(header->xid);
      EXPECT_NE(known, opcodes_.end()) << "an xid that was not asked: " << header->xid;
      if (known == opcodes_.end()) return {};
      opcode = known->second;
    }
    const std::optional<wire::Reply> reply = wire::DecodeReply(opcode, frame);
    EXPECT_TRUE(reply.has_value()) << "a reply to " << header->xid << " can't be read";
    return reply.value_or(wire::Reply());
  }

  void Take() {
    if (!reads_) return;
    constexpr size_t kBytes = 4096;
    std::string out;
    do {
      out.clear();
      protocol_->TakeOutput(out, kBytes);
      input_.Append(out);
    } while (out.size() >= kBytes);
    while (const auto frame = input_.Next()) frames_.emplace_back(*frame);
  }

  const std::shared_ptr<Protocol> protocol_;  // as its connection's sink finds it
  bool reads_ = true;
  wire::FrameReader input_{64 << 20};
  std::deque<std::string> frames_;  // decoded replies point into them
  std::map<int32_t, Opcode> opcodes_;
  int32_t last_xid_ = 0;
};

// Clients of one server on a fake log, in one thread and virtual time.
class ProtocolTest : public ServiceTest {
 protected:
  explicit ProtocolTest(ServiceOptions options = DefaultOptions()) : ServiceTest(options) {}

  void SetUp() override {
    ServiceTest::SetUp();
    context_.emplace(ProtocolContext{*service_, clock_, [this] {
                                       return scheduler_.random().Next();
                                     }});
  }

  std::unique_ptr<ZkClient> Open(std::string ip = "127.0.0.1") {
    return std::make_unique<ZkClient>(*context_, io_executor_, std::move(ip));
  }
  std::unique_ptr<ZkClient> Connect(const wire::ConnectRequest& request) {
    auto client = Open();
    client->Connect(request);
    Settle();
    return client;
  }
  std::unique_ptr<ZkClient> Connect() { return Connect(ZkClient::NewSession()); }

  std::optional<ProtocolContext> context_;
};

}  // namespace bellwether::coord::zk
