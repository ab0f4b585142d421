#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/executor.h"

namespace bellwether::base {

// An executor whose one named thread also waits for sockets: those that a Listener gives it. So
// what belongs to a connection runs on its thread, without locks and without a hop to another.
// In each turn of the loop runs what was posted before it; then come the sockets that are ready.
// Thread-safe. The queue is not bounded here: who posts on behalf of clients bounds what is
// outstanding. Outlives its listeners and connections.
class EventLoop : public Executor {
 public:
  struct Reactor;  // for the sockets of base/net

  explicit EventLoop(std::string thread_name);
  ~EventLoop() override;

  void Post(Task task) override;
  TimerId RunAfter(absl::Duration delay, Task task) override;
  void Cancel(TimerId timer) override;

  // Finishes what is running, drops the other tasks unrun, and waits for no socket any more; joins
  // the thread. Idempotent; not from the thread itself.
  void Stop();

  Reactor& reactor() { return *reactor_; }

 private:
  class Turns;

  const std::unique_ptr<Reactor> reactor_;
  const std::unique_ptr<Turns> turns_;
};

}  // namespace bellwether::base
