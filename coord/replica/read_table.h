#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

// A caller of RequestRead.
struct ReadCaller {
  std::string note;
  absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done;
};

// Read rounds under way, each under an id that is never used again: this server's own, at whichever
// leader; and at a leader those of other servers and its own checks of contact, which nobody waits
// for. Not thread-safe.
class ReadTable {
 public:
  struct Round {
    absl::Duration started;           // monotonic
    std::vector<ReadCaller> callers;  // of this server
    ServerId asker;                   // 0, or the server that gets the answer
    uint64_t asker_id = 0;            // its id of the round
  };

  uint64_t Add(Round round);

  // Takes the round out. False when it is not there (any more).
  bool Take(uint64_t id, Round& round);

  // Takes out the rounds that started before `time`, oldest first.
  std::vector<Round> TakeStartedBefore(absl::Duration time);
  std::vector<Round> TakeAll();

  size_t size() const { return rounds_.size(); }
  // Of rounds with callers.
  size_t own() const { return own_; }

 private:
  uint64_t last_id_ = 0;
  size_t own_ = 0;
  std::map<uint64_t, Round> rounds_;
};

}  // namespace bellwether::coord
