#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/executor.h"
#include "coord/service/connection_table.h"
#include "coord/service/locked_tree.h"
#include "coord/service/watch_hub.h"
#include "coord/service/watch_table.h"
#include "coord/service/znode_watches.h"

namespace bellwether::coord {

// What a list puts first.
enum class TopOrder {
  kBytes,     // znodes by their data
  kSubtree,   // znodes by all data at and below them
  kChildren,  // znodes by their children
  kWrites,    // znodes by creations, changes and deletions among what watches can resume from
  kWatches,   // paths by the watches set on them at this server
  kClients,   // connections by their requests
};

// The znodes, paths or connections that stand out.
struct TopReport {
  struct Znode {
    std::string path;
    uint64_t count = 0;
  };
  Zxid zxid;              // of the state; 0 of watches and clients
  Zxid since_zxid;        // kWrites: those after this one count
  uint64_t examined = 0;  // znodes, changes, paths or connections
  uint64_t total = 0;     // the sum over all of them
  std::vector<Znode> znodes;               // by count, then by path
  std::vector<ConnectionFigures> clients;  // kClients: by requests, then as they came
};

// Lists for operators, each made when it is asked for: of the state on a view, of all else in pieces,
// so that nobody waits for them. They name znodes whatever their ACLs say.
// Owned by the service. Thread-safe; lists are made on the executor it is given.
// Limits: one list at a time, of at most kLimitMax; kPiece.
class TopLists {
 public:
  static constexpr size_t kLimitMax = 1000;
  // Paths, changes or connections looked at under one hold of their locks.
  static constexpr size_t kPiece = 1024;
  using Done = std::function<void(absl::StatusOr<TopReport>)>;

  struct Sources {
    const LockedTree& state;
    const ZnodeWatches& znode_watches;
    const WatchHub& hub;
    const WatchTable& watches;
    const ConnectionTable& connections;
  };
  TopLists(Sources sources, base::Executor& executor) : sources_(sources), executor_(executor) {}

  // Runs `done` on the executor, or at once when refused: RESOURCE_EXHAUSTED with reason "busy"
  // while another list is made, UNAVAILABLE when stopping, INVALID_ARGUMENT for the limit.
  void Make(TopOrder by, size_t limit, Done done);

  // What is being made is given up, soon.
  void Stop() { stopped_ = true; }

 private:
  TopReport Make(TopOrder by, size_t limit) const;
  void ListZnodes(TopOrder by, size_t limit, TopReport& report) const;
  void ListSubtrees(size_t limit, TopReport& report) const;
  void ListWrites(size_t limit, TopReport& report) const;
  void ListWatches(size_t limit, TopReport& report) const;
  void ListClients(size_t limit, TopReport& report) const;
  tree::StateView View() const;

  const Sources sources_;
  base::Executor& executor_;
  std::atomic<bool> busy_ = false;
  std::atomic<bool> stopped_ = false;
};

}  // namespace bellwether::coord
