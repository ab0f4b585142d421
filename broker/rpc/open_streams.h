#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"

namespace bellwether::broker {

// A stream that can be told to end.
class Drainable {
 public:
  virtual ~Drainable() = default;
  // Takes nothing new, answers what is under way and ends.
  virtual void Drain() = 0;
};

// The streams that are open: a bound on their number, and a way to end them all. Thread-safe.
// Shares ownership, so that a stream that ends meanwhile can still be drained.
class OpenStreams {
 public:
  OpenStreams(size_t streams_max, base::Gauge& gauge) : streams_max_(streams_max), gauge_(gauge) {}

  // False when there are too many, or all are being drained.
  bool Add(std::shared_ptr<Drainable> stream);
  void Remove(const std::shared_ptr<Drainable>& stream);
  // Drains all, and takes no more.
  void DrainAll();

 private:
  const size_t streams_max_;
  base::Gauge& gauge_;
  base::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::shared_ptr<Drainable>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::broker
