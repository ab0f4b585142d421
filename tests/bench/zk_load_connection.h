#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/parse.h"
#include "tests/bench/zk_load_poller.h"
#include "tests/bench/zk_load_requests.h"

namespace bellwether::bench {

// Nanoseconds of the monotonic clock.
int64_t NowNs();

// How a session begins.
struct SessionSettings {
  base::HostPort server;        // the host an IPv4 address
  int source_address = 1;       // last byte of the 127.0.0.x it comes from
  int timeout_ms = 40'000;
};

// One ZooKeeper session on one socket: handshake, requests without a wait for their replies, replies in
// the order of the requests (checked), events. Knows nothing of what is asked.
// Owned by its client; on the poller's thread. Nothing bounds what is outstanding: the client does.
class ZkConnection : public Poller::Handler {
 public:
  struct Reply {
    int32_t error = 0;
    std::string_view body;  // good during the call
  };

  // What a connection tells. A call may Send, and Close the connection.
  class Client {
   public:
    virtual ~Client() = default;
    virtual void OnOpened() {}
    // To the oldest request without a reply; `now` is when it was read.
    virtual void OnReply(const Reply& reply, int64_t now_ns) = 0;
    virtual void OnEvent(int64_t now_ns) {}
    // The connection is lost, and closed.
    virtual void OnLost(absl::Status why) = 0;
  };

  ZkConnection(Poller& poller, Client& client) : poller_(poller), client_(client) {}
  ~ZkConnection() override { Close(); }

  // Errors: the system's. Whether the server answers is told to the client. Requires: closed.
  absl::Status Open(const SessionSettings& settings);
  // The session goes on at the server, unless it was closed by a request before.
  void Close();

  // Requests go out with Flush, or when what came last has been looked at.
  void Send(const RequestTemplate& request, uint64_t number = 0) {
    request.Append(static_cast<int32_t>(++requests_ & kXidMask), number, out_);
  }
  void Ping();
  void Flush();

  bool is_open() const { return phase_ == Phase::kOpen; }
  bool is_closed() const { return phase_ == Phase::kClosed; }
  uint64_t outstanding() const { return requests_ - replies_; }
  // As the server granted it. Requires: is_open.
  int timeout_ms() const { return timeout_ms_; }

 private:
  enum class Phase { kClosed, kHandshake, kOpen };

  static constexpr uint64_t kXidMask = 0x7fffffff;

  void OnReady(bool readable, bool writable) override;
  void Receive();
  // Returns how many bytes of the front were whole frames.
  size_t TakeFrames(std::string_view bytes, int64_t now_ns);
  void OnFrame(std::string_view frame, int64_t now_ns);
  void OnHandshake(std::string_view frame);
  void Lose(absl::Status why);

  Poller& poller_;
  Client& client_;
  base::HostPort server_;
  int fd_ = -1;
  Phase phase_ = Phase::kClosed;
  int timeout_ms_ = 0;
  uint64_t requests_ = 0;
  uint64_t replies_ = 0;
  std::string out_;
  bool waits_for_room_ = false;  // in the socket
  uint64_t opened_ = 0;  // times: bytes of one socket are not the next one's
  std::string partial_;  // what was read of a frame that is not all there
};

}  // namespace bellwether::bench
