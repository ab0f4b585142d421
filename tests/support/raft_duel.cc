#include "tests/support/raft_duel.h"

#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

constexpr uint32_t kServers = 4;
constexpr uint32_t kAdded = 5;
constexpr uint32_t kElectionTicks = 10;
constexpr uint32_t kTicksMax = 40 * kElectionTicks;

class Duel {
 public:
  explicit Duel(uint64_t seed) : random_(seed), cluster_(kServers, random_.Next(), Ticking(), 1) {
    std::vector<uint32_t> ids = {1, 2, 3, 4};
    for (uint32_t* const who : {&first_, &second_, &with_second_, &with_first_}) {
      const auto chosen = ids.begin() + static_cast<ptrdiff_t>(random_.Below(ids.size()));
      *who = *chosen;
      ids.erase(chosen);
    }
  }

  bool Run() {
    cluster_.Elect(first_);
    AddLearner();
    cluster_.Partition({{first_, kAdded}, {second_, with_second_, with_first_}});
    CHECK(cluster_.ChangeMembers(first_, Members(0, true)).ok());
    cluster_.RunUntilQuiet();
    ElectSecond();
    cluster_.Partition({{first_, kAdded}, {second_, with_second_}, {with_first_}});
    // The right answer is no.
    (void)cluster_.ChangeMembers(second_, Members(first_, false));
    cluster_.RunUntilQuiet();
    BringFirstBack();
    return ComeTogether();
  }

 private:
  static Options Ticking() {
    Options options;
    options.election_timeout_ticks = kElectionTicks;
    options.heartbeat_ticks = 2;
    return options;
  }

  std::vector<Member> Members(uint32_t without, bool added_votes) const {
    std::vector<Member> members;
    for (uint32_t id = 1; id <= kAdded; ++id) {
      if (id != without) members.push_back({ServerId(id), "", id != kAdded || added_votes});
    }
    return members;
  }

  void AddLearner() {
    CHECK(cluster_.ChangeMembers(first_, Members(0, false)).ok());
    cluster_.RunUntilQuiet();
    for (uint32_t tick = 0; tick < kTicksMax; ++tick) {
      cluster_.TickAll(1);
      if (tick > kElectionTicks && cluster_.core(kAdded).standing() == Standing::kVoter) return;
    }
    CHECK(false, "the added server is not admitted: {}", cluster_.TakeTrace());
  }

  // Nobody hears a leader any more, and nobody's term changes, since nobody answers.
  void Forget() {
    cluster_.Partition({{1}, {2}, {3}, {4}, {kAdded}});
    for (uint32_t id = 1; id <= kAdded; ++id) cluster_.Tick(id, 2 * kElectionTicks);
    cluster_.RunUntilQuiet();
  }

  // Up to the moment at which it leads, and has said nothing yet.
  void ElectSecond() {
    Forget();
    cluster_.Partition({{first_, kAdded}, {second_, with_second_, with_first_}});
    for (uint32_t tick = 0; tick < kTicksMax; ++tick) {
      cluster_.Tick(second_);
      if (RunUntilLeads(second_)) return;
    }
    CHECK(false, "server {} is not elected: {}", second_, cluster_.TakeTrace());
  }

  bool RunUntilLeads(uint32_t server) {
    for (int round = 0; round < 20; ++round) {
      for (uint32_t id = 1; id <= kAdded; ++id) {
        cluster_.TakeReadys(id);
        while (cluster_.SyncOne(id)) {
        }
      }
      std::vector<RaftCluster::Edge> edges;
      for (const auto& [edge, queue] : cluster_.in_flight()) {
        edges.insert(edges.end(), queue.size(), edge);
      }
      for (const auto& [from, to] : edges) {
        cluster_.Deliver(from.value(), to.value());
        if (cluster_.core(server).role() == Role::kLeader) return true;
      }
    }
    return false;
  }

  void BringFirstBack() {
    Forget();
    cluster_.Partition({{first_, kAdded, with_first_}, {second_, with_second_}});
    for (uint32_t tick = 0; tick < 4 * kElectionTicks; ++tick) {
      cluster_.Tick(first_);
      cluster_.RunUntilQuiet();
    }
  }

  bool ComeTogether() {
    cluster_.Heal();
    for (uint32_t tick = 0; tick < kTicksMax; ++tick) {
      cluster_.TickAll(1);
      const auto leader = cluster_.Leader();
      if (!leader.has_value()) continue;
      const RaftCore& core = cluster_.core(*leader);
      const bool joint = core.membership().IsJoint();
      const bool complete = !joint && core.membership_index() <= core.commit();
      if (complete && core.TermAt(core.commit()) == core.term()) return true;
    }
    return false;
  }

  base::Random random_;
  RaftCluster cluster_;
  uint32_t first_ = 0;
  uint32_t second_ = 0;
  uint32_t with_second_ = 0;
  uint32_t with_first_ = 0;
};

}  // namespace

bool FightOverMembers(uint64_t seed) { return Duel(seed).Run(); }

}  // namespace bellwether::coord::raft
