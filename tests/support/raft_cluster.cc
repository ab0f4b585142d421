#include "tests/support/raft_cluster.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {

RaftCluster::RaftCluster(uint32_t servers, uint64_t seed, Options options, uint32_t spares)
    : options_(options), random_(seed) {
  for (uint32_t id = 1; id <= servers; ++id) initial_.members.push_back({ServerId(id), ""});
  for (uint32_t id = 1; id <= servers + spares; ++id) {
    Server& server = servers_[ServerId(id)];
    server.random = std::make_unique<base::Random>(random_.Next());
    server.disk.folder_id = base::Uuid(id, 1);
    if (id > servers) server.disk.hard_state.standing = Standing::kAwaitingReadmission;
  }
  for (auto& [id, server] : servers_) Start(id);
}

void RaftCluster::Start(ServerId id) {
  Server& server = servers_.at(id);
  Options options = options_;
  options.self = id;
  options.membership = initial_;
  options.folder_id = server.disk.folder_id;
  options.snapshot = server.disk.snapshot();
  server.disk.ResetLogBehindSnapshot();
  auto core = RaftCore::Create(options, server.disk.hard_state, server.disk, *server.random);
  CHECK(core.ok(), "{}", core.status().ToString());
  server.core = *std::move(core);
  server.seen = server.disk.hard_state;
  server.seen_commit = LogIndex(0);
  server.led = Term(0);
  server.wanted.reset();
  Restore(id, server, options.snapshot);
}

void RaftCluster::Restore(ServerId id, Server& server, const SnapshotMeta& snapshot) {
  CHECK(snapshot.index <= newest_applied(), "server {} has a snapshot of what never was", id);
  server.applied.assign(
      applied_anywhere_.begin(),
      applied_anywhere_.begin() + static_cast<ptrdiff_t>(snapshot.index.value()));
  if (snapshot.index == LogIndex(0)) return;
  CHECK(server.applied.back()->term == snapshot.term);
  Trace(fmt::format("{} restores snapshot {}/{}", id, snapshot.index, snapshot.term));
}

void RaftCluster::Tick(uint32_t server, uint32_t ticks) {
  for (uint32_t i = 0; i < ticks; ++i) {
    core(server).Tick();
    Check(ServerId(server));
  }
}

void RaftCluster::TickAll(uint32_t ticks) {
  for (uint32_t i = 0; i < ticks; ++i) {
    for (const auto& [id, server] : servers_) {
      if (server.core != nullptr) Tick(id.value());
    }
    RunUntilQuiet();
  }
}

absl::StatusOr<Proposed> RaftCluster::Propose(uint32_t server, std::vector<std::string> payloads) {
  auto proposed = core(server).Propose(std::move(payloads));
  Check(ServerId(server));
  return proposed;
}

absl::Status RaftCluster::Read(uint32_t server, uint64_t read_id) {
  absl::Status asked = core(server).RequestRead(ReadId(read_id));
  if (asked.ok()) at(server).asked[ReadId(read_id)] = newest_applied();
  Check(ServerId(server));
  return asked;
}

absl::Status RaftCluster::ChangeMembers(uint32_t server, std::vector<Member> members) {
  const auto proposed = core(server).ProposeMembership(std::move(members));
  Check(ServerId(server));
  return proposed.status();
}

absl::Status RaftCluster::Transfer(uint32_t server, uint32_t to) {
  const absl::Status begun = core(server).TransferLeadership(ServerId(to));
  Check(ServerId(server));
  return begun;
}

bool RaftCluster::TakeSnapshot(uint32_t server, uint64_t keep) {
  Server& taker = at(server);
  if (taker.applied.empty()) return false;
  SnapshotMeta snapshot;
  snapshot.index = taker.applied.back()->index;
  snapshot.term = taker.applied.back()->term;
  if (snapshot.index <= taker.disk.snapshot().index) return false;
  snapshot.membership = taker.core->MembershipAt(snapshot.index);
  CHECK(snapshot.membership == MembershipBy(snapshot.index));
  taker.disk.AddSnapshot(snapshot);
  const LogIndex compact_to(snapshot.index.value() - std::min(keep, snapshot.index.value()));
  Trace(fmt::format("{} takes snapshot {}/{}", server, snapshot.index, snapshot.term));
  taker.core->OnSnapshotTaken(snapshot, compact_to);
  FakeDisk::Write compaction;
  compaction.compact_to = compact_to;
  taker.disk.Add(std::move(compaction));
  Check(ServerId(server));
  return true;
}

void RaftCluster::Elect(uint32_t server) {
  const std::set<Edge> cut = cut_;
  tracing_ = false;
  for (const auto& [from, unused] : servers_) {
    for (const auto& [to, unused_too] : servers_) Cut(from.value(), to.value());
  }
  RunUntilQuiet();
  // Nobody is led any more after this; nobody's term changes, since no pre-vote is answered.
  for (auto& [id, other] : servers_) {
    const bool led = other.core != nullptr && other.core->leader() != ServerId(0);
    if (led) Tick(id.value(), 2 * options_.election_timeout_ticks);
  }
  RunUntilQuiet();
  cut_ = cut;
  tracing_ = true;
  const Term before = core(server).term();
  for (uint32_t i = 0; i < 4 * options_.election_timeout_ticks; ++i) {
    Tick(server);
    TakeReadys(server);
    const bool asked = std::any_of(in_flight_.begin(), in_flight_.end(), [](const auto& edge) {
      return !edge.second.empty();
    });
    if (asked || at(server).disk.pending() > 0) break;
  }
  RunUntilQuiet();
  CHECK(core(server).role() == Role::kLeader && core(server).term() > before,
        "server {} was not elected: {}", server, trace_);
}

void RaftCluster::RunUntilQuiet() {
  for (int round = 0; round < 10000; ++round) {
    bool busy = false;
    for (auto& [id, server] : servers_) {
      if (server.core == nullptr) continue;
      TakeReadys(id.value());
      while (!server.disk_held && SyncOne(id.value())) busy = true;
      busy |= !server.disk_held && Fetch(id.value());
    }
    std::vector<Edge> edges;
    for (const auto& [edge, queue] : in_flight_) edges.insert(edges.end(), queue.size(), edge);
    for (const Edge& edge : edges) {
      busy |= Deliver(edge.first.value(), edge.second.value());
    }
    if (!busy) return;
  }
  CHECK(false, "never quiet: {}", trace_);
}

void RaftCluster::TakeReadys(uint32_t server) {
  for (int i = 0; i < 1000; ++i) {
    std::optional<Ready> ready = core(server).TakeReady();
    if (!ready.has_value()) return;
    Execute(ServerId(server), *std::move(ready));
    Check(ServerId(server));
  }
  CHECK(false, "server {} has Readys without end", server);
}

void RaftCluster::Execute(ServerId id, Ready ready) {
  Server& server = servers_.at(id);
  if (ready.soft_state.has_value()) {
    static constexpr const char* kRoles[] = {"follower", "pre-candidate", "candidate", "leader"};
    Trace(fmt::format("{} is {} in term {}, leader {}", id,
                      kRoles[static_cast<int>(ready.soft_state->role)], ready.soft_state->term,
                      ready.soft_state->leader));
    if (ready.soft_state->role == Role::kLeader) CheckLeader(id);
  }
  CHECK(server.core->role() != Role::kLeader || ready.truncate_from == LogIndex(0),
        "leader {} truncates its log from {}", id, ready.truncate_from);
  Carry(std::move(ready.messages));
  if (ready.NeedsPersist() || !ready.messages_after_persist.empty()) {
    server.disk.Add(FakeDisk::Write{ready.id, ready.truncate_from, std::move(ready.entries),
                                    ready.hard_state, std::move(ready.messages_after_persist),
                                    ready.install ? ready.install->index : LogIndex(0),
                                    LogIndex(0)});
  }
  if (ready.install.has_value()) {
    CHECK(server.disk.HasSnapshot(*ready.install));
    Restore(id, server, *ready.install);
    ++installed_;
    server.core->OnApplied(ready.install->index);
  }
  Apply(id, server, ready.committed);
  if (ready.wanted_snapshot.has_value()) {
    server.wanted = ready.wanted_snapshot;
    const SnapshotMeta& snapshot = server.wanted->snapshot;
    Trace(fmt::format("{} wants snapshot {}/{} of {}", id, snapshot.index, snapshot.term,
                      server.wanted->from));
  }
  for (const ReadResult& read : ready.reads) {
    Trace(fmt::format("{} confirms read {} at {}", id, read.id, read.index));
    CHECK(read.index >= server.asked.at(read.id), "stale read {}", read.id);
    server.reads.push_back(read);
  }
  for (ReadId read : ready.lost_reads) {
    Trace(fmt::format("{} loses read {}", id, read));
    server.lost_reads.push_back(read);
  }
}

void RaftCluster::Apply(ServerId id, Server& server, const std::vector<EntryPtr>& entries) {
  for (const EntryPtr& entry : entries) {
    const size_t position = entry->index.value() - 1;
    CHECK(position == server.applied.size(), "server {} skips or repeats {}", id, entry->index);
    const EntryPtr durable = server.disk.EntryAt(entry->index);
    CHECK(durable != nullptr && durable->term == entry->term,
          "server {} applies {} before it is durable", id, entry->index);
    server.applied.push_back(entry);
    if (position == applied_anywhere_.size()) {
      if (entry->type == EntryType::kMembership) CheckMembershipFollows(*entry);
      applied_anywhere_.push_back(entry);
    }
    const Entry& first = *applied_anywhere_.at(position);
    CHECK(first.term == entry->term && first.payload == entry->payload,
          "state machine safety: server {} applies another entry {}", id, entry->index);
    Trace(fmt::format("{} applies {}", id, Describe(*entry)));
  }
  if (!entries.empty()) server.core->OnApplied(entries.back()->index);
}

Membership RaftCluster::MembershipBy(LogIndex index) const {
  Membership membership = initial_;
  for (const EntryPtr& entry : applied_anywhere_) {
    if (entry->index > index) break;
    if (entry->type != EntryType::kMembership) continue;
    membership = *DecodeMembership(entry->payload);
  }
  return membership;
}

// Any majority of one membership meets any of the next (thesis sections 4.1 and 4.3).
void RaftCluster::CheckMembershipFollows(const Entry& entry) {
  const Membership before = MembershipBy(entry.index - 1);
  const Membership after = *DecodeMembership(entry.payload);
  if (before.IsJoint()) {
    CHECK(!after.IsJoint() && after.members == before.next, "{}", Describe(entry));
  } else if (after.IsJoint()) {
    CHECK(after.members == before.members, "{}", Describe(entry));
  } else {
    const VoterSet was(before);
    const VoterSet is(after);
    std::vector<ServerId> changed;
    std::set_symmetric_difference(was.members().begin(), was.members().end(), is.members().begin(),
                                  is.members().end(), std::back_inserter(changed));
    CHECK(changed.size() <= 1, "{}", Describe(entry));
  }
}

bool RaftCluster::SyncOne(uint32_t server) {
  FakeDisk& disk = at(server).disk;
  if (disk.pending() == 0) return false;
  FakeDisk::Write write = disk.Sync();
  if (write.reset_to != LogIndex(0)) {
    Trace(fmt::format("{} resets its log to {}", server, write.reset_to));
  }
  if (write.compact_to != LogIndex(0)) {
    Trace(fmt::format("{} drops entries up to {}", server, write.compact_to));
  }
  if (write.truncate_from != LogIndex(0)) {
    Trace(fmt::format("{} removes entries from {}", server, write.truncate_from));
  }
  if (write.hard_state.has_value()) {
    const bool voter = write.hard_state->standing == Standing::kVoter;
    Trace(fmt::format("{} persists term {}, vote {}{}", server, write.hard_state->term,
                      write.hard_state->vote, voter ? "" : ", awaiting readmission"));
  }
  for (const EntryPtr& entry : write.entries) {
    Trace(fmt::format("{} persists {}", server, Describe(*entry)));
  }
  Carry(std::move(write.messages));
  if (write.ready != ReadyId(0)) core(server).OnPersisted(write.ready);
  Check(ServerId(server));
  TakeReadys(server);
  return true;
}

bool RaftCluster::Fetch(uint32_t server) {
  Server& fetcher = at(server);
  if (!fetcher.wanted.has_value()) return false;
  const WantedSnapshot wanted = *std::exchange(fetcher.wanted, std::nullopt);
  const SnapshotMeta& snapshot = wanted.snapshot;
  const Server& source = servers_.at(wanted.from);
  const bool cut = cut_.count(Edge(wanted.from, ServerId(server))) > 0 ||
                   cut_.count(Edge(ServerId(server), wanted.from)) > 0;
  const bool arrives = source.core != nullptr && !cut && source.disk.HasSnapshot(snapshot);
  Trace(fmt::format("{} {} snapshot {}/{} from {}", server, arrives ? "receives" : "can't fetch",
                    snapshot.index, snapshot.term, wanted.from));
  if (!arrives) {
    fetcher.core->OnSnapshotFailed();
  } else if (snapshot.index > fetcher.disk.snapshot().index) {
    fetcher.disk.AddSnapshot(snapshot);
    fetcher.core->OnSnapshotReceived(snapshot);
  }
  Check(ServerId(server));
  return true;
}

void RaftCluster::Carry(std::vector<Message> messages) {
  for (Message& message : messages) {
    in_flight_[Edge(message.from, message.to)].push_back(std::move(message));
  }
}

bool RaftCluster::Deliver(uint32_t from, uint32_t to, size_t position, bool keep) {
  auto edge = in_flight_.find(Edge(from, to));
  if (edge == in_flight_.end() || edge->second.size() <= position) return false;
  Message message = edge->second[position];
  if (!keep) edge->second.erase(edge->second.begin() + static_cast<ptrdiff_t>(position));
  const bool lost = cut_.count(edge->first) > 0 || !IsUp(to);
  Trace(fmt::format("{}>{} {}{}", from, to, Describe(message), lost ? " LOST" : ""));
  if (lost) return true;
  core(to).Step(std::move(message));
  CHECK(core(to).status().ok(), "server {}: {}", to, core(to).status().ToString());
  Check(ServerId(to));
  return true;
}

void RaftCluster::Partition(const std::vector<std::set<uint32_t>>& groups) {
  Heal();
  for (const auto& one : groups) {
    for (const auto& other : groups) {
      if (one == other) continue;
      for (uint32_t from : one) {
        for (uint32_t to : other) Cut(from, to);
      }
    }
  }
}

void RaftCluster::Crash(uint32_t server, size_t kept) {
  Server& crashed = at(server);
  crashed.core.reset();
  for (size_t i = 0; i < kept && crashed.disk.pending() > 0; ++i) crashed.disk.Sync();
  crashed.disk.LosePending();
  crashed.disk_held = false;
  for (auto& [edge, queue] : in_flight_) {
    if (edge.second == ServerId(server)) queue.clear();
  }
}

void RaftCluster::Restart(uint32_t server) { Start(ServerId(server)); }

void RaftCluster::Wipe(uint32_t server) {
  Crash(server);
  disk(server).Wipe();
  Restart(server);
}

std::optional<uint32_t> RaftCluster::Leader() const {
  std::optional<uint32_t> leader;
  Term newest;
  for (const auto& [id, server] : servers_) {
    if (server.core == nullptr || server.core->role() != Role::kLeader) continue;
    if (server.core->term() <= newest) continue;
    newest = server.core->term();
    leader = id.value();
  }
  return leader;
}

std::vector<std::string> RaftCluster::AppliedCommands(uint32_t server) const {
  std::vector<std::string> commands;
  for (const EntryPtr& entry : applied(server)) {
    if (entry->type == EntryType::kCommands) commands.push_back(entry->payload);
  }
  return commands;
}

void RaftCluster::Check(ServerId id) {
  Server& server = servers_.at(id);
  server.core->CheckInvariants();
  CHECK(server.core->term() >= server.seen.term, "term of server {} fell", id);
  CHECK(server.core->commit() >= server.seen_commit, "commit of server {} fell", id);
  const bool was_voter = server.seen.standing == Standing::kVoter;
  CHECK(!was_voter || server.core->standing() == Standing::kVoter);
  server.seen.term = server.core->term();
  server.seen.standing = server.core->standing();
  server.seen_commit = server.core->commit();
  CheckAppendOnly(id);
}

// Leader append-only: in its term a leader's log only grows. What stood in its middle can't change
// without a truncation, which Execute sees.
void RaftCluster::CheckAppendOnly(ServerId id) {
  Server& server = servers_.at(id);
  const RaftCore& core = *server.core;
  if (core.role() != Role::kLeader) {
    server.led = Term(0);
    return;
  }
  if (server.led == core.term()) {
    CHECK(core.last_index() >= server.led_last, "leader {} of term {} removed entries from its log",
          id, core.term());
    CHECK(server.led_last < core.compacted_index() ||
              core.TermAt(server.led_last) == server.led_last_term,
          "leader {} of term {} replaced entry {}", id, core.term(), server.led_last);
  }
  server.led = core.term();
  server.led_last = core.last_index();
  server.led_last_term = *core.TermAt(core.last_index());
}

// Election safety, and leader completeness: the new leader has all that was ever applied.
void RaftCluster::CheckLeader(ServerId id) {
  const RaftCore& core = *servers_.at(id).core;
  auto [leader, fresh] = leaders_.try_emplace(core.term(), id);
  CHECK(leader->second == id, "servers {} and {} both lead term {}", leader->second, id,
        core.term());
  for (const EntryPtr& entry : applied_anywhere_) {
    if (entry->index < core.compacted_index()) continue;
    CHECK(core.TermAt(entry->index) == entry->term, "leader {} of term {} lacks entry {}", id,
          core.term(), entry->index);
  }
  CheckLogMatching();
}

// Two disks with an equal entry are equal up to it. Compared pairwise from the end.
void RaftCluster::CheckLogMatching() const {
  for (const auto& [a, one] : servers_) {
    for (const auto& [b, other] : servers_) {
      if (b <= a) continue;
      bool equal_behind = false;
      const LogIndex first = std::max(one.disk.FirstIndex(), other.disk.FirstIndex());
      for (LogIndex i = std::min(one.disk.LastIndex(), other.disk.LastIndex()); i >= first;
           i = i - 1) {
        const Entry& x = *one.disk.EntryAt(i);
        const Entry& y = *other.disk.EntryAt(i);
        const bool equal = x.term == y.term;
        CHECK(equal || !equal_behind, "log matching: {} and {} at {}", a, b, x.index);
        CHECK(!equal || x.payload == y.payload);
        equal_behind |= equal;
      }
    }
  }
}

void RaftCluster::Trace(std::string line) {
  if (tracing_) trace_ += line + "\n";
}

std::string RaftCluster::TakeTrace() { return std::exchange(trace_, ""); }

}  // namespace bellwether::coord::raft
