#include "cli/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace bellwether::cli {

Waker::Waker() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CHECK(fd_ >= 0); }

Waker::~Waker() { ::close(fd_); }

void Waker::Wake() { (void)::eventfd_write(fd_, 1); }

void Waker::Clear() {
  eventfd_t count = 0;
  (void)::eventfd_read(fd_, &count);
}

void Waker::Wait(absl::Duration timeout) {
  pollfd waiting{fd_, POLLIN, 0};
  (void)::poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  Clear();
}

}  // namespace bellwether::cli
