#include "tests/bench/zk_load_poller.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace bellwether::bench {
namespace {

epoll_event EventFor(Poller::Handler& handler, bool wants_write) {
  epoll_event event{};
  event.events = EPOLLIN | (wants_write ? uint32_t{EPOLLOUT} : 0);
  event.data.ptr = &handler;
  return event;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> Poller::Create() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return absl::InternalError(fmt::format("epoll: {}", std::strerror(errno)));
  // Requests are due at times of their own: a wait that ends 50 us late would be their latency.
  prctl(PR_SET_TIMERSLACK, 1);
  return std::unique_ptr<Poller>(new Poller(epoll));
}

Poller::~Poller() { close(epoll_); }

absl::Status Poller::Add(int fd, Handler& handler, bool wants_write) {
  epoll_event event = EventFor(handler, wants_write);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return absl::InternalError(fmt::format("epoll_ctl: {}", std::strerror(errno)));
}

void Poller::Modify(int fd, Handler& handler, bool wants_write) {
  epoll_event event = EventFor(handler, wants_write);
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Poller::Remove(int fd) { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void Poller::Poll(absl::Duration wait_max) {
  const timespec timeout = absl::ToTimespec(std::max(wait_max, absl::ZeroDuration()));
  const int ready = epoll_pwait2(epoll_, events_.data(), kEventsMax, &timeout, nullptr);
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    const bool failed = (event.events & (EPOLLERR | EPOLLHUP)) != 0;  // reading tells why
    static_cast<Handler*>(event.data.ptr)
        ->OnReady(failed || (event.events & EPOLLIN) != 0, (event.events & EPOLLOUT) != 0);
  }
}

void InputEnd::OnReady(bool, bool) {
  char byte;
  if (read(STDIN_FILENO, &byte, 1) <= 0) ended_ = true;
}

}  // namespace bellwether::bench
