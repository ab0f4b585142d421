#pragma once

#include <optional>

#include "coord/service/requests.h"

namespace bellwether::coord {

// The frontend's half of a stream (Connection, Watch): told on the stream's executor, never under
// a lock. The frontend pulls: it takes frames when its transport has room for them, so that all
// that waits for a slow client is counted in one place.
class StreamSink {
 public:
  virtual ~StreamSink() = default;

  // There may be something to take, or the stream is finished.
  virtual void OnOutput() = 0;
  // The stream said "read no further"; now do.
  virtual void OnResume() = 0;
};

// How a stream goes on after what was taken from it.
struct TakeResult {
  bool finished = false;           // nothing will follow
  std::optional<Failure> failure;  // why, when the frames themselves don't say it
};

}  // namespace bellwether::coord
