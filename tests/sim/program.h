#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "tests/sim/client_network.h"
#include "tests/sim/history.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Who is to be in the ensemble, as the texts of ZooKeeper's reconfig.
struct WantedServers {
  std::string joining;
  std::string leaving;
  std::string members;  // in the place of all; then the others are empty
};

// A program on a machine of its own that uses coord, by whichever protocol, and writes down what it
// asked for and was told. Its destruction is its end without goodbye.
class Program {
 public:
  struct Dependencies {
    SimScheduler& scheduler;
    ClientNetwork& network;
    Trace& trace;
    Violations& violations;
    History& history;
    std::function<Zxid()> newest_zxid;  // applied by any server so far
    std::function<void()> on_over;      // the session is gone: a new program is needed
  };

  virtual ~Program() = default;

  virtual void Pause() = 0;
  virtual void Resume() = 0;
  // No more requests but the last ones.
  virtual void Finish() = 0;
  // Its last requests were answered well.
  virtual bool finished() const = 0;
  // Its watches that resume have reached `zxid`.
  virtual bool WatchesReached(Zxid zxid) const = 0;

  // Never used twice.
  virtual uint64_t serial() const = 0;
  virtual bool over() const = 0;
  virtual size_t writes_outstanding() const = 0;
  // The server it is attached to, or tries; 0 before the first.
  virtual uint32_t server() const = 0;
  // By then the ensemble may end its session, if nothing more is heard of it.
  virtual absl::Duration session_deadline() const = 0;
  // Asks for a change of the ensemble; `then` is called when that was answered well, or never. False: it
  // can't ask now.
  virtual bool Reconfigure(WantedServers, std::function<void()>) { return false; }
  // For people, when it did not finish.
  virtual std::string State() const = 0;
};

}  // namespace bellwether::sim
