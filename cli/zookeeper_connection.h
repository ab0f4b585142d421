#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/parse.h"
#include "coord/zk/wire/frame.h"
#include "coord/zk/wire/records.h"

namespace bellwether::cli {

// A session with one server that speaks ZooKeeper's protocol, on a socket that never blocks once it
// is open: bytes in and out, and the signs of life that keep the session. What requests mean is its
// owner's. A lost connection is the end of it: open another one. Not thread-safe.
class ZookeeperConnection {
 public:
  // What the client proves to be: scheme and credential, as in {"digest", "user:password"}.
  struct Credential {
    std::string scheme;
    std::string credential;
  };

  // Opens a session and authenticates. Errors: UNAVAILABLE; UNAUTHENTICATED.
  static absl::StatusOr<std::unique_ptr<ZookeeperConnection>> Open(
      const base::HostPort& address, const std::vector<Credential>& credentials,
      absl::Duration timeout);
  ~ZookeeperConnection();
  ZookeeperConnection(const ZookeeperConnection&) = delete;
  ZookeeperConnection& operator=(const ZookeeperConnection&) = delete;

  // Frames with their lengths, to be sent.
  std::string& out() { return out_; }
  // Sends as much as the socket takes, and a ping when it is time. Errors: UNAVAILABLE.
  absl::Status Send();
  // Takes what the socket has, at most about 256 KiB. Errors: UNAVAILABLE.
  absl::Status Receive();
  // The next reply, good until the next call of this or Receive; those to pings don't appear.
  // Errors: DATA_LOSS for bytes that are no frame.
  absl::StatusOr<std::optional<std::string_view>> Next();

  // Waits until there is something to receive, or to send while there is something to be sent, or
  // `other` can be read (-1: nothing else), or the time is over.
  void Wait(int other, absl::Duration timeout);
  // The same for one request: its reply, whose views are good until the next call of anything.
  // Requires: nothing else is unanswered. Errors: as above; DEADLINE_EXCEEDED.
  absl::StatusOr<coord::zk::wire::Reply> Ask(coord::zk::wire::Request request,
                                             absl::Duration timeout);

  // Ends the session, without waiting for long.
  void Close();

 private:
  ZookeeperConnection(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  absl::Status Shake(absl::Duration deadline);
  absl::Status Authenticate(const Credential& credential, absl::Duration deadline);
  // The next frame, waited for. Errors: those of Send, Receive and Next; DEADLINE_EXCEEDED.
  absl::StatusOr<std::string_view> Await(absl::Duration deadline);
  absl::Status Lost(std::string_view why) const;

  const int fd_;
  const std::string name_;  // "host:port", for messages
  coord::zk::wire::FrameReader reader_;
  std::string out_;
  absl::Duration ping_interval_ = absl::InfiniteDuration();
  absl::Duration last_sent_at_;
  bool shaken_ = false;
};

}  // namespace bellwether::cli
