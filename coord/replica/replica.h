#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "coord/raft/types.h"
#include "coord/replica/log_store.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

enum class Role { kFollower, kCandidate, kLeader, kLearner };

// Who leads, as this server knows it. Every change of term or leader is a new Leadership.
struct Leadership {
  Term term;
  ServerId leader;  // 0: none known
  Role role = Role::kFollower;
  friend bool operator==(const Leadership&, const Leadership&) = default;
};

// A committed entry of commands, as the leader stamped it.
struct CommittedBatch {
  Term term;
  LogIndex index;
  int64_t time_ms = 0;  // the leader's wall clock
  std::vector<std::string> commands;
};

// What the replicated log drives. The replica knows commands and notes as bytes only.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Committed entries in order, each exactly once per process, on the apply executor. Entries
  // without commands are given too, so that the state machine knows how far it has applied.
  virtual void Apply(std::vector<CommittedBatch> batches) = 0;

  // On the replica's executor, after the change and before anything that follows from it.
  virtual void OnLeadership(const Leadership& leadership) = 0;

  // At the leader only, on the replica's executor: a note from a server (itself included).
  virtual void OnNote(ServerId from, std::string note) = 0;

  // On the replica's executor, at the tick interval: at the leader while it leads with a quorum in
  // contact. `since_last` is the time that really passed: much more than a tick means a pause.
  virtual void OnTick(absl::Duration since_last) = 0;
};

struct ReplicaOptions {
  ServerId id;
  std::vector<PeerAddress> servers;  // all of the ensemble, itself included; sorted by id
  std::string grpc;                  // advertised address for clients
  base::Uuid folder_id;
  absl::Duration tick = absl::Milliseconds(10);
  absl::Duration heartbeat = absl::Milliseconds(50);
  absl::Duration election_timeout = absl::Milliseconds(150);  // each waits 1x to 2x this
  size_t entry_bytes_max = 1 << 20;         // commands batched into one entry
  size_t uncommitted_bytes_max = 64 << 20;  // above it the leader refuses proposals
  size_t forward_bytes_max = 16 << 20;      // not yet answered by the leader; above it: refused
};

// What a server knows of the ensemble, for status pages.
struct ReplicaStatus {
  Leadership leadership;
  base::Uuid ensemble_id;
  LogIndex commit_index;
  LogIndex applied_index;
  LogIndex last_index;
  uint64_t log_bytes = 0;
  bool in_contact = false;  // has confirmed contact with a leader within two election timeouts
  std::string not_in_contact_reason;
  struct Peer {
    PeerAddress address;
    std::string grpc;  // empty: never heard
    bool connected = false;
  };
  std::vector<Peer> servers;
};

}  // namespace bellwether::coord
