#include "tests/support/sim_log_store.h"

#include <utility>

#include "base/check.h"

namespace bellwether::coord {

void SimDisk::Log::Apply(const PersistRequest& request) {
  if (request.reset_to != raft::LogIndex()) {
    CHECK(request.reset_to + 1 >= first);
    first = request.reset_to + 1;
    entries.clear();
  }
  if (request.truncate_from != raft::LogIndex()) {
    CHECK(request.truncate_from >= first && request.truncate_from <= last() + 1);
    entries.resize(request.truncate_from - first);
  }
  for (const raft::EntryPtr& entry : request.entries) {
    CHECK(entry->index == last() + 1);
    entries.push_back(entry);
  }
  if (request.compact_to >= first) {
    CHECK(request.compact_to <= last());
    const uint64_t gone = request.compact_to + 1 - first;
    entries.erase(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(gone));
    first = request.compact_to + 1;
  }
}

void SimDisk::Content::Apply(const PersistRequest& request) {
  log.Apply(request);
  if (request.hard_state.has_value()) hard_state = request.hard_state;
  if (request.formation.has_value()) formation = *request.formation;
}

void SimDisk::Crash() {
  const size_t kept = scheduler_.random().Below(volatile_.size() + 1);
  for (size_t i = 0; i < kept; ++i) durable_.Apply(volatile_[i]);
  requests_lost_ += volatile_.size() - kept;
  volatile_.clear();
}

void SimDisk::Wipe() {
  durable_ = Content();
  volatile_.clear();
}

SimLogStore::SimLogStore(SimScheduler& scheduler, SimDisk& disk, base::Executor& executor)
    : scheduler_(scheduler),
      disk_(disk),
      executor_(executor),
      initial_(disk.durable_),
      log_(disk.durable_.log),
      alive_(std::make_shared<bool>(true)) {
  CHECK(disk.volatile_.empty(), "the process before this one did not crash");
}

SimLogStore::~SimLogStore() = default;

void SimLogStore::Persist(PersistRequest request, Done done) {
  log_.Apply(request);
  disk_.volatile_.push_back(std::move(request));
  waiting_.push_back({std::move(done), scheduler_.now()});
  if (!syncing_) StartSync();
}

void SimLogStore::StartSync() {
  syncing_ = true;
  scheduler_.After(scheduler_.RandomDuration(disk_.sync_first, disk_.sync_last),
                   [this, alive = std::weak_ptr<bool>(alive_), requests = waiting_.size()] {
                     if (!alive.expired()) FinishSync(requests);
                   });
}

void SimLogStore::FinishSync(size_t requests) {
  ++disk_.syncs_;
  if (disk_.failing_ && failure_.ok()) {
    failure_ = absl::InternalError("cannot write the log: Input/output error; check the disk");
  }
  for (size_t i = 0; i < requests; ++i) {
    if (failure_.ok()) disk_.durable_.Apply(disk_.volatile_.front());
    disk_.volatile_.pop_front();
    executor_.Post([alive = std::weak_ptr<bool>(alive_), done = std::move(waiting_.front().done),
                    status = failure_]() mutable {
      if (!alive.expired()) done(std::move(status));
    });
    waiting_.pop_front();
  }
  syncing_ = false;
  if (!waiting_.empty()) StartSync();
}

absl::Status SimLogStore::RoomFor(EntryKind kind) const {
  if (!disk_.full_ || kind == EntryKind::kUpkeep) return absl::OkStatus();
  return absl::ResourceExhaustedError("the disk is nearly full; free some space");
}

absl::Duration SimLogStore::OldestPendingFor() const {
  return waiting_.empty() ? absl::ZeroDuration() : scheduler_.now() - waiting_.front().asked;
}

uint64_t SimLogStore::Bytes() const {
  uint64_t bytes = 0;
  for (const raft::EntryPtr& entry : log_.entries) bytes += raft::EntryBytes(*entry);
  return bytes;
}

absl::StatusOr<raft::Term> SimLogStore::TermAt(raft::LogIndex index) {
  CHECK(index >= FirstIndex() && index <= LastIndex());
  return log_.entries[index - FirstIndex()]->term;
}

std::vector<raft::EntryPtr> SimLogStore::MembershipEntries() {
  std::vector<raft::EntryPtr> found;
  for (const raft::EntryPtr& entry : log_.entries) {
    if (entry->type == raft::EntryType::kMembership) found.push_back(entry);
  }
  return found;
}

absl::StatusOr<std::vector<raft::EntryPtr>> SimLogStore::Read(raft::LogIndex begin,
                                                              raft::LogIndex end,
                                                              size_t bytes_max) {
  CHECK(begin >= FirstIndex() && begin < end && end <= LastIndex() + 1);
  std::vector<raft::EntryPtr> out;
  size_t bytes = 0;
  for (raft::LogIndex index = begin; index < end; ++index) {
    const raft::EntryPtr& entry = log_.entries[index - FirstIndex()];
    bytes += raft::EntryBytes(*entry);
    if (bytes > bytes_max && !out.empty()) break;
    out.push_back(entry);
  }
  return out;
}

}  // namespace bellwether::coord
