#include "cli/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"

namespace bellwether::cli {
namespace {

// The pipe that the handler writes to: reading end, writing end.
int g_pipe[2] = {-1, -1};

void Handle(int signal) {
  const int saved_errno = errno;
  const auto number = static_cast<uint8_t>(signal);
  // A full pipe already wakes the reader.
  [[maybe_unused]] const ssize_t written = ::write(g_pipe[1], &number, 1);
  errno = saved_errno;
}

}  // namespace

struct SignalWaiter::Saved {
  std::vector<std::pair<int, struct sigaction>> actions;
};

SignalWaiter::SignalWaiter(std::initializer_list<int> signals) : saved_(new Saved) {
  CHECK(g_pipe[0] == -1, "one SignalWaiter at a time");
  CHECK(::pipe2(g_pipe, O_CLOEXEC | O_NONBLOCK) == 0);
  for (const int signal : signals) {
    struct sigaction action = {};
    struct sigaction before = {};
    action.sa_handler = Handle;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, &before);
    saved_->actions.emplace_back(signal, before);
  }
}

SignalWaiter::~SignalWaiter() {
  for (const auto& [signal, action] : saved_->actions) ::sigaction(signal, &action, nullptr);
  delete saved_;
  for (int& fd : g_pipe) ::close(std::exchange(fd, -1));
}

std::optional<int> SignalWaiter::Wait(absl::Duration timeout) {
  const absl::Duration deadline = base::SystemClock().Monotonic() + timeout;
  while (true) {
    uint8_t number = 0;
    if (::read(g_pipe[0], &number, 1) == 1) return number;
    const absl::Duration left = deadline - base::SystemClock().Monotonic();
    if (left <= absl::ZeroDuration()) return std::nullopt;
    struct pollfd readable = {g_pipe[0], POLLIN, 0};
    const auto wait_ms = std::min(left, absl::Hours(1)) + absl::Milliseconds(1);
    ::poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(wait_ms)));
  }
}

void SignalWaiter::Wake() { Handle(0); }

}  // namespace bellwether::cli
