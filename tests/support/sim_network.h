#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "coord/replica/transport.h"
#include "tests/support/sim_executor.h"

namespace bellwether::coord {

class SimTransport;

// The network between the servers of an ensemble. Fault model, that of Transport and of the core:
// - each direction of a connection delivers in order, after latency_first to latency_last; two
//   connections are independent, so messages of different servers overtake each other
// - a message is lost with loss_chance; connections break by themselves with break_chance per
//   message sent
// - a message that the transport between real servers does not take (coord/peer, ExchangeLimits) is lost
// - messages of the core (and only they: it says that it bears it) are delivered twice with
//   duplicate_chance, and delayed past later ones with reorder_chance
// - what goes one way over a link may be lost while the other way works; both ends believe in it
// - what goes one way over a link may be held back, and then arrives in order without a loss
// - two servers connect when each has the other among its servers; one that is not is told so, at the
//   other's first attempts
// - a cut link carries nothing. A broken cut ends the connection at both ends; a silent one lets
//   both ends believe in it, as when a switch loses packets, until it is healed
// - nothing of a connection is delivered after OnDisconnected; when it ends, each end hears so after
//   a latency of its own
class SimNetwork {
 public:
  explicit SimNetwork(SimScheduler& scheduler) : scheduler_(scheduler) {}

  absl::Duration latency_first = absl::Microseconds(30);
  absl::Duration latency_last = absl::Microseconds(300);
  absl::Duration reconnect_last = absl::Milliseconds(100);
  double loss_chance = 0;
  double break_chance = 0;
  double duplicate_chance = 0;
  double reorder_chance = 0;
  size_t message_bytes_max = 7 << 20;  // a larger one can't be sent
  // Hears of a message that can't be sent, and how large it is; may be null.
  std::function<void(ServerId from, ServerId to, size_t bytes)> on_too_large;
  // Hears of every message that leaves a server, inside a task of that server. May be null.
  std::function<void(ServerId from, ServerId to, const PeerMessage& message)> on_send;

  enum class Cut { kNone, kBroken, kSilent };
  void SetLink(ServerId a, ServerId b, Cut cut);
  // Cuts every link between `server` and the others.
  void Isolate(ServerId server, Cut cut);
  // Loses what `from` sends to `to`, until HealOneWay or HealAll.
  void CutOneWay(ServerId from, ServerId to) { one_way_cuts_.insert({from, to}); }
  void HealOneWay(ServerId from, ServerId to) { one_way_cuts_.erase({from, to}); }
  // Keeps what `from` sends to `to`, until ReleaseOneWay or HealAll.
  void HoldBackOneWay(ServerId from, ServerId to) { held_back_.try_emplace(Pair(from, to)); }
  void ReleaseOneWay(ServerId from, ServerId to);
  void HealAll();

  struct Counts {
    uint64_t delivered = 0;
    uint64_t lost = 0;     // for whatever reason
    uint64_t dropped = 0;  // of those, by loss_chance
    uint64_t too_large = 0;  // of those, by message_bytes_max
    uint64_t duplicated = 0;
    uint64_t reordered = 0;
    uint64_t broken = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  friend class SimTransport;
  using Pair = std::pair<ServerId, ServerId>;  // lower id first

  // Both ends of one connection; ends once, and never comes back.
  struct Connection {
    bool open = true;
    std::map<ServerId, absl::Duration> last_delivery;  // by receiver
  };

  // A message that was sent over a connection.
  struct Kept {
    std::shared_ptr<Connection> connection;  // shared as in connections_
    PeerMessage message;
  };

  static Pair PairOf(ServerId a, ServerId b) { return a < b ? Pair(a, b) : Pair(b, a); }
  Cut CutOf(ServerId a, ServerId b) const;
  bool Carries(ServerId from, ServerId to) const {
    return CutOf(from, to) == Cut::kNone && !one_way_cuts_.contains({from, to});
  }
  absl::Duration Latency() { return scheduler_.RandomDuration(latency_first, latency_last); }
  void Attach(ServerId id, SimTransport* transport);
  void Detach(ServerId id);
  void ScheduleConnect(ServerId a, ServerId b);
  void Connect(ServerId a, ServerId b);
  void Break(ServerId a, ServerId b);
  void Send(const std::shared_ptr<Connection>& connection, ServerId from, ServerId to,
            PeerMessage message);
  void Deliver(const std::shared_ptr<Connection>& connection, ServerId from, ServerId to,
               absl::Duration delay, bool in_order, PeerMessage message);

  SimScheduler& scheduler_;
  std::map<ServerId, SimTransport*> transports_;              // of live processes
  std::map<Pair, std::shared_ptr<Connection>> connections_;  // shared with what is on its way
  std::map<Pair, Cut> cuts_;
  std::set<Pair> one_way_cuts_;                  // from, to
  std::map<Pair, std::vector<Kept>> held_back_;  // likewise; each in the order in which it was sent
  Counts counts_;
};

// One process's end of the network. Destroying it is the end of the process: its connections break.
class SimTransport : public Transport {
 public:
  SimTransport(SimNetwork& network, base::Executor& executor)
      : network_(network), executor_(executor), alive_(std::make_shared<bool>(true)) {}
  ~SimTransport() override;

  void Start(Hello hello, Handler& handler) override;
  void SetServers(std::vector<PeerAddress> servers) override;
  void UpdateHello(Hello hello) override;
  void Send(ServerId to, PeerMessage message) override;

 private:
  friend class SimNetwork;
  using ConnectionPtr = std::shared_ptr<SimNetwork::Connection>;  // shared as in SimNetwork

  // By the network; the handler hears of it on the executor.
  void Connected(ServerId peer, ConnectionPtr connection, Hello hello);
  void Disconnected(ServerId peer, ConnectionPtr connection);
  void Received(ServerId from, ConnectionPtr connection, PeerMessage message);
  // That the peer does not talk to it.
  void Refused(ServerId peer);
  // Runs `call` on the executor if this process still lives then.
  void Call(base::Task call);
  // Whether it talks to the server.
  bool Knows(ServerId server) const;

  SimNetwork& network_;
  base::Executor& executor_;
  Handler* handler_ = nullptr;
  Hello hello_;
  std::vector<PeerAddress> servers_;
  std::map<ServerId, ConnectionPtr> connected_;  // as the handler knows
  std::shared_ptr<bool> alive_;  // weakly shared with tasks on the executor
};

}  // namespace bellwether::coord
