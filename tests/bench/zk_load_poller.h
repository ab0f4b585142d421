#pragma once

#include <sys/epoll.h>

#include <array>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bellwether::bench {

// Waits for many sockets with one epoll, level-triggered, and tells whoever each belongs to. Owned by
// the one thread that uses it; outlives its handlers.
class Poller {
 public:
  // Whose a socket is. May remove its own socket from a call, and add another one.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void OnReady(bool readable, bool writable) = 0;
  };

  static absl::StatusOr<std::unique_ptr<Poller>> Create();
  ~Poller();

  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Errors: INTERNAL, when the system takes no more.
  absl::Status Add(int fd, Handler& handler, bool wants_write);
  void Modify(int fd, Handler& handler, bool wants_write);
  void Remove(int fd);

  // Calls the handlers of what is ready, after waiting for that at most so long.
  void Poll(absl::Duration wait_max);

  // For what is being read; nothing in it outlives a handler's call.
  std::vector<char>& scratch() { return scratch_; }

 private:
  static constexpr size_t kScratchBytes = 256 << 10;
  static constexpr int kEventsMax = 256;

  explicit Poller(int epoll) : epoll_(epoll), scratch_(kScratchBytes) {}

  const int epoll_;
  std::vector<char> scratch_;
  std::array<epoll_event, kEventsMax> events_;
};

// Says when standard input ends, to be added for its socket.
class InputEnd : public Poller::Handler {
 public:
  bool ended() const { return ended_; }

 private:
  void OnReady(bool readable, bool writable) override;

  bool ended_ = false;
};

}  // namespace bellwether::bench
