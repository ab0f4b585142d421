#include "base/thread.h"

#include <pthread.h>

namespace bellwether::base {

Thread::Thread(std::string name, Task body)
    : thread_([name = std::move(name), body = std::move(body)]() mutable {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        body();
      }) {}

void Thread::Join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace bellwether::base
