#pragma once

#include "absl/time/time.h"

namespace bellwether::cli {

// Lets other threads end one thread's wait on descriptors. Wake from any thread, the rest on one.
class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void Wake();

  // Can be read once it was woken, until Clear().
  int fd() const { return fd_; }
  void Clear();
  // Returns when it was woken, which clears it, or after `timeout`.
  void Wait(absl::Duration timeout);

 private:
  const int fd_;
};

}  // namespace bellwether::cli
