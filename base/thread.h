#pragma once

#include <string>
#include <thread>
#include <utility>

#include "base/executor.h"

namespace bellwether::base {

// A named thread that is joined on destruction. The name (at most 15 characters) is shown by
// ps -T, gdb and perf.
class Thread {
 public:
  Thread() = default;
  Thread(std::string name, Task body);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&&) = delete;
  ~Thread() { Join(); }

  // Waits for the body to return. May be called more than once.
  void Join();

 private:
  std::thread thread_;
};

}  // namespace bellwether::base
