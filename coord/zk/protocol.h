#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/ring.h"
#include "coord/service/coord_service.h"
#include "coord/zk/byte_protocol.h"
#include "coord/zk/replies.h"
#include "coord/zk/statistics.h"
#include "coord/zk/wire/frame.h"

namespace bellwether::coord::zk {

// What all clients of a server share; outlives their protocols. Thread-safe.
struct ProtocolContext {
  CoordService& service;
  base::Clock& clock;
  // Random bits, for the nonces of new sessions; called from any loop.
  std::function<uint64_t()> random;
};

// One client's ZooKeeper protocol without its socket: makes requests of bytes, and bytes of
// responses and events; order, sessions, watches and the bounds of what waits are the Connection's.
// Every request becomes one of the Connection, those refused at once, too: so replies are in order
// (Z46), and each has the zxid that was applied when it was made (Z8).
// Owned by its socket; called on the executor that it was made with, which runs its Connection.
// Limits: of input not yet understood one frame and what came with it; of output that does not wait
// for its turn 64 KiB; of what replies need of their requests 8 MiB; everything else counts within
// ServiceOptions' bounds of a connection. At a limit no more frames are looked at.
//
// Invariants:
// - a request that can't be answered truly (its fate is not known) ends the connection unanswered
// - when closed() no more input is looked at, and there is no output left
class Protocol : public ByteProtocol, public std::enable_shared_from_this<Protocol> {
 public:
  // `executor` is one of the service's frontend_executors. `traffic`: of all of its clients.
  // `wake`: see ByteProtocol.
  static std::shared_ptr<Protocol> Create(const ProtocolContext& context, base::Executor& executor,
                                          ClientAddress address,
                                          std::shared_ptr<TrafficFigures> traffic,
                                          std::function<void()> wake);
  ~Protocol() override;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;

  // ByteProtocol. TakeOutput may also understand input that waited: look at wants_input afterwards.
  void Receive(std::string_view bytes) override;
  bool wants_input() const override;
  void TakeOutput(std::string& out, size_t bytes_max) override;
  bool closed() const override { return phase_ == Phase::kClosed; }
  void OnDisconnect() override;
  ConnectionInfo Info() const override;
  void ResetFigures() override;

 private:
  class Sink;

  enum class Phase {
    kHandshake,  // no ConnectRequest yet
    kAttaching,  // it is proposed; what came behind it waits (Z43)
    kOpen,
    kClosing,  // nothing more is read, and only what does not wait for its turn is written
    kClosed,
  };

  Protocol(const ProtocolContext& context, base::Executor& executor, ClientAddress address,
           std::shared_ptr<TrafficFigures> traffic, std::function<void()> wake);

  // Input.
  void ReadFrames();
  void ReadRest();
  bool ReadsFrames() const;
  void OnHandshake(std::string_view frame);
  void OpenSession(const wire::ConnectRequest& request, size_t bytes);
  void OpenReadOnly(const wire::ConnectRequest& request, size_t bytes);
  bool OpenConnection();
  void RefuseSession();
  std::optional<bool> SaysReadOnly() const;
  void OnRequest(std::string_view frame);
  void OnUnreadable(const wire::RequestHeader& header, wire::ZkError error, size_t bytes);
  void OnAuth(int32_t xid, const wire::AuthRequest& auth);
  void OnReadOnlyRequest(const wire::Request& request, size_t bytes);
  void Submit(RequestOperation operation, PendingReply reply, size_t bytes);
  void Resume();

  // Output.
  void TakeFrames(std::string& out, size_t size_max);
  void Write(const Attached& attached, std::string& out);
  void Write(const Response& response, std::string& out);
  void Write(const WatchEvent& event, std::string& out);
  void Write(const GrantEvent&, std::string&) {}    // never asked for
  void Write(const KeepAliveAck&, std::string&) {}  // likewise
  void Write(const Detached& detached, std::string& out);
  void Wake();
  void CountReply(const PendingReply& pending);

  // Of a read-only client: until a leader is there again, or it was silent for too long.
  void CheckReadOnlyLater();
  void CheckReadOnly();

  // The connection is over: at once, or when `prompt_` is taken.
  void Close();
  void CloseAfterPrompt();

  const ProtocolContext& context_;
  base::Executor& executor_;
  const ClientAddress address_;
  const std::function<void()> wake_;
  bool disconnected_ = false;

  Phase phase_ = Phase::kHandshake;
  std::shared_ptr<Connection> connection_;  // shared with the service; null before the handshake
  bool paused_ = false;                     // the Connection said "read no further"
  bool last_request_read_ = false;          // its reply ends the connection
  wire::FrameReader input_;
  std::string prompt_;  // replies that don't wait for their turn (Z46)
  // Of the requests under way, in order.
  base::Ring<PendingReply> pending_;
  size_t pending_bytes_ = 0;
  uint64_t last_request_id_ = 0;

  // The session.
  bool tells_read_only_ = false;  // the client's handshake had that byte
  bool read_only_ = false;        // served without a quorum (Z57)
  tree::SessionGrant grant_{};
  // Who the client is, shared with its requests; replaced, never changed.
  std::shared_ptr<const tree::Identities> identities_;

  // Figures.
  absl::Duration now_;  // of the call under way
  absl::Duration received_at_;
  const absl::Time established_;
  const absl::Duration established_at_;
  absl::Duration last_response_at_;
  wire::Opcode last_operation_ = wire::Opcode::kError;  // none yet
  int64_t last_xid_ = -1;
  Zxid last_zxid_;  // the highest told
  Traffic traffic_;
};

}  // namespace bellwether::coord::zk
