// What callers and other servers ask of this server: proposals, forwards, reads, notes.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/raft/quorum.h"
#include "coord/replica/entry_payload.h"
#include "coord/replica/replica_driver.h"
#include "fmt/ranges.h"

namespace bellwether::coord {
namespace {

constexpr size_t kCommandOverhead = 32;   // counted for each command in byte bounds
constexpr size_t kOwnRoundsMax = 4;       // read rounds under way; more readers share the next
constexpr size_t kWaitingReadersMax = 65536;
constexpr int kForwardTimeoutElections = 10;  // election timeouts until an answer counts as lost

absl::Status NoLeader() {
  return absl::UnavailableError("no leader is known or connected; try again");
}

absl::Status NoteRefused() {
  return absl::UnavailableError("the leader refused what came with the read; try again");
}

size_t BytesOf(const std::vector<ProposedCommand>& commands) {
  size_t bytes = 0;
  for (const ProposedCommand& command : commands) {
    bytes += command.bytes.size() + command.principal.size() + kCommandOverhead;
  }
  return bytes;
}

// The core's refusal as callers of Propose and RequestRead know it; always rejected.
absl::Status RefusalOf(const absl::Status& status) {
  if (absl::IsFailedPrecondition(status)) return NoLeader();
  return status;
}

bool HasCommands(const raft::AppendRequest& append) {
  return std::any_of(append.entries.begin(), append.entries.end(), [](const auto& entry) {
    return entry->type == raft::EntryType::kCommands;
  });
}

bool HasRoom(raft::DiskRoom room, EntryKind kind) {
  return room == raft::DiskRoom::kAll ||
         (room == raft::DiskRoom::kUpkeep && kind == EntryKind::kUpkeep);
}

}  // namespace

bool ReplicaDriver::Reachable(ServerId server) const {
  const Peer* peer = FindPeer(server);
  return peer != nullptr && peer->hello.has_value() && peer->refused.ok();
}

// --- Proposals

void ReplicaDriver::Propose(std::vector<ProposedCommand> commands,
                            absl::AnyInvocable<void(absl::Status)> done) {
  Proposal proposal;
  proposal.bytes = BytesOf(commands);
  proposal.commands = std::move(commands);
  proposal.done = std::move(done);
  const size_t bytes = proposal.bytes;
  const bool fits = bytes <= options_.proposal_bytes_max;
  if (fits && proposal_inbox_.Add(proposal, bytes)) return RequestPump();
  instruments_.proposals_refused.Add();
  PostSelf([done = std::move(proposal.done), fits](ReplicaDriver& driver) mutable {
    if (!driver.running_) return done(absl::UnavailableError("this server is stopping"));
    done(absl::ResourceExhaustedError(
        fits ? "too many proposals are queued here; try again later"
             : "more bytes at a time than one entry of the log may have; send less at a time"));
  });
}

void ReplicaDriver::DrainProposals() {
  std::vector<Proposal> proposals;
  if (!HoldsProposals(deps_.clock.Monotonic())) proposals = proposal_inbox_.TakeAll();
  instruments_.proposals.Add(proposals.size());
  if (core_ != nullptr && leadership_.role == Role::kLeader) {
    for (Proposal& proposal : proposals) {
      leader_items_.push_back(LeaderItem{.proposal = std::move(proposal)});
    }
  } else if (!proposals.empty()) {
    ForwardToLeader(std::move(proposals));
  }
  if (!leader_items_.empty()) ProposeAsLeader();
}

void ReplicaDriver::ProposeAsLeader() {
  std::vector<LeaderItem> items;
  items.swap(leader_items_);
  const absl::Status growth = RoomInEnsemble(EntryKind::kGrowth);
  const absl::Status upkeep = growth.ok() ? growth : RoomInEnsemble(EntryKind::kUpkeep);
  std::vector<LeaderItem> group;
  size_t bytes = 0;
  const auto append = [&] {
    if (!group.empty()) AppendGroup(std::exchange(group, {}));
    bytes = 0;
  };
  for (LeaderItem& item : items) {
    const absl::Status& room = growth.ok() || Grows(item.proposal) ? growth : upkeep;
    if (!room.ok()) {  // answers to one server leave in the order of what it forwarded
      append();
      AnswerItem(item, room);
      continue;
    }
    if (bytes + item.proposal.bytes > options_.entry_bytes_max && !MUTANT(45)) append();
    bytes += item.proposal.bytes;
    group.push_back(std::move(item));
  }
  append();
}

bool ReplicaDriver::Grows(const Proposal& proposal) const {
  const auto& commands = proposal.commands;
  return std::any_of(commands.begin(), commands.end(), [this](const ProposedCommand& command) {
    return deps_.state_machine.KindOf(command.bytes) == EntryKind::kGrowth;
  });
}

// What a majority has no room for would be appended here, and not be committed until one has.
absl::Status ReplicaDriver::RoomInEnsemble(EntryKind kind) const {
  RETURN_IF_ERROR(deps_.log.RoomFor(kind));
  std::vector<ServerId> full;
  for (const auto& [id, peer] : peers_) {
    if (!HasRoom(peer.disk_room, kind)) full.push_back(id);
  }
  if (full.empty()) return absl::OkStatus();
  const raft::VoterSet voters(core_->membership());
  const uint64_t majority_has_room = voters.ReachedByMajority([&](ServerId id) -> uint64_t {
    const bool has_room = id == options_.id ||
                          (Reachable(id) && HasRoom(FindPeer(id)->disk_room, kind));
    return has_room ? 1 : 0;
  });
  if (majority_has_room == 1) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("the disks of other servers are nearly full (ids {}), and there is no majority "
                  "without them; free some space there, writing then goes on by itself",
                  fmt::join(full, ", ")));
}

// Told with every vote, and to the leader with every answer.
void ReplicaDriver::MeasureDiskRoom() {
  disk_room_ = raft::DiskRoom::kAll;
  if (deps_.log.RoomFor(EntryKind::kGrowth).ok()) return;
  disk_room_ = deps_.log.RoomFor(EntryKind::kUpkeep).ok() ? raft::DiskRoom::kUpkeep
                                                          : raft::DiskRoom::kNothing;
}

// One entry. Principals are no part of it: who may do what is for the leader to decide, before it
// appends, and today it admits every one.
void ReplicaDriver::AppendGroup(std::vector<LeaderItem> group) {
  std::vector<std::string> commands;
  for (LeaderItem& item : group) {
    for (ProposedCommand& command : item.proposal.commands) {
      commands.push_back(std::move(command.bytes));
    }
  }
  std::vector<std::string> payloads;
  payloads.push_back(EncodeEntryPayload(deps_.clock.WallMillis(), commands));
  const absl::StatusOr<raft::Proposed> proposed = core_->Propose(std::move(payloads));
  if (proposed.ok()) commit_timer_.Begin(proposed->first, deps_.clock.Monotonic());
  for (LeaderItem& item : group) {
    if (proposed.ok()) {
      AnswerItem(item, absl::OkStatus(), proposed->term, proposed->first);
    } else {
      AnswerItem(item, RefusalOf(proposed.status()));
    }
  }
}

void ReplicaDriver::AnswerItem(LeaderItem& item, absl::Status status, Term term, LogIndex index) {
  if (!status.ok()) instruments_.proposals_refused.Add();
  if (item.asker == ServerId()) {
    if (status.ok()) NoteAppended(term, index);
    return item.proposal.done(std::move(status));
  }
  ForwardReply reply;
  reply.stream_id = item.stream_id;
  reply.position = item.position;
  reply.status = std::move(status);
  reply.term = term;
  reply.index = index;
  if (Reachable(item.asker)) deps_.transport.Send(item.asker, std::move(reply));
}

// --- Forwards

// A leader that this server merely lost sight of still has the stream, its term being the same: what it
// was sent it answers yet, in order.
bool ReplicaDriver::ForwardStreamStands() const {
  const ServerId leader = forward_sender_.leader();
  return leader != ServerId() && forward_sender_.term() == leadership_.term &&
         (leadership_.leader == ServerId() || leadership_.leader == leader);
}

void ReplicaDriver::OpenForwardStream() {
  BreakForwardStream("the leader changed before it answered");
  const ServerId leader = leadership_.leader;
  const bool can_forward = leader != options_.id && Reachable(leader);
  forward_sender_.Open(random_.Next(), can_forward ? leader : ServerId(), leadership_.term);
}

void ReplicaDriver::ForwardToLeader(std::vector<Proposal> proposals) {
  std::vector<Proposal> group;
  size_t bytes = 0;
  for (Proposal& proposal : proposals) {
    if (forward_sender_.leader() == ServerId() || !HasLeader()) {
      instruments_.proposals_refused.Add();
      proposal.done(NoLeader());
      continue;
    }
    const size_t outstanding = forward_sender_.bytes() + bytes;
    if (outstanding > 0 && outstanding + proposal.bytes > options_.forward_bytes_max) {
      instruments_.proposals_refused.Add();
      proposal.done(absl::ResourceExhaustedError("the leader is behind in answering; try later"));
      continue;
    }
    if (!group.empty() && bytes + proposal.bytes > options_.entry_bytes_max && !MUTANT(45)) {
      SendForward(std::exchange(group, {}));
      bytes = 0;
    }
    bytes += proposal.bytes;
    group.push_back(std::move(proposal));
  }
  if (!group.empty()) SendForward(std::move(group));
}

void ReplicaDriver::SendForward(std::vector<Proposal> group) {
  const ServerId leader = forward_sender_.leader();
  deps_.transport.Send(leader, forward_sender_.Add(std::move(group), deps_.clock.Monotonic()));
}

void ReplicaDriver::BreakForwardStream(std::string_view why) {
  if (forward_sender_.bytes() > 0) instruments_.forwards_broken.Add();
  forward_sender_.Break(why);
}

void ReplicaDriver::OnForward(ServerId from, Forward forward) {
  LeaderItem item;
  item.asker = from;
  item.stream_id = forward.stream_id;
  item.position = forward.position;
  // It may have led, lost that and lead again: what was forwarded since would come before this.
  const bool leads = core_->role() == raft::Role::kLeader;
  if (!leads || (core_->term() != forward.term && !MUTANT(43))) {
    return AnswerItem(item, absl::UnavailableError("not the leader of that term; try again"));
  }
  if (absl::Status next = forward_receiver_.Accept(from, forward); !next.ok()) {
    return AnswerItem(item, std::move(next));
  }
  item.proposal.commands.resize(forward.commands.size());
  for (size_t i = 0; i < forward.commands.size(); ++i) {
    ProposedCommand& command = item.proposal.commands[i];
    command.bytes = std::move(forward.commands[i]);
    if (!forward.principals.empty()) command.principal = std::move(forward.principals.at(i));
  }
  item.proposal.bytes = BytesOf(item.proposal.commands);
  leader_items_.push_back(std::move(item));
}

void ReplicaDriver::OnForwardReply(ServerId from, ForwardReply reply) {
  if (from != forward_sender_.leader()) return;
  if (reply.status.ok() && reply.term == forward_sender_.term()) {
    NoteAppended(reply.term, reply.index);
  }
  if (!forward_sender_.OnReply(std::move(reply))) {
    BreakForwardStream("a message to or from the leader was lost");
    OpenForwardStream();
  }
  AnswerHold();
}

// --- Reads

void ReplicaDriver::RequestRead(std::string note,
                                absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) {
  const size_t bytes = note.size() + kCommandOverhead;
  ReadCaller caller{std::move(note), std::move(done)};
  if (read_inbox_.Add(caller, bytes)) return RequestPump();
  PostSelf([done = std::move(caller.done)](ReplicaDriver& driver) mutable {
    done(driver.running_
             ? absl::ResourceExhaustedError("too many reads are queued here; try again later")
             : absl::UnavailableError("this server is stopping"));
  });
}

void ReplicaDriver::DrainReads() {
  for (ReadCaller& caller : read_inbox_.TakeAll()) {
    if (waiting_readers_.size() < kWaitingReadersMax) {
      waiting_readers_.push_back(std::move(caller));
    } else {
      caller.done(absl::ResourceExhaustedError("too many reads wait for the leader; try later"));
    }
  }
  if (waiting_readers_.empty() || reads_.own() >= kOwnRoundsMax) return;
  const absl::Duration now = deps_.clock.Monotonic();
  if (!HasLeader() && HoldsProposals(now)) return;
  ReadTable::Round round;
  round.started = now;
  round.callers.swap(waiting_readers_);
  const ServerId leader = leadership_.leader;
  if (core_ != nullptr && leadership_.role == Role::kLeader) {
    std::erase_if(round.callers, [this](ReadCaller& caller) {
      if (caller.note.empty()) return false;
      if (deps_.state_machine.OnNote(options_.id, caller.note)) return false;
      caller.done(NoteRefused());
      return true;
    });
    if (!round.callers.empty()) StartReadAsLeader(std::move(round));
    return;
  }
  if (!Reachable(leader)) return AnswerRound(std::move(round), NoLeader());
  ReadIndexRequest request;
  for (ReadCaller& caller : round.callers) {
    if (!caller.note.empty()) request.notes.push_back(caller.note);  // kept, to be said again
  }
  request.id = reads_.Add(std::move(round));
  deps_.transport.Send(leader, std::move(request));
}

void ReplicaDriver::StartReadAsLeader(ReadTable::Round round) {
  const uint64_t id = reads_.Add(std::move(round));
  if (absl::Status status = core_->RequestRead(raft::ReadId(id)); !status.ok()) {
    FinishRead(id, RefusalOf(status));
  }
}

// At the leader, by the core.
void ReplicaDriver::FinishRead(uint64_t id, absl::StatusOr<LogIndex> index) {
  ReadTable::Round round;
  if (!reads_.Take(id, round)) return;  // given up
  if (index.ok()) NoteContact(round.started);
  AnswerRound(std::move(round), index);
}

void ReplicaDriver::AnswerRound(ReadTable::Round round, const absl::StatusOr<LogIndex>& index) {
  if (round.asker != ServerId() && Reachable(round.asker)) {
    ReadIndexReply reply;
    reply.id = round.asker_id;
    reply.ok = index.ok();
    if (index.ok()) reply.index = *index;
    deps_.transport.Send(round.asker, reply);
  }
  for (ReadCaller& caller : round.callers) caller.done(index);
  if (!waiting_readers_.empty()) RequestPump();
}

void ReplicaDriver::OnReadIndexRequest(ServerId from, ReadIndexRequest request) {
  // Not answered, as in AskAgain: whoever believes so will hear of the next leader, or miss this one.
  if (leadership_.role != Role::kLeader || core_->role() != raft::Role::kLeader) return;
  ReadTable::Round round;
  round.started = deps_.clock.Monotonic();
  round.asker = from;
  round.asker_id = request.id;
  bool accepted = true;
  for (std::string& note : request.notes) {
    accepted &= deps_.state_machine.OnNote(from, std::move(note));
  }
  // All who share the round ask again.
  if (!accepted) return AnswerRound(std::move(round), NoteRefused());
  StartReadAsLeader(std::move(round));
}

void ReplicaDriver::OnReadIndexReply(ServerId from, ReadIndexReply reply) {
  ReadTable::Round round;
  if (from != leadership_.leader || !reads_.Take(reply.id, round)) return;
  if (reply.ok) {
    AnswerRound(std::move(round), reply.index);
  } else {
    AnswerRound(std::move(round), NoLeader());
  }
}

// --- Notes

void ReplicaDriver::SendNote(std::string note) {
  const size_t bytes = note.size() + kCommandOverhead;
  if (note_inbox_.Add(note, bytes)) RequestPump();
}

void ReplicaDriver::DrainNotes() {
  std::vector<std::string> notes = note_inbox_.TakeAll();
  for (std::string& note : notes) {
    if (leadership_.role == Role::kLeader) {
      deps_.state_machine.OnNote(options_.id, std::move(note));
    } else if (Reachable(leadership_.leader)) {
      deps_.transport.Send(leadership_.leader, Note{std::move(note)});
    }
  }
}

void ReplicaDriver::Broadcast(const std::string& note) {
  if (!running_ || leadership_.role != Role::kLeader) return;
  for (const auto& [id, peer] : peers_) {
    if (Reachable(id)) deps_.transport.Send(id, coord::Broadcast{note});
  }
}

// --- Messages

void ReplicaDriver::OnMessage(ServerId from, PeerMessage message) {
  if (!running_) return;
  if (const Hello* hello = std::get_if<Hello>(&message)) {
    OnHello(*hello);
    // It asks who is there: it still forms, this server does not.
    if (IsForming(hello->folder) && !IsForming(folder_)) SayHello();
    return;
  }
  if (core_ == nullptr || !Reachable(from)) return;
  if (auto* raft = std::get_if<raft::Message>(&message)) {
    OnRaftMessage(from, std::move(*raft));
  } else if (auto* forward = std::get_if<Forward>(&message)) {
    OnForward(from, std::move(*forward));
  } else if (auto* forward_reply = std::get_if<ForwardReply>(&message)) {
    OnForwardReply(from, std::move(*forward_reply));
  } else if (auto* read = std::get_if<ReadIndexRequest>(&message)) {
    OnReadIndexRequest(from, std::move(*read));
  } else if (auto* read_reply = std::get_if<ReadIndexReply>(&message)) {
    OnReadIndexReply(from, *read_reply);
  } else if (auto* note = std::get_if<Note>(&message)) {
    if (leadership_.role == Role::kLeader) {
      deps_.state_machine.OnNote(from, std::move(note->note));
    }
  } else if (auto* request = std::get_if<MembershipRequest>(&message)) {
    OnMembershipRequest(from, std::move(*request));
  } else if (auto* reply = std::get_if<MembershipReply>(&message)) {
    OnMembershipReply(from, std::move(*reply));
  } else if (auto* hold = std::get_if<HoldForwards>(&message)) {
    OnHoldForwards(from, *hold);
  } else if (auto* wanted = std::get_if<SnapshotChunkRequest>(&message)) {
    OnSnapshotChunkRequest(from, *wanted);
  } else if (auto* chunk = std::get_if<SnapshotChunk>(&message)) {
    OnSnapshotChunk(from, std::move(*chunk));
  } else if (auto* broadcast = std::get_if<coord::Broadcast>(&message)) {
    if (from == leadership_.leader) deps_.state_machine.OnBroadcast(std::move(broadcast->note));
  }
  RequestPump();
}

void ReplicaDriver::OnRaftMessage(ServerId from, raft::Message message) {
  if (message.from != from) return;
  const Term term = message.term;
  const auto* append = std::get_if<raft::AppendRequest>(&message.body);
  const bool is_append = append != nullptr;
  // What a leader begins with is small, and without it nobody could read.
  if (is_append && HasCommands(*append) && !deps_.log.RoomFor(EntryKind::kUpkeep).ok()) {
    instruments_.appends_refused_disk.Add();
    return;  // as if the network had lost it: the leader asks again
  }
  if (const auto* vote = std::get_if<raft::VoteResponse>(&message.body)) {
    FindPeer(from)->disk_room = vote->disk_room;
  }
  if (const auto* answer = std::get_if<raft::AppendResponse>(&message.body)) {
    FindPeer(from)->disk_room = answer->disk_room;
    if (!answer->rejected && term == leadership_.term) {
      append_timer_.OnAccepted(from, answer->match, deps_.clock.Monotonic());
    }
  }
  core_->Step(std::move(message));
  if (is_append && core_->leader() == from && core_->term() == term) {
    NoteContact(deps_.clock.Monotonic());
  }
}

// --- Ends

void ReplicaDriver::ExpireRequests(absl::Duration now) {
  for (ReadTable::Round& round : reads_.TakeStartedBefore(now - 2 * options_.election_timeout)) {
    AnswerRound(std::move(round), absl::UnavailableError("the leader did not confirm in time"));
  }
  if (now - forward_sender_.oldest() > kForwardTimeoutElections * options_.election_timeout) {
    BreakForwardStream("the leader did not answer in time");
    OpenForwardStream();
  }
  CheckInDoubt(now);
}

void ReplicaDriver::FailAllRequests(const absl::Status& rejected) {
  FailAsks(rejected);
  proposal_inbox_.Close();
  read_inbox_.Close();
  note_inbox_.Close();
  for (Proposal& proposal : proposal_inbox_.TakeAll()) proposal.done(rejected);
  std::vector<LeaderItem> items;
  items.swap(leader_items_);
  for (LeaderItem& item : items) AnswerItem(item, rejected);
  BreakForwardStream(base::StdView(rejected.message()));
  // Only this server's own readers: other servers ask the next leader, as in AskAgain.
  for (ReadTable::Round& round : reads_.TakeAll()) {
    for (ReadCaller& caller : round.callers) caller.done(rejected);
  }
  std::vector<ReadCaller> readers = read_inbox_.TakeAll();
  std::move(waiting_readers_.begin(), waiting_readers_.end(), std::back_inserter(readers));
  waiting_readers_.clear();
  for (ReadCaller& reader : readers) reader.done(rejected);
  FailSnapshotCallers(rejected);
}

}  // namespace bellwether::coord
