#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "coord/raft/message.h"
#include "coord/raft/types.h"
#include "coord/replica/membership_change.h"

namespace bellwether::coord {

using raft::LogIndex;
using raft::ServerId;
using raft::Term;

// A server of the ensemble.
struct PeerAddress {
  ServerId id;
  std::string address;  // "host:port" of its peer listener; empty: not known, it can't be dialled
  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

// The part of a server's data folder in the ensemble.
enum class FolderState {
  kEmpty,     // has none yet: never promised anything
  kMember,    // votes and counts
  kAwaiting,  // was emptied, and neither votes nor counts until it is readmitted
  kRestored,  // as kEmpty, but that it begins with a state that was restored from a file
};

// Whether a folder in this state never promised anything.
inline bool IsForming(FolderState state) {
  return state == FolderState::kEmpty || state == FolderState::kRestored;
}

// The feature levels of the ensemble that a server's build can work at.
struct FeatureLevelRange {
  uint32_t min = 1;
  uint32_t max = 1;
  friend bool operator==(const FeatureLevelRange&, const FeatureLevelRange&) = default;
};

// What a server says of itself whenever it connects.
struct Hello {
  base::Uuid ensemble_id;  // nil while none is known
  ServerId server_id;
  base::Uuid folder_id;
  uint64_t process_id = 0;           // random, per process
  std::vector<PeerAddress> servers;  // its configured ensemble, sorted by id
  std::string grpc;                  // advertised address for clients
  std::string zk;                    // likewise for ZooKeeper's; empty: none
  FolderState folder = FolderState::kEmpty;
  std::vector<ServerId> heard_empty;  // who has told it that their folder promised nothing
  base::Uuid restore_id;  // of the state that a kRestored folder begins with; else nil
  bool for_snapshots = false;  // set by a transport that has a connection of their own for them
  FeatureLevelRange feature_levels;
  // Who is in the ensemble by its log, sorted by id; empty: it has no log yet.
  std::vector<PeerAddress> members;
  LogIndex members_index;  // of the entry that says so; 0: as the ensemble was formed
};

// A command on its way to the leader.
struct ProposedCommand {
  std::string bytes;      // opaque here
  std::string principal;  // who asked, as the service names it; empty: a server itself
};

// Commands for the leader, appended in order, accepted or refused as a whole (peer.proto).
struct Forward {
  uint64_t stream_id = 0;
  uint64_t position = 0;  // 1, 2, 3, ... within the stream
  Term term;
  std::vector<std::string> commands;
  std::vector<std::string> principals;  // of ProposedCommand, one per command; or none: not known
};

struct ForwardReply {
  uint64_t stream_id = 0;
  uint64_t position = 0;
  absl::Status status;  // ok: appended at (term, index)
  Term term;
  LogIndex index;
};

// Asks the leader for an index to read at; the notes are handed to the leader's service first.
struct ReadIndexRequest {
  uint64_t id = 0;  // unique within the asking process
  std::vector<std::string> notes;
};

struct ReadIndexReply {
  uint64_t id = 0;
  bool ok = false;
  LogIndex index;
};

// For the leader's service, without an answer.
struct Note {
  std::string note;
};

// From the leader's service to that of another server, without an answer.
struct Broadcast {
  std::string note;
};

// From a leader that is about to hand over: forward nothing more in this term. The same back, when
// what was forwarded before is answered.
struct HoldForwards {
  Term term;
};

// Asks a server for a piece of the file of a snapshot that it has.
struct SnapshotChunkRequest {
  uint64_t id = 0;  // unique within the asking process
  LogIndex index;   // names the snapshot, together with its term
  Term term;
  uint64_t offset = 0;
  uint32_t bytes_max = 0;  // the answer has fewer only at the end of the file
};

struct SnapshotChunk {
  uint64_t id = 0;
  bool found = false;  // false: the server does not have this snapshot (any more)
  uint64_t file_bytes = 0;  // size of the whole; 0 = not known
  std::string data;
  uint32_t crc32c = 0;  // of data
};

// Asks the leader who is in the ensemble, or to change it.
struct MembershipRequest {
  uint64_t id = 0;  // unique within the asking process
  MembershipChange change;
};

// A change is answered when it is complete, or has failed (base::OutcomeOf).
struct MembershipReply {
  uint64_t id = 0;
  absl::StatusOr<MembershipView> view = absl::UnknownError("not answered");
};

using PeerMessage = std::variant<Hello, raft::Message, Forward, ForwardReply, ReadIndexRequest,
                                 ReadIndexReply, Note, Broadcast, SnapshotChunkRequest,
                                 SnapshotChunk, HoldForwards, MembershipRequest, MembershipReply>;

// Whether a message is of the snapshots: they are large, and nothing else may wait behind them.
inline bool IsOfSnapshots(const PeerMessage& message) {
  return std::holds_alternative<SnapshotChunkRequest>(message) ||
         std::holds_alternative<SnapshotChunk>(message);
}

// Carries messages between the servers of an ensemble, in order, but for those of snapshots, which
// the others may overtake. Fault model: a message is lost, or
// delivered after all that were sent before it on the same connection; connections break at any
// time; nothing is delivered twice within a connection, and nothing of an old connection after
// OnDisconnected was called for it. Bytes in flight per peer are bounded: above the bound messages
// are dropped and counted.
// Threads: called from the replica's executor; the handler is called on the replica's executor.
class Transport {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // A connection in both directions stands; its Hello was checked for protocol version only.
    virtual void OnConnected(const Hello& hello) = 0;
    virtual void OnDisconnected(ServerId peer) = 0;
    // A Hello here is an update of the one given to OnConnected.
    virtual void OnMessage(ServerId from, PeerMessage message) = 0;
    // `peer` does not talk to this server, since it is not among its servers. Again and again, while
    // that is so.
    virtual void OnRefused(ServerId peer) = 0;
  };

  virtual ~Transport() = default;

  // Connects to the servers of `hello` and keeps doing so. It is said first on every connection.
  virtual void Start(Hello hello, Handler& handler) = 0;

  // Changes who the servers are, this one included; sorted by id. One that is no longer among them, or
  // has another address, is disconnected, and nothing of that connection reaches the handler any
  // more, OnDisconnected included.
  virtual void SetServers(std::vector<PeerAddress> servers) = 0;

  // Changes what is said from now on, and says it to the connected peers.
  virtual void UpdateHello(Hello hello) = 0;

  virtual void Send(ServerId to, PeerMessage message) = 0;
};

}  // namespace bellwether::coord
