#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "client/coord_types.h"
#include "coord/tree/types.h"
#include "tests/sim/zk_history.h"

// What clients asked for, what they were told, and when: what the checkers compare with the log.
namespace bellwether::sim {

using coord::tree::Zxid;

// Where clients stand in line: nothing else is below it.
inline constexpr std::string_view kLockPath = "/l";
// Likewise, by the recipe of the client's library: nobody else deletes anything there.
inline constexpr std::string_view kRecipePath = "/k";

// One request of a client.
struct Operation {
  enum class Kind {
    kCreate,
    kSet,
    kDelete,
    kTransaction,
    kImport,
    kRaiseZxid,
    kGet,
    kStat,
    kList,
    kSync,
  };
  enum class Outcome { kPending, kOk, kRejected, kUnknown };

  uint64_t client = 0;  // serial of the CoordClient
  uint64_t number = 0;  // 1, 2, 3, ... within the client
  Kind kind = Kind::kGet;
  std::string path;
  // Writes but deletes and raises: data found nowhere else, by which the command is known in the log.
  std::string tag;
  int32_t version = client::kAnyVersion;
  client::CreateMode mode = client::CreateMode::kPersistent;
  bool recursive = false;
  bool stale_ok = false;
  // A list that may come in several pages, of one zxid: answered after the last one, and perhaps begun
  // again in between.
  bool paged = false;

  // The newest zxid that any server had applied when the request was made, and when it was
  // answered.
  Zxid floor;
  Zxid ceiling;
  uint64_t answered = 0;  // position among all answers of the client

  Outcome outcome = Outcome::kPending;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string reason;  // of a failure; see client/errors.h
  coord::tree::SessionId session;  // of the client when answered
  // When kOk, and alone of its kind.
  std::variant<std::monostate, client::CreateResult, client::SetResult, client::DeleteResult,
               client::TransactionResult, client::ImportResult, client::GetResult,
               client::StatResult, client::ListResult, client::SyncResult>
      result;
  Zxid zxid;  // of the result

  bool is_write() const { return kind <= Kind::kRaiseZxid; }
};

// As in "client 3 #17 set /a".
std::string Describe(const Operation& operation);

// What one recursive or plain watch delivered.
struct WatchRecord {
  uint64_t client = 0;
  std::vector<std::string> paths;
  bool recursive = false;
  Zxid from_zxid;
  std::vector<client::WatchBatch> batches;
};

// What became of one one-shot watch.
struct OneShotRecord {
  uint64_t client = 0;
  std::string path;
  bool children = false;  // set by a list, not on the znode
  bool paged = false;     // by its first page: when exactly is not known
  Zxid set_at_first;      // the state it was set at is that of one of these
  Zxid set_at_last;
  // The newest state that the client was shown while the watch was set and had not fired.
  Zxid revealed;
  std::optional<client::WatchEvent> event;
};

// What a client was told of a znode of its own that stands in line for a lock.
struct GrantRecord {
  uint64_t client = 0;
  std::string path;
  // The newest zxid that any server had applied when the client asked, and when it was answered.
  Zxid floor;
  Zxid ceiling;
  bool answered = false;
  Zxid token;
  bool held = false;
  // The newest state that the client was shown after that while it was not told that it holds the
  // lock, and while it was not told that the znode is gone.
  Zxid revealed_before_granted;
  Zxid revealed_before_gone;
  std::vector<client::GrantEvent> events;
};

// One client's time with the lock of the recipe.
struct LockRecord {
  uint64_t client = 0;
  std::string path;  // of the znode that stood in line
  Zxid token;
  Zxid ceiling;  // the newest zxid that any server had applied when it was told
  absl::Duration from;
  absl::Duration to = absl::InfiniteDuration();  // it gave the lock up, or knew that it was lost
  absl::Duration deadline;                       // of its session then: from here on it could know
};

// What a client was promised about its session.
struct SessionRecord {
  uint64_t client = 0;
  absl::Duration timeout;
  absl::Duration deadline_max;  // the latest time until which the ensemble said to keep it
  bool abandoned = false;       // the client is gone
  bool told_ended = false;      // the client was told that it expired or is closed
};

// Everything that happened to clients in one world. Deques: elements stay where they are.
struct History {
  std::deque<Operation> operations;
  std::deque<WatchRecord> watches;
  std::deque<OneShotRecord> one_shots;
  std::deque<GrantRecord> grants;
  std::deque<LockRecord> locks;  // in the order in which they were held
  std::deque<ZkOperation> zk_operations;
  std::deque<ZkConnection> zk_connections;
  std::map<coord::tree::SessionId, SessionRecord> sessions;

  uint64_t Count(Operation::Outcome outcome) const;
};

}  // namespace bellwether::sim
