#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coord/service/requests.h"
#include "coord/tree/command.h"

namespace bellwether::coord {

// What a request asked for, for people: the kind, and the first path that it names, or none.
struct RequestSubject {
  std::string_view kind;  // as in "set_data"; lives for ever
  std::string path;
};
RequestSubject SubjectOf(const RequestOperation& operation);
RequestSubject SubjectOf(const tree::Operation& operation);

// A request that took long.
struct SlowRequest {
  RequestSubject subject;
  absl::Duration took;                        // from its receipt to its answer
  std::optional<absl::Duration> queued;       // until it was proposed or evaluated
  std::optional<absl::Duration> replicated;   // a write: from then on
  std::optional<absl::Duration> evaluated;    // a read, with those evaluated together with it
};

// Times of requests: a metric of them all, and a line in the log for each that took long. What is
// told of one is its path, never data or credentials.
// Owned by the service; thread-safe. Its lock is a leaf.
// Limits: kLinesPerSecondMax; of a path kPathBytesMax. What has no line is counted, and the next line
// says how many there were (`dropped`).
class SlowRequests {
 public:
  static constexpr size_t kPathBytesMax = 256;
  static constexpr int kLinesPerSecondMax = 10;
  // Gets a line without its level. Any thread.
  using Sink = std::function<void(const std::string& line)>;

  // `threshold` 0: none is slow. Without a sink lines go to the process's log.
  SlowRequests(absl::Duration threshold, base::Clock& clock, base::Metrics& metrics,
               Sink sink = nullptr);

  absl::Duration Now() const { return clock_.Monotonic(); }
  bool IsSlow(absl::Duration took) const { return took >= threshold_; }

  // A request was answered. Of reads that were answered together the one that waited longest.
  void ObserveRead(absl::Duration took) { read_seconds_.Observe(took); }
  void ObserveWrite(absl::Duration took) { write_seconds_.Observe(took); }

  // Never under the tree's hold: it may write to the log. `address`: the client's.
  void Tell(SessionId session, std::string_view address, const SlowRequest& request);
  // So many more were slow, of which nothing is kept.
  void TellUnkept(size_t requests);

 private:
  const absl::Duration threshold_;
  base::Clock& clock_;
  const Sink sink_;
  base::Histogram& read_seconds_;
  base::Histogram& write_seconds_;
  base::Counter& slow_;
  base::Counter& lines_dropped_;

  base::Mutex mutex_;
  absl::Duration second_began_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  int lines_ ABSL_GUARDED_BY(mutex_) = 0;       // in that second
  size_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;  // since the last line
};

}  // namespace bellwether::coord
