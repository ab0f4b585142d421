#pragma once

#include <memory>
#include <vector>

namespace bellwether::coord {

// Something with an executor of its own that looks again when it is woken. What the applier does
// under its locks only queues; whom to wake it remembers, and wakes when it holds none.
class Wakeable {
 public:
  virtual ~Wakeable() = default;

  // Any thread; only posts.
  virtual void PostWake() = 0;
};

// Shared: what is to be woken may be closed by its owner meanwhile.
using WakeList = std::vector<std::shared_ptr<Wakeable>>;

}  // namespace bellwether::coord
