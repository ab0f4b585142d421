#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "coord/service/envelope.h"
#include "coord/tree/state_machine.h"
#include "coord/zk/wire/opcodes.h"
#include "tests/sim/check_quotas.h"
#include "tests/sim/check_retries.h"
#include "tests/sim/committed_log.h"
#include "tests/sim/history.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// The order of a walk: a znode, what is below it, its next sibling.
struct PathOrder {
  bool operator()(std::string_view a, std::string_view b) const;
};

// The committed commands replayed one at a time, with every state in between: what a correct answer
// at a zxid is.
class Model {
 public:
  // A znode with its data and the names of its children.
  struct Snapshot {
    coord::tree::Stat stat;
    std::optional<std::string> data;
    std::vector<std::string> children;
    coord::tree::AclPtr access;
    std::optional<int64_t> ttl_ms;  // 0: a container
  };
  struct Applied {
    Zxid zxid;  // of the command; one that repeats an earlier one has that one's in its result
    coord::OpenedCommand command;
    coord::tree::Result result;
    std::vector<coord::tree::Change> changes;
    absl::Duration first_applied;  // by any server
    int64_t time_ms = 0;           // of the log entry
    LogIndex index;                // likewise
  };
  // When a session began and ended, by zxid; 0 = it still lives.
  struct SessionLife {
    Zxid begin;
    Zxid end;
    bool expired = false;           // ended by the leader, not by its client
    absl::Duration ended_at;
  };

  // `digests`: of servers, by index. Violations: a command that can't be decoded, another digest.
  Model(const CommittedLog& log, const std::map<LogIndex, uint64_t>& digests,
        Violations& violations);

  // In order, by zxid.
  const std::vector<Applied>& commands() const { return commands_; }
  // Those above `after`, up to `last`.
  std::span<const Applied> CommandsIn(Zxid after, Zxid last) const;
  // Null when no command has that zxid.
  const Applied* CommandAt(Zxid zxid) const;
  Zxid newest() const { return tree_.zxid(); }
  const std::map<coord::tree::SessionId, SessionLife>& sessions() const { return sessions_; }
  const coord::tree::StateMachine& tree() const { return tree_; }
  // Commands that were answered with what they had done before.
  uint64_t repeated() const { return retries_.repeated(); }

  // Null when there was no such znode.
  const Snapshot* At(std::string_view path, Zxid zxid) const;
  // The states of a znode, each from a zxid on; nullopt: missing.
  const std::map<Zxid, std::optional<Snapshot>>& TimelineOf(std::string_view path) const;
  // All znodes at and below the path that existed, in path order.
  std::map<std::string, const Snapshot*, PathOrder> Subtree(std::string_view path,
                                                            Zxid zxid) const;
  // The newest state of a znode.
  const Snapshot* Newest(std::string_view path) const { return At(path, newest()); }
  // Whether the znode was missing at some zxid of [first, last].
  bool WasMissing(std::string_view path, Zxid first, Zxid last) const;

 private:
  void Replay(const CommittedLog::Entry& entry, Violations& violations);
  void Remember(std::string_view path, Zxid zxid);
  void FollowSessions(const Applied& applied, Violations& violations);

  coord::tree::StateMachine tree_;
  QuotaChecker quotas_;
  RetryChecker retries_;
  std::vector<Applied> commands_;
  // Per path, the states that it had from a zxid on; nullopt = missing.
  std::map<std::string, std::map<Zxid, std::optional<Snapshot>>, std::less<>> timelines_;
  std::map<coord::tree::SessionId, SessionLife> sessions_;
};

// False for a command refused without using up the session's sequence, as if never sent, and for one
// that repeats what was applied before.
bool WasAdmitted(const coord::tree::Result& result);

// Whether the path is that of the root, or at or below it.
bool IsWithin(std::string_view path, std::string_view root);
std::string_view ParentOf(std::string_view path);

coord::tree::Stat ToTree(const client::Stat& stat);
inline Zxid ToTree(client::Zxid zxid) { return Zxid(zxid.value()); }

// As a client hears of it.
client::WatchEventType TypeOf(coord::tree::Change::Type type);
coord::zk::wire::EventType ZkTypeOf(coord::tree::Change::Type type);

// Data found nowhere else, by which a write of a client is known in the log; empty: it has none.
std::string_view TagOf(const coord::tree::Operation& operation);

}  // namespace bellwether::sim
