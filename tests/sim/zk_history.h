#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coord/tree/acl.h"
#include "coord/tree/types.h"
#include "coord/zk/wire/opcodes.h"

// What clients of the ZooKeeper port asked for and were told.
namespace bellwether::sim {

// One request, and its reply.
struct ZkOperation {
  enum class Outcome { kPending, kAnswered, kLost };
  using Opcode = coord::zk::wire::Opcode;
  using ZkError = coord::zk::wire::ZkError;

  uint64_t client = 0;      // serial of the program
  uint64_t number = 0;      // 1, 2, 3, ... within the client
  uint64_t connection = 0;  // likewise
  int32_t xid = 0;
  Opcode opcode = Opcode::kPing;
  std::string path;
  // Of writes that have one: found nowhere else, by which the command is known in the log.
  std::string tag;
  bool watch = false;
  coord::zk::wire::WatcherType watcher_type{};  // kRemoveWatches, kCheckWatches
  bool recursive = false;                       // kAddWatch
  // kSetWatches2: since when, and the watches of the connection before. kReconfig: the newest zxid that
  // the client was told.
  coord::tree::Zxid relative;
  std::vector<std::string> data;
  std::vector<std::string> exist;
  std::vector<std::string> child;
  std::vector<std::string> persistent;
  std::vector<std::string> all_below;
  // kReconfig: each server as the znode names it but for its clients, ids, and all that are to be in the
  // ensemble if that is not empty.
  std::vector<std::string> joining;
  std::vector<uint32_t> leaving;
  std::vector<std::string> members;
  int64_t config_id = -1;
  bool in_vain = false;  // it must be refused, whoever asks
  // Who the client had proved to be when it asked.
  coord::tree::Identities identities;

  // The newest zxid that any server had applied when the request was made, and when it was
  // answered.
  coord::tree::Zxid floor;
  coord::tree::Zxid ceiling;

  Outcome outcome = Outcome::kPending;
  coord::tree::SessionId session;  // of the client when answered or lost
  // When kAnswered: the reply's header, and what its body had.
  ZkError error = ZkError::kOk;
  coord::tree::Zxid zxid;
  std::optional<std::string> bytes;
  std::optional<coord::tree::Stat> stat;
  std::string created;  // path
  std::vector<std::string> names;
  coord::tree::Acl acl;
  int32_t count = 0;
  std::vector<ZkError> results;  // kMulti: of each operation

  // The server had no contact with a leader when it read the request, nor until it had answered.
  bool read_without_contact = false;
  absl::Duration contact_until_when_read;
  bool answered_without_contact = false;
  bool read_only = false;  // answered through a read-only connection

  bool answered() const { return outcome == Outcome::kAnswered; }
  bool is_write() const {
    return opcode == Opcode::kCreate || opcode == Opcode::kCreate2 ||
           opcode == Opcode::kCreateContainer || opcode == Opcode::kCreateTtl ||
           opcode == Opcode::kDelete || opcode == Opcode::kSetData || opcode == Opcode::kSetAcl ||
           opcode == Opcode::kMulti;
  }
};

// As in "client 3 #17 setData /a".
std::string Describe(const ZkOperation& operation);

// What came over a connection.
struct ZkArrival {
  enum class Kind { kReply, kPing, kEvent };
  Kind kind = Kind::kReply;
  coord::tree::Zxid zxid;                  // of the header
  const ZkOperation* operation = nullptr;  // kReply
  coord::zk::wire::EventType type{};       // kEvent
  std::string path;                        // kEvent
};

// One connection of a client, in the order of arrival.
struct ZkConnection {
  uint64_t client = 0;
  uint64_t number = 0;
  coord::tree::SessionId session;  // once it is attached
  bool read_only = false;          // it has none: served without a quorum (Z57)
  std::vector<ZkArrival> arrivals;
  // Of replies that came when the client had gone to another server and left this one open.
  std::vector<coord::tree::Zxid> answered_when_left;
  // Who the client was from the beginning, and who it may have been in the end.
  coord::tree::Identities first_identities;
  coord::tree::Identities last_identities;
};

}  // namespace bellwether::sim
