#include "coord/service/connection_table.h"

#include <map>
#include <utility>

#include "base/mutant.h"

namespace bellwether::coord {

bool ConnectionTable::Add(std::shared_ptr<Connection> connection) {
  base::MutexLock lock(mutex_);
  if (all_.size() >= connections_max_) return false;
  const uint64_t serial = connection->serial();
  all_.emplace(serial, std::move(connection));
  return true;
}

void ConnectionTable::Remove(Connection& connection) {
  base::MutexLock lock(mutex_);
  const auto attached = attached_.find(connection.session());
  if (attached != attached_.end() && attached->second.get() == &connection) {
    attached_.erase(attached);
  }
  absl::erase_if(attaching_,
                 [&connection](const auto& entry) { return entry.second.get() == &connection; });
  all_.erase(connection.serial());
}

void ConnectionTable::AwaitAttach(uint64_t token, std::shared_ptr<Connection> connection) {
  base::MutexLock lock(mutex_);
  attaching_.emplace(token, std::move(connection));
}

void ConnectionTable::Detach(Connection& connection, const Failure& failure, WakeList& woken) {
  if (connection.Detach(failure)) woken.push_back(connection.shared_from_this());
}

void ConnectionTable::FailAttach(uint64_t token, const Failure& failure, WakeList& woken) {
  base::MutexLock lock(mutex_);
  auto node = attaching_.find(token);
  if (node == attaching_.end()) return;
  Detach(*node->second, failure, woken);
  attaching_.erase(node);
}

void ConnectionTable::Attached(uint64_t token, const coord::Attached& attached, WakeList& woken) {
  base::MutexLock lock(mutex_);
  if (auto older = attached_.find(attached.grant.session); older != attached_.end()) {
    const Failure moved = FailureOf(tree::ResultCode::kStaleGeneration, "");
    if (!MUTANT(62)) Detach(*older->second, moved, woken);
    attached_.erase(older);
  }
  auto waiting = attaching_.find(token);
  if (waiting == attaching_.end()) return;
  std::shared_ptr<Connection> connection = std::move(waiting->second);
  attaching_.erase(waiting);
  if (connection->OnAttached(attached)) woken.push_back(connection);
  attached_.emplace(attached.grant.session, std::move(connection));
}

void ConnectionTable::Settle(uint64_t token, Response response, const tree::Command& command,
                             absl::Duration now, WakeList& woken) {
  base::MutexLock lock(mutex_);
  auto found = attached_.find(command.session);
  if (found == attached_.end()) return;
  if (found->second->Settle(token, std::move(response), command, now)) {
    woken.push_back(found->second);
  }
}

void ConnectionTable::SessionEnded(SessionId session, WakeList& woken) {
  base::MutexLock lock(mutex_);
  auto found = attached_.find(session);
  if (found == attached_.end()) return;
  Detach(*found->second, FailureOf(tree::ResultCode::kSessionExpired, ""), woken);
  attached_.erase(found);
}

void ConnectionTable::DetachUnsettled(const Failure& failure) {
  WakeList woken;
  {
    base::MutexLock lock(mutex_);
    // In an order that does not depend on hashes: a simulated run must be repeatable.
    const std::map<uint64_t, std::shared_ptr<Connection>> attaching(attaching_.begin(),
                                                                    attaching_.end());
    attaching_.clear();
    for (const auto& [token, connection] : attaching) Detach(*connection, failure, woken);
    const std::map<SessionId, std::shared_ptr<Connection>> attached(attached_.begin(),
                                                                    attached_.end());
    for (const auto& [session, connection] : attached) {
      if (connection->DetachIfUnsettled(failure)) woken.push_back(connection);
    }
  }
  for (const auto& connection : woken) connection->PostWake();
}

void ConnectionTable::DetachAll(const Failure& failure, WakeList& woken) {
  base::MutexLock lock(mutex_);
  attaching_.clear();
  attached_.clear();
  for (const auto& [serial, connection] : all_) Detach(*connection, failure, woken);
}

void ConnectionTable::DrainAll(const Failure& failure) {
  base::MutexLock lock(mutex_);
  for (const auto& [serial, connection] : all_) connection->Drain(failure);
}

size_t ConnectionTable::count() const {
  base::MutexLock lock(mutex_);
  return all_.size();
}

std::vector<std::shared_ptr<Connection>> ConnectionTable::After(uint64_t serial,
                                                                size_t connections_max) const {
  std::vector<std::shared_ptr<Connection>> page;
  base::MutexLock lock(mutex_);
  for (auto next = all_.upper_bound(serial); next != all_.end(); ++next) {
    if (page.size() == connections_max) break;
    page.push_back(next->second);
  }
  return page;
}

std::vector<std::string> ConnectionTable::AddressesOf(
    const std::vector<SessionId>& sessions) const {
  std::vector<std::string> addresses(sessions.size());
  base::MutexLock lock(mutex_);
  for (size_t i = 0; i < sessions.size(); ++i) {
    const auto found = attached_.find(sessions[i]);
    if (found != attached_.end()) addresses[i] = found->second->principal().address;
  }
  return addresses;
}

size_t ConnectionTable::Sum(size_t (Connection::*bytes)() const) const {
  base::MutexLock lock(mutex_);
  size_t sum = 0;
  for (const auto& [serial, connection] : all_) sum += ((*connection).*bytes)();
  return sum;
}

}  // namespace bellwether::coord
