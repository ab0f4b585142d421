#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/strong_id.h"
#include "base/uuid.h"

namespace bellwether::coord::raft {

using Term = base::StrongId<struct TermTag, uint64_t>;          // 0 = before the first election
using LogIndex = base::StrongId<struct LogIndexTag, uint64_t>;  // 1-based; 0 = before the log
using ServerId = base::StrongId<struct ServerIdTag, uint32_t>;  // 0 = no server

// A read request of the caller; the core only hands it back.
using ReadId = base::StrongId<struct ReadIdTag, uint64_t>;
// One confirmation of leadership, asked of a quorum: (term, round) is never used twice, since a
// term has one leader, which counts its rounds upwards, and answers of another term are dropped
// (R2).
using ReadRound = base::StrongId<struct ReadRoundTag, uint64_t>;
// Numbers the Ready structs of a process, from 1.
using ReadyId = base::StrongId<struct ReadyIdTag, uint64_t>;

enum class EntryType : uint8_t {
  kNoop = 0,      // empty payload; first entry of every leader (paper section 8)
  kCommands = 1,  // payload is the caller's
  kReadmit = 2,   // payload is an encoded Readmission: a wiped server votes and counts again
  kMembership = 3,  // payload is an encoded Membership
};

struct Entry {
  Term term;
  LogIndex index;
  EntryType type = EntryType::kNoop;
  std::string payload;
};

// Shared because one entry is at the same time in the log's tail, in the write to disk, in a
// message per follower and with the applier, and none of them copies the payload.
using EntryPtr = std::shared_ptr<const Entry>;

// What an entry counts towards every byte bound: payload and a flat overhead.
inline size_t EntryBytes(const Entry& entry) { return entry.payload.size() + 32; }

// Whether this server's data folder may take part in decisions.
enum class Standing : uint8_t {
  kVoter = 0,
  // The folder was emptied or lost entries of an ensemble that exists: what this server promised
  // before (votes, acknowledged entries) is gone, so it neither votes nor counts until its own log
  // holds a committed kReadmit entry that names its folder.
  kAwaitingReadmission = 1,
};

// What must survive a crash besides the log.
struct HardState {
  Term term;
  ServerId vote;  // candidate voted for in `term`; 0 = none
  Standing standing = Standing::kVoter;

  friend bool operator==(const HardState&, const HardState&) = default;
};

enum class Role : uint8_t { kFollower = 0, kPreCandidate = 1, kCandidate = 2, kLeader = 3 };

}  // namespace bellwether::coord::raft
