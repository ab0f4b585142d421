#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "coord/replica/replica.h"
#include "coord/tree/types.h"

namespace bellwether::coord {

// The state of a server after a log entry, in short.
struct StatePoint {
  LogIndex index;
  tree::Zxid zxid;
  uint64_t digest = 0;
};

std::string EncodeStatePoint(const StatePoint& point);
// nullopt for bytes that are not one, or of another format: nothing to compare with.
std::optional<StatePoint> DecodeStatePoint(std::string_view bytes);

// Compares this server's state with what the leader says of its own at the same entry. Servers apply
// at different times, so the newest points are remembered, and a point that this server has yet to
// reach waits for it. Must not know who sends points, or when.
// Thread-safe; a leaf in the lock order: the applier records under the tree's lock.
// Limits: `points_max` points; one older than all of them is not compared.
class DigestCheck {
 public:
  static constexpr size_t kPointsMax = 4096;

  explicit DigestCheck(size_t points_max = kPointsMax) : points_max_(points_max) {}

  // This server's state after an entry with commands, each higher than the one before. Entries
  // without commands change nothing and need not be recorded.
  void Record(const StatePoint& point);

  // What the leader's state was. Compared now, or when this server has recorded a later point.
  void Expect(const StatePoint& point);

  // The state was replaced by another one: what was recorded before says nothing about it.
  void Restart(const StatePoint& point);

  // DATA_LOSS, once a comparison failed, and from then on: says where, and what to do.
  absl::Status status() const;

  uint64_t compared() const;

 private:
  // The state at `index`, while that is certain.
  const StatePoint* Find(LogIndex index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // By age, the oldest at 0. Requires: position < the number of points.
  const StatePoint& At(size_t position) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const StatePoint& Newest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Compare(const StatePoint& expected) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t points_max_;
  mutable base::Mutex mutex_;
  std::vector<StatePoint> points_ ABSL_GUARDED_BY(mutex_);  // a ring once it is full
  size_t oldest_ ABSL_GUARDED_BY(mutex_) = 0;               // its first point
  std::optional<StatePoint> awaited_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  uint64_t compared_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::coord
