#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "client/coord_types.h"
#include "coord/zk/wire/records.h"

namespace bellwether::cli {

// A znode as a ZooKeeper ensemble has it.
struct WalkedZnode {
  std::string path;
  client::Data data;
  client::Acl acl;
  coord::zk::wire::Stat stat;
  size_t children = 0;  // that the walk goes on to
};

// A walk over a part of a ZooKeeper ensemble's tree: what to ask and what the answers mean, without
// a socket. Asks three things of each znode (data, ACL, children) for many znodes at once, a parent
// before its children; asks again when they are not of one state. Goes on to no /zookeeper of the
// root. Holds names of znodes to come and the answers that wait for the others of their znode, never
// more. Not thread-safe.
class ZookeeperWalk {
 public:
  // Why a znode is not copied, as reports say it.
  static constexpr char kEphemeral[] = "ephemeral";
  static constexpr char kNoPermission[] = "no_permission";
  static constexpr char kVanished[] = "vanished";
  static constexpr char kChanged[] = "changed";
  static constexpr char kFailed[] = "failed";

  // Called from OnFrame: once for each znode that was met, one or the other; behind left_out nothing
  // comes from below it.
  struct Callbacks {
    absl::AnyInvocable<void(WalkedZnode)> znode;
    absl::AnyInvocable<void(const std::string& path, std::string_view reason,
                            std::string message)>
        left_out;
  };

  ZookeeperWalk(std::string top, Callbacks callbacks);

  // Appends requests, with their frames' lengths, until kAskedMax znodes are being asked about.
  void AppendRequests(std::string& out);
  // Takes a reply. DATA_LOSS for what answers nothing that was asked.
  absl::Status OnFrame(std::string_view frame);
  // What was asked and not answered is asked again, of another connection.
  void OnDisconnected();

  bool done() const { return asked_.empty() && again_.empty() && levels_.empty(); }

  static constexpr size_t kAskedMax = 256;

 private:
  // Children of one znode that were not asked about yet.
  struct Level {
    std::string parent;
    std::vector<std::string> names;
  };
  struct Asked {
    std::string path;
    int attempt = 1;
    int answers = 0;  // of the three
    coord::zk::wire::ZkError error = coord::zk::wire::ZkError::kOk;  // the first one
    WalkedZnode znode;
    coord::zk::wire::Stat data_stat;
    coord::zk::wire::Stat acl_stat;
    std::vector<std::string> names;
  };

  void Append(coord::zk::wire::Opcode opcode, coord::zk::wire::RequestBody body, std::string& out);
  bool TakeNext(Asked& next);
  // All three are there.
  void Finish(Asked asked);

  Callbacks callbacks_;
  std::vector<Level> levels_;
  std::deque<Asked> again_;
  std::deque<Asked> asked_;  // in the order of the requests
  int32_t next_xid_ = 1;
  int32_t next_answer_ = 1;
};

}  // namespace bellwether::cli
