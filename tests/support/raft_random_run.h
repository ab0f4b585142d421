#pragma once

#include <cstdint>

#include "base/random.h"
#include "coord/raft/options.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {

// An ensemble of Raft cores whose every step is random, from one seed; RaftCluster checks safety
// after each of them.
class RandomRun {
 public:
  // What the steps are made of.
  enum class Kind {
    kAny,            // everything, each seed in its own mixture
    kMemberChanges,  // leaders change two members at a time, while the ensemble falls apart
  };

  explicit RandomRun(uint64_t seed, Kind kind = Kind::kAny);

  void Steps(int steps);
  // Everything works again: whether within bounded time all servers apply what was acknowledged and
  // more.
  bool HealAndConverge();

  int proposed() const { return proposed_; }
  int reads() const { return reads_; }
  int wiped() const { return wiped_; }
  int snapshots() const { return taken_; }
  int changes() const { return changes_; }
  // Joint memberships that were committed.
  int joint();
  int transfers() const { return transfers_begun_; }
  int installed() const { return cluster_.installed(); }
  // Servers that were wiped at least once and vote again.
  int readmitted();
  RaftCluster& cluster() { return cluster_; }

 private:
  void DecideMixture();
  Options RandomOptions();
  bool ChangesMembers() const { return servers_ > voters_; }
  void ChangeMembers(uint32_t id);
  uint32_t RandomServer() { return static_cast<uint32_t>(random_.Between(1, servers_)); }
  void Step();
  void DeliverSome(uint32_t to);
  void Fault(uint32_t id);
  // Beyond a minority of wiped servers nothing is promised.
  bool MayWipe(uint32_t id);
  bool Converged();

  base::Random random_;
  const Kind kind_;
  const uint32_t voters_;   // to begin with
  const uint32_t servers_;  // with those that may be added
  RaftCluster cluster_;
  double drop_ = 0;
  double duplicate_ = 0;
  double reorder_ = 0;
  double sync_ = 1;
  bool wipes_ = false;
  double faults_ = 0;
  double snapshots_ = 0;
  int taken_ = 0;
  double transfers_ = 0;
  int transfers_begun_ = 0;
  int changes_ = 0;
  uint64_t next_read_ = 1;
  int proposed_ = 0;
  int reads_ = 0;
  int wiped_ = 0;
};

}  // namespace bellwether::coord::raft
