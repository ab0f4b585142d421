#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
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

// One client's ZooKeeper protocol without its socket: bytes in, bytes out. Answers the handshake,
// makes requests of frames and frames of responses and events; the rest is the Connection's: order,
// sessions, watches and the bounds of what waits. Every request becomes exactly one of the
// Connection, those that are refused at once, too, so that replies are in order (Z46) and each has
// the zxid that was applied when it was made (Z8).
// Owned by its socket. Not thread-safe: all calls on the executor that it was made with, which runs
// its Connection, too.
// Limits: input not yet understood is at most one frame and what came with it; everything else
// counts within ServiceOptions' bounds of a connection.
//
// Invariants:
// - a request that can't be answered truly (its fate is not known) ends the connection unanswered
// - after closed() no more input is looked at, and all output there is has been or can be taken
class Protocol : public ByteProtocol, public std::enable_shared_from_this<Protocol> {
 public:
  // `wake`: there may be output to take, input is wanted again, or closed() became true. Called on
  // the executor, never from within another call of the Protocol, and not after OnDisconnect.
  // `traffic` counts for all clients of the executor; may be null.
  static std::shared_ptr<Protocol> Create(const ProtocolContext& context, base::Executor& executor,
                                          ClientAddress address,
                                          std::shared_ptr<TrafficFigures> traffic,
                                          std::function<void()> wake);
  ~Protocol() override;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;

  // Takes bytes as they came, all of them. Look at wants_input, closed and the output afterwards.
  void Receive(std::string_view bytes) override;
  // False: read no further until wake.
  bool wants_input() const override;
  // Appends output of about `bytes_max` bytes, one frame at least if there is one. Less appended
  // than `bytes_max`: nothing more until the next wake.
  void TakeOutput(std::string& out, size_t bytes_max) override;
  // Nothing follows what was taken: send that, then close the socket. Known after TakeOutput.
  bool closed() const override { return phase_ == Phase::kClosed; }

  // The socket is gone; wakes no more.
  void OnDisconnect() override;

  // The handshake was answered with a session.
  bool has_session() const { return session_ != SessionId(0); }
  // For cons, stat and dump.
  ConnectionInfo Info() const override;
  // As crst: the figures of traffic begin again.
  void ResetFigures() override;

 private:
  class Sink;

  enum class Phase {
    kHandshake,  // no ConnectRequest yet
    kAttaching,  // it is proposed; what follows it waits (Z43)
    kOpen,
    kClosing,  // nothing more is read; output that is ready goes out first
    kClosed,
  };

  // A request under way, in the order received.
  struct Pending {
    Reply reply;
    absl::Duration received;
  };

  Protocol(const ProtocolContext& context, base::Executor& executor, ClientAddress address,
           std::shared_ptr<TrafficFigures> traffic, std::function<void()> wake);

  // Input.
  void ReadFrames();
  void OnFrame(std::string_view frame);
  void OnConnectRequest(std::string_view frame);
  void OnRequest(std::string_view frame);
  void OnAuth(int32_t xid, std::string_view scheme, std::string_view credentials);
  void Submit(Request request, Reply reply, size_t bytes);

  // Output.
  void Encode(const Attached& attached, std::string& out);
  void Encode(const Response& response, std::string& out);
  void Encode(const WatchEvent& event, std::string& out);
  void Encode(const KeepAliveAck&, std::string&) {}  // never asked for
  void Encode(const Detached& detached, std::string& out);

  // The connection is over once the output that is ready is taken.
  void Close();
  void Wake();

  const ProtocolContext& context_;
  base::Executor& executor_;
  const ClientAddress address_;
  std::function<void()> wake_;

  Phase phase_ = Phase::kHandshake;
  std::shared_ptr<Connection> connection_;  // shared with the service; null before the handshake
  bool reading_paused_ = false;             // by the Connection
  FrameReader input_;
  std::string prompt_;  // replies that don't wait for their turn (Z46)
  std::deque<Pending> pending_;
  std::vector<ServerFrame> taken_;  // kept for its capacity

  // The handshake.
  bool tells_read_only_ = false;  // the client's request had that byte
  SessionId wanted_session_;
  SessionId session_;
  SessionGeneration generation_;
  CommandSequence last_sequence_;
  int64_t timeout_ms_ = 0;
  // Who the client is, shared with the requests that it makes as such; replaced, never changed.
  std::shared_ptr<const tree::Identities> identities_;

  // Figures.
  const absl::Time established_;
  int32_t last_operation_ = 0;
  int64_t last_xid_ = -1;
  Zxid last_zxid_;
  absl::Time last_response_;
  Traffic traffic_;
};

}  // namespace bellwether::coord::zk
