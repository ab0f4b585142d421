#include "tests/unit/coord/replica/forward_run.h"

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

constexpr uint32_t kServers = 3;
constexpr int kSteps = 40;
constexpr int kProposalsPerStep = 5;

class Run {
 public:
  explicit Run(uint64_t seed) : random_(seed), ensemble_(kServers, random_.Next()) {}

  ForwardRun Do() {
    ensemble_.StartAll();
    if (ensemble_.WaitForLeader() == 0) return Failed("liveness: no leader at the beginning");
    ensemble_.network.on_send = [this](ServerId from, ServerId to, const PeerMessage& message) {
      OnSend(from, to, message);
    };
    for (int step = 0; step < kSteps; ++step) {
      Disturb();
      for (int i = 0; i < kProposalsPerStep; ++i) Propose(AnyServer());
      ensemble_.scheduler.RunFor(
          ensemble_.scheduler.RandomDuration(absl::ZeroDuration(), absl::Milliseconds(40)));
    }
    if (!Heal()) return Failed("liveness: the servers do not agree after healing");
    CheckOrder(ensemble_.at(1).state_machine.commands);
    return result_;
  }

 private:
  // Where a command stands in what its server forwarded.
  struct Place {
    ServerId server;
    uint64_t stream = 0;  // 1 is the first of the server
    uint64_t position = 0;
  };
  using Key = std::tuple<ServerId, uint64_t, uint64_t>;  // of a Place

  ForwardRun Failed(std::string violation) {
    result_.violation = std::move(violation);
    return result_;
  }

  uint32_t AnyServer() { return static_cast<uint32_t>(random_.Between(1, kServers)); }

  void Propose(uint32_t server) {
    ensemble_.Propose(server, fmt::format("{}", ++proposed_));
  }

  uint64_t StreamOf(ServerId server, uint64_t id) {
    auto& streams = streams_[server];
    return streams.emplace(id, streams.size() + 1).first->second;
  }

  void OnSend(ServerId from, ServerId to, const PeerMessage& message) {
    if (const auto* forward = std::get_if<Forward>(&message)) {
      const Place place{from, StreamOf(from, forward->stream_id), forward->position};
      for (const std::string& command : forward->commands) {
        if (!places_.emplace(command, place).second) Failed("forwards: a command is sent twice");
      }
    } else if (const auto* reply = std::get_if<ForwardReply>(&message)) {
      if (reply->status.ok() || absl::IsAborted(reply->status)) return;
      ++result_.refused;
      refused_.emplace(to, StreamOf(to, reply->stream_id), reply->position);
    }
  }

  void Disturb() {
    SimNetwork& network = ensemble_.network;
    const ServerId server(AnyServer());
    switch (random_.Below(5)) {
      case 0:
        network.loss_chance = random_.Chance(0.5) ? 0.05 : 0;
        break;
      case 1: {
        const ServerId other(server.value() % kServers + 1);
        network.SetLink(server, other, SimNetwork::Cut::kBroken);
        network.SetLink(server, other, SimNetwork::Cut::kNone);
        break;
      }
      case 2:
        TransferTo(AnyServer());
        break;
      case 3:
        ForwardLate();
        break;
      default:
        break;
    }
  }

  bool TransferTo(uint32_t server) {
    const uint32_t leader = ensemble_.Leader();
    if (leader == 0 || leader == server) return false;
    ensemble_.Ask(leader, {MembershipChange::Kind::kTransfer, ServerId(server), ""});
    return ensemble_.Until([&] { return ensemble_.Leader() == server; }, absl::Milliseconds(200));
  }

  // What a server forwards is on its way while leadership goes to the third one and back.
  void ForwardLate() {
    const uint32_t leader = ensemble_.Leader();
    if (leader == 0) return;
    const uint32_t forwarder = leader % kServers + 1;
    const uint32_t third = forwarder % kServers + 1;
    SimNetwork& network = ensemble_.network;
    const absl::Duration first = network.latency_first;
    const absl::Duration last = network.latency_last;
    network.latency_first = network.latency_last =
        ensemble_.scheduler.RandomDuration(absl::Milliseconds(50), absl::Milliseconds(400));
    Propose(forwarder);
    ensemble_.scheduler.RunFor(absl::Milliseconds(1));
    network.latency_first = first;
    network.latency_last = last;
    if (!TransferTo(third)) return;
    Propose(forwarder);
    ensemble_.scheduler.RunFor(absl::Milliseconds(5));
    if (TransferTo(leader)) ++result_.leaders_back;
  }

  bool Heal() {
    ensemble_.network.loss_chance = 0;
    ensemble_.network.HealAll();
    ensemble_.scheduler.RunFor(absl::Seconds(2));
    const uint32_t leader = ensemble_.WaitForLeader();
    if (leader == 0 || !ensemble_.ProposeAndWait(leader, "last").ok()) return false;
    return ensemble_.Until([&] {
      const std::vector<std::string>& commands = ensemble_.at(1).state_machine.commands;
      return !commands.empty() && commands.back() == "last" && ensemble_.AllApplied(commands);
    });
  }

  void CheckOrder(const std::vector<std::string>& commands) {
    std::map<ServerId, Place> newest;
    std::set<std::string> seen;
    for (const std::string& command : commands) {
      if (!seen.insert(command).second) {
        Failed(fmt::format("forward order: command {} is in the log twice", command));
      }
      const auto found = places_.find(command);
      if (found == places_.end()) continue;  // the leader's own
      ++result_.applied;
      const Place& place = found->second;
      Follow(newest[place.server], place);
      newest[place.server] = place;
    }
  }

  void Follow(const Place& before, const Place& place) {
    const bool same = before.stream == place.stream;
    if (place.stream < before.stream || (same && place.position < before.position)) {
      Failed(fmt::format("forward order: of server {}, what is {} of stream {} comes behind {} of {}",
                         place.server, place.position, place.stream, before.position,
                         before.stream));
    }
    for (uint64_t skipped = same ? before.position + 1 : 1; skipped < place.position; ++skipped) {
      if (refused_.contains(Key(place.server, place.stream, skipped))) continue;
      Failed(fmt::format("forward order: of server {}, {} of stream {} is there without {}",
                         place.server, place.position, place.stream, skipped));
    }
  }

  base::Random random_;
  ForwardRun result_;
  uint64_t proposed_ = 0;
  std::map<ServerId, std::map<uint64_t, uint64_t>> streams_;  // by id, numbered as they began
  std::map<std::string, Place> places_;                       // of forwarded commands
  std::set<Key> refused_;
  Ensemble ensemble_;  // last, as it calls OnSend
};

}  // namespace

ForwardRun RunForwards(uint64_t seed) { return Run(seed).Do(); }

}  // namespace bellwether::coord
