#include "tests/support/sim_network.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"

namespace bellwether::coord {
namespace {

constexpr size_t kFrameOverhead = 64;  // numbers and ids of a message
constexpr size_t kItemOverhead = 16;   // likewise of each item in it

size_t BytesOf(const std::vector<PeerAddress>& servers) {
  size_t bytes = 0;
  for (const PeerAddress& server : servers) bytes += server.address.size() + kItemOverhead;
  return bytes;
}

size_t BytesOf(const std::vector<std::string>& items) {
  size_t bytes = 0;
  for (const std::string& item : items) bytes += item.size() + kItemOverhead;
  return bytes;
}

// What a message holds beyond that.
struct PayloadBytes {
  size_t operator()(const Hello& hello) const {
    return hello.grpc.size() + BytesOf(hello.servers) + BytesOf(hello.members) +
           hello.heard_empty.size() * kItemOverhead;
  }
  size_t operator()(const raft::Message& message) const {
    size_t bytes = 0;
    if (const auto* append = std::get_if<raft::AppendRequest>(&message.body)) {
      for (const raft::EntryPtr& entry : append->entries) bytes += raft::EntryBytes(*entry);
    } else if (const auto* install = std::get_if<raft::InstallSnapshot>(&message.body)) {
      bytes += raft::Encode(install->snapshot.membership).size();
    }
    return bytes;
  }
  size_t operator()(const Forward& forward) const {
    return BytesOf(forward.commands) + BytesOf(forward.principals);
  }
  size_t operator()(const ForwardReply& reply) const { return reply.status.message().size(); }
  size_t operator()(const ReadIndexRequest& request) const { return BytesOf(request.notes); }
  size_t operator()(const ReadIndexReply&) const { return 0; }
  size_t operator()(const Note& note) const { return note.note.size(); }
  size_t operator()(const Broadcast& broadcast) const { return broadcast.note.size(); }
  size_t operator()(const SnapshotChunkRequest&) const { return 0; }
  size_t operator()(const SnapshotChunk& chunk) const { return chunk.data.size(); }
  size_t operator()(const HoldForwards&) const { return 0; }
  size_t operator()(const MembershipRequest& request) const {
    return request.change.address.size();
  }
  size_t operator()(const MembershipReply& reply) const {
    if (!reply.view.ok()) return reply.view.status().message().size();
    size_t bytes = 0;
    for (const MemberInfo& member : reply.view->members) {
      bytes += member.address.size() + member.grpc.size() + 2 * kItemOverhead;
    }
    return bytes;
  }
};

// Of the frame in which it would travel, roughly.
size_t FrameBytes(const PeerMessage& message) {
  return kFrameOverhead + std::visit(PayloadBytes(), message);
}

}  // namespace

// --- Links

SimNetwork::Cut SimNetwork::CutOf(ServerId a, ServerId b) const {
  auto found = cuts_.find(PairOf(a, b));
  return found == cuts_.end() ? Cut::kNone : found->second;
}

void SimNetwork::SetLink(ServerId a, ServerId b, Cut cut) {
  cuts_[PairOf(a, b)] = cut;
  if (cut == Cut::kBroken) {
    Break(a, b);
  } else if (cut == Cut::kNone) {
    ScheduleConnect(a, b);
  }
}

void SimNetwork::Isolate(ServerId server, Cut cut) {
  // Also from those that start later.
  for (uint32_t other = 1; other <= 9; ++other) {
    if (ServerId(other) != server) SetLink(server, ServerId(other), cut);
  }
}

void SimNetwork::ReleaseOneWay(ServerId from, ServerId to) {
  auto released = held_back_.extract(Pair(from, to));
  if (released.empty()) return;
  for (Kept& kept : released.mapped()) {
    Deliver(kept.connection, from, to, Latency(), /*in_order=*/true, std::move(kept.message));
  }
}

void SimNetwork::HealAll() {
  one_way_cuts_.clear();
  while (!held_back_.empty()) {
    const Pair pair = held_back_.begin()->first;
    ReleaseOneWay(pair.first, pair.second);
  }
  const std::map<Pair, Cut> cuts = std::exchange(cuts_, {});
  for (const auto& [pair, cut] : cuts) {
    if (cut != Cut::kNone) ScheduleConnect(pair.first, pair.second);
  }
}

// --- Connections

void SimNetwork::Attach(ServerId id, SimTransport* transport) {
  CHECK(transports_.emplace(id, transport).second, "two processes are server {}", id);
  for (const auto& [other, unused] : transports_) {
    if (other != id) ScheduleConnect(id, other);
  }
}

void SimNetwork::Detach(ServerId id) {
  transports_.erase(id);
  std::vector<Pair> pairs;
  for (const auto& [pair, connection] : connections_) {
    if (pair.first == id || pair.second == id) pairs.push_back(pair);
  }
  for (const Pair& pair : pairs) Break(pair.first, pair.second);
}

void SimNetwork::ScheduleConnect(ServerId a, ServerId b) {
  scheduler_.After(scheduler_.RandomDuration(absl::ZeroDuration(), reconnect_last),
                   [this, a, b] { Connect(a, b); });
}

void SimNetwork::Connect(ServerId a, ServerId b) {
  if (!transports_.contains(a) || !transports_.contains(b)) return;  // starts later, then tries
  if (connections_.contains(PairOf(a, b))) return;
  if (CutOf(a, b) != Cut::kNone) return;  // healing tries again
  SimTransport& end_a = *transports_.at(a);
  SimTransport& end_b = *transports_.at(b);
  if (!end_a.Knows(b) || !end_b.Knows(a)) {  // SetServers tries again
    if (end_a.Knows(b)) end_a.Refused(b);
    if (end_b.Knows(a)) end_b.Refused(a);
    return;
  }
  auto connection = std::make_shared<Connection>();
  connections_[PairOf(a, b)] = connection;
  for (const auto& [near, far] : {std::pair(a, b), std::pair(b, a)}) {
    const absl::Duration delay = Latency();
    connection->last_delivery[near] = scheduler_.now() + delay;
    scheduler_.After(delay, [this, connection, near = near, far = far,
                             hello = transports_[far]->hello_] {
      auto found = transports_.find(near);
      if (found == transports_.end() || !connection->open) return;
      found->second->Connected(far, connection, hello);
    });
  }
}

void SimNetwork::Break(ServerId a, ServerId b) {
  auto found = connections_.find(PairOf(a, b));
  if (found == connections_.end()) return;
  ++counts_.broken;
  const std::shared_ptr<Connection> connection = found->second;
  connections_.erase(found);
  connection->open = false;
  for (const auto& [near, far] : {std::pair(a, b), std::pair(b, a)}) {
    scheduler_.After(Latency(), [this, connection, near = near, far = far] {
      auto transport = transports_.find(near);
      if (transport != transports_.end()) transport->second->Disconnected(far, connection);
    });
  }
  ScheduleConnect(a, b);
}

// --- Messages

void SimNetwork::Send(const std::shared_ptr<Connection>& connection, ServerId from, ServerId to,
                      PeerMessage message) {
  if (on_send) on_send(from, to, message);
  if (const size_t bytes = FrameBytes(message); bytes > message_bytes_max) {
    ++counts_.lost;
    ++counts_.too_large;
    if (on_too_large) on_too_large(from, to, bytes);
    return;
  }
  if (!connection->open || !Carries(from, to)) {
    ++counts_.lost;
    return;
  }
  if (auto held = held_back_.find(Pair(from, to)); held != held_back_.end()) {
    held->second.push_back({connection, std::move(message)});
    return;
  }
  if (scheduler_.random().Chance(loss_chance)) {
    ++counts_.lost;
    ++counts_.dropped;
    return;
  }
  if (scheduler_.random().Chance(break_chance)) Break(from, to);
  bool in_order = true;
  if (std::holds_alternative<raft::Message>(message)) {
    if (scheduler_.random().Chance(duplicate_chance)) {
      ++counts_.duplicated;
      Deliver(connection, from, to, Latency() * 5, false, message);
    }
    if (scheduler_.random().Chance(reorder_chance)) {
      ++counts_.reordered;
      in_order = false;
    }
  }
  const absl::Duration delay = in_order ? Latency() : Latency() * 10;
  Deliver(connection, from, to, delay, in_order, std::move(message));
}

void SimNetwork::Deliver(const std::shared_ptr<Connection>& connection, ServerId from, ServerId to,
                         absl::Duration delay, bool in_order, PeerMessage message) {
  absl::Duration due = scheduler_.now() + delay;
  if (in_order) {
    due = std::max(due, connection->last_delivery[to]);
    connection->last_delivery[to] = due;
  }
  scheduler_.After(due - scheduler_.now(),
                   [this, connection, from, to, message = std::move(message)]() mutable {
                     auto receiver = transports_.find(to);
                     if (receiver == transports_.end() || !Carries(from, to)) {
                       ++counts_.lost;
                       return;
                     }
                     ++counts_.delivered;
                     receiver->second->Received(from, connection, std::move(message));
                   });
}

// --- One end

SimTransport::~SimTransport() {
  alive_.reset();
  if (handler_ != nullptr) network_.Detach(hello_.server_id);
}

void SimTransport::Start(Hello hello, Handler& handler) {
  hello_ = std::move(hello);
  servers_ = hello_.servers;
  handler_ = &handler;
  network_.Attach(hello_.server_id, this);
}

void SimTransport::SetServers(std::vector<PeerAddress> servers) {
  const std::vector<PeerAddress> before = std::exchange(servers_, std::move(servers));
  for (const PeerAddress& server : before) {
    const bool stays = std::find(servers_.begin(), servers_.end(), server) != servers_.end();
    if (stays || server.id == hello_.server_id) continue;
    connected_.erase(server.id);
    network_.Break(hello_.server_id, server.id);
  }
  for (const PeerAddress& server : servers_) {
    if (server.id != hello_.server_id) network_.ScheduleConnect(hello_.server_id, server.id);
  }
}

bool SimTransport::Knows(ServerId server) const {
  return std::any_of(servers_.begin(), servers_.end(),
                     [server](const PeerAddress& known) { return known.id == server; });
}

void SimTransport::Refused(ServerId peer) {
  Call([this, peer] { handler_->OnRefused(peer); });
}

void SimTransport::UpdateHello(Hello hello) {
  hello_ = std::move(hello);
  for (const auto& [peer, connection] : connected_) {
    network_.Send(connection, hello_.server_id, peer, hello_);
  }
}

void SimTransport::Send(ServerId to, PeerMessage message) {
  auto found = connected_.find(to);
  if (found == connected_.end()) return;
  network_.Send(found->second, hello_.server_id, to, std::move(message));
}

void SimTransport::Call(base::Task call) {
  executor_.Post([alive = std::weak_ptr<bool>(alive_), call = std::move(call)]() mutable {
    if (!alive.expired()) call();
  });
}

void SimTransport::Connected(ServerId peer, ConnectionPtr connection, Hello hello) {
  Call([this, peer, connection = std::move(connection), hello = std::move(hello)] {
    if (!Knows(peer)) return;  // since it was connected
    ConnectionPtr& current = connected_[peer];
    if (current != nullptr) handler_->OnDisconnected(peer);
    current = connection;
    handler_->OnConnected(hello);
  });
}

void SimTransport::Disconnected(ServerId peer, ConnectionPtr connection) {
  Call([this, peer, connection = std::move(connection)] {
    auto found = connected_.find(peer);
    if (found == connected_.end() || found->second != connection) return;
    connected_.erase(found);
    handler_->OnDisconnected(peer);
  });
}

void SimTransport::Received(ServerId from, ConnectionPtr connection, PeerMessage message) {
  Call([this, from, connection = std::move(connection), message = std::move(message)]() mutable {
    auto found = connected_.find(from);
    if (found == connected_.end() || found->second != connection) return;
    handler_->OnMessage(from, std::move(message));
  });
}

}  // namespace bellwether::coord
