#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/strong_id.h"

namespace bellwether::coord::tree {

// The order of everything applied: 1 for the first command, one more for each, failed ones
// included (Z7). 0 = before the first.
using Zxid = base::StrongId<struct ZxidTag, int64_t>;

// The high byte is the id of the server that asked for the session, the rest is the zxid of its
// creation, so an id is never used twice (Z36). 0 = no session.
using SessionId = base::StrongId<struct SessionIdTag, uint64_t>;

// How many times a session was attached to a server: 1 after its creation. Commands and expiries
// that carry an older one have no effect.
using SessionGeneration = base::StrongId<struct SessionGenerationTag, uint64_t>;

// Number of a command within its session: 1, 2, 3, ... over the session's whole life, across
// generations. 0 = none yet.
using CommandSequence = base::StrongId<struct CommandSequenceTag, uint64_t>;

// Proves that a client owns its session. Exactly 16 bytes (Z37).
using SessionPassword = std::array<uint8_t, 16>;

// What clients see of a znode besides its data, field by field as ZooKeeper's (Z1-Z6).
struct Stat {
  Zxid czxid;                 // of the command that created the znode
  Zxid mzxid;                 // of the last change of its data; czxid at first
  Zxid pzxid;                 // of the last creation or deletion of a child; czxid at first (Z4)
  int64_t ctime_ms = 0;       // when created, ms since 1970
  int64_t mtime_ms = 0;       // when its data last changed, ms since 1970
  int32_t version = 0;        // changes of the data (Z1)
  int32_t cversion = 0;       // creations plus deletions of children (Z2)
  int32_t aversion = 0;       // changes of the ACL (Z1)
  int32_t data_length = 0;    // bytes; 0 for null data as well (Z21)
  int32_t num_children = 0;   // direct children
  SessionId ephemeral_owner;  // 0 for a znode that is no ephemeral, containers included (Z6)

  friend bool operator==(const Stat&, const Stat&) = default;
};

// Values as on the ZooKeeper wire. A command may carry any other value: it gets kBadArguments.
enum class CreateMode : uint8_t {
  kPersistent = 0,
  kEphemeral = 1,
  kPersistentSequential = 2,
  kEphemeralSequential = 3,
  // From kFeatureLevelAcls on:
  kContainer = 4,               // persistent until its last child was deleted (Z17)
  kPersistentWithTtl = 5,       // until it was childless and unchanged for its TTL (Z17)
  kPersistentSequentialWithTtl = 6,
};

// Matches any version of a znode (Z20).
inline constexpr int32_t kAnyVersion = -1;

// The level of an ensemble that never raised it: see SetFeatureLevel.
inline constexpr uint32_t kFeatureLevelFirst = 1;

// The level from which on there are ACLs, containers, TTLs, Check and system znodes.
inline constexpr uint32_t kFeatureLevelAcls = 3;

// The level from which on results of writes are kept for who sends them again, subtrees can be
// imported, and the ensemble's configuration is in /zookeeper/config.
inline constexpr uint32_t kFeatureLevelRetries = 4;

// Limits. What exceeds one is refused with a result (kTooLarge, or kBadArguments for a path).
inline constexpr size_t kDataBytesMax = 1 << 20;              // data of one znode
inline constexpr size_t kPathBytesMax = 4096;                 // sequence number included
inline constexpr size_t kTransactionItemsMax = 10'000;        // compares plus operations
inline constexpr size_t kRecursiveDeleteZnodesMax = 100'000;  // deleted by one command
inline constexpr size_t kAclEntriesMax = 1000;                // of one znode; see AclEntriesMax
inline constexpr size_t kAclBytesMax = 64 << 10;              // AclBytes of one znode
inline constexpr size_t kIdentitiesMax = 64;                  // of one client
inline constexpr int64_t kTtlMsMax = (int64_t{1} << 40) - 1;  // of a znode with a TTL (Z15)
// Results kept for who sends their commands again: of one session, and bytes of all together. Beyond
// a bound the oldest go first. kKeptResultOverheadBytes are counted for each besides its encoding.
inline constexpr size_t kKeptResultsMax = 1024;
inline constexpr size_t kKeptResultBytesMax = 256 << 10;
inline constexpr size_t kAllKeptResultBytesMax = 64 << 20;
inline constexpr size_t kKeptResultOverheadBytes = 100;
inline constexpr int64_t kSessionTimeoutMsMax = 24LL * 3600 * 1000;
inline constexpr uint8_t kServerIdMax = 254;  // 255 is reserved in session ids (Z36)
inline constexpr int64_t kZxidMax = (int64_t{1} << 56) - 1;  // session ids have room for it (Z36)
// RaiseZxid goes no further: a client can't use up what is left for commands and for restoring.
inline constexpr int64_t kRaisedZxidMax = int64_t{1} << 55;
inline constexpr int64_t kImportedTimeMsMax = int64_t{1} << 53;  // of an imported znode

// How much higher a restored ensemble's zxid begins.
inline constexpr int64_t kRestoredZxidStep = int64_t{1} << 40;

}  // namespace bellwether::coord::tree
