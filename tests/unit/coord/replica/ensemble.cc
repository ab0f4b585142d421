#include "tests/unit/coord/replica/ensemble.h"

#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace bellwether::coord {
namespace {

std::unique_ptr<FileSnapshotStore> OpenSnapshots(SimFolder& folder) {
  auto store = FileSnapshotStore::Open({}, folder);
  CHECK(store.ok(), "{}", store.status().ToString());
  return *std::move(store);
}

// One record per command.
class RecordedCommands : public StateSnapshot {
 public:
  RecordedCommands(LogIndex index, std::vector<std::string> commands)
      : index_(index), commands_(std::move(commands)) {}

  LogIndex index() const override { return index_; }
  absl::Status WriteTo(SnapshotWriter& writer) const override {
    for (const std::string& command : commands_) {
      if (absl::Status status = writer.Append(command); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  const LogIndex index_;
  const std::vector<std::string> commands_;
};

}  // namespace

std::unique_ptr<StateSnapshot> RecordingStateMachine::TakeSnapshot() {
  return std::make_unique<RecordedCommands>(applied, commands);
}

absl::Status RecordingStateMachine::RestoreSnapshot(LogIndex index, SnapshotReader& reader) {
  CHECK(index > applied, "snapshot {} restored after {} was applied", index, applied);
  commands.clear();
  while (true) {
    auto record = reader.Next();
    if (!record.ok()) return record.status();
    if (!record->has_value()) break;
    commands.emplace_back(**record);
  }
  applied = index;
  restored.push_back(index);
  replica->OnApplied(applied);
  return absl::OkStatus();
}

void RecordingStateMachine::Apply(std::vector<CommittedBatch> batches) {
  ++apply_calls;
  for (const CommittedBatch& batch : batches) {
    CHECK(batch.index == applied + 1, "applied {} after {}", batch.index, applied);
    applied = batch.index;
    for (std::string_view command : batch.commands) commands.emplace_back(command);
  }
  if (!hold_applied) replica->OnApplied(applied);
}

Process::Process(SimScheduler& scheduler, SimNetwork& network, SimDisk& disk,
                 SimFolder& snapshots_folder, ReplicaOptions options, base::Uuid ensemble_id)
    : clock(scheduler),
      executor(scheduler),
      apply_executor(scheduler),
      snapshot_executor(scheduler),
      log(scheduler, disk, executor),
      snapshots(OpenSnapshots(snapshots_folder)),
      transport(network, executor),
      replica(std::move(options), ensemble_id,
              Replica::Dependencies{
                  .log = log,
                  .snapshots = *snapshots,
                  .transport = transport,
                  .state_machine = state_machine,
                  .clock = clock,
                  .executor = executor,
                  .apply_executor = apply_executor,
                  .snapshot_executor = snapshot_executor,
                  .metrics = metrics,
                  .seed = scheduler.random().Next(),
                  .on_fatal = [this](absl::Status status) { fatal = std::move(status); }}) {
  state_machine.replica = &replica;
}

Ensemble::Ensemble(uint32_t servers, uint64_t seed) : scheduler(seed), network(scheduler) {
  std::vector<PeerAddress> addresses;
  for (uint32_t id = 1; id <= servers; ++id) addresses.push_back(PeerOf(id));
  for (uint32_t id = 1; id <= servers; ++id) {
    Machine& machine = machines_[id];
    machine.options.id = ServerId(id);
    machine.options.servers = addresses;
    machine.options.grpc = "host" + std::to_string(id) + ":2191";
    machine.options.folder_id = base::Uuid::FromRandom(id, scheduler.random().Next());
    machine.disk = std::make_unique<SimDisk>(scheduler);
    machine.snapshots = std::make_unique<SimFolder>(scheduler.random());
  }
}

PeerAddress Ensemble::PeerOf(uint32_t id) {
  return {ServerId(id), "host" + std::to_string(id) + ":2192"};
}

void Ensemble::AddMachine(uint32_t id) {
  std::vector<PeerAddress> servers = machines_.begin()->second.options.servers;
  servers.push_back(PeerOf(id));
  Machine& machine = machines_[id];
  machine.options.id = ServerId(id);
  machine.options.servers = std::move(servers);
  machine.options.grpc = "host" + std::to_string(id) + ":2191";
  machine.options.folder_id = base::Uuid::FromRandom(id, scheduler.random().Next());
  machine.disk = std::make_unique<SimDisk>(scheduler);
  machine.snapshots = std::make_unique<SimFolder>(scheduler.random());
}

void Ensemble::Start(uint32_t id) {
  Machine& machine = machines_.at(id);
  CHECK(machine.process == nullptr);
  machine.process = std::make_unique<Process>(scheduler, network, *machine.disk, *machine.snapshots,
                                              machine.options, machine.ensemble_id);
  machine.process->replica.Start();
}

void Ensemble::StartAll() {
  for (const auto& [id, machine] : machines_) {
    if (machine.process == nullptr) Start(id);
  }
}

uint32_t Ensemble::StartAndElect() {
  StartAll();
  const uint32_t leader = WaitForLeader();
  if (leader == 0 || WaitForFollower(leader) == 0) return 0;
  scheduler.RunFor(absl::Milliseconds(50));
  return leader;
}

void Ensemble::Crash(uint32_t id) {
  Machine& machine = machines_.at(id);
  machine.process.reset();
  machine.disk->Crash();
  machine.snapshots->Crash();
}

void Ensemble::CrashAndWipe(uint32_t id) {
  Crash(id);
  Machine& machine = machines_.at(id);
  machine.disk->Wipe();
  machine.snapshots->Wipe();
  machine.options.folder_id = base::Uuid::FromRandom(id, scheduler.random().Next());
}

uint32_t Ensemble::Leader() {
  uint32_t leader = 0;
  Term term;
  for (const auto& [id, machine] : machines_) {
    if (machine.process == nullptr) continue;
    const ReplicaStatus status = machine.process->replica.status();
    if (status.leadership.role == Role::kLeader && status.in_contact &&
        status.leadership.term > term) {
      leader = id;
      term = status.leadership.term;
    }
  }
  return leader;
}

uint32_t Ensemble::WaitForLeader(absl::Duration limit) {
  Until([this] { return Leader() != 0; }, limit);
  return Leader();
}

uint32_t Ensemble::WaitForFollower(uint32_t leader) {
  uint32_t follower = 0;
  Until([&] {
    for (const auto& [id, machine] : machines_) {
      if (machine.process == nullptr || id == leader) continue;
      const ReplicaStatus status = machine.process->replica.status();
      if (status.in_contact && status.leadership.leader == ServerId(leader)) follower = id;
    }
    return follower != 0;
  });
  return follower;
}

Ensemble::ProposeResult Ensemble::Propose(uint32_t id, std::string command) {
  auto result = std::make_shared<std::optional<absl::Status>>();
  std::vector<ProposedCommand> commands;
  commands.push_back({std::move(command), "client"});
  at(id).replica.Propose(std::move(commands), [result](absl::Status status) {
    CHECK(!result->has_value(), "a proposal was answered twice");
    *result = std::move(status);
  });
  return result;
}

Ensemble::ReadResult Ensemble::Read(uint32_t id, std::string note) {
  auto result = std::make_shared<std::optional<absl::StatusOr<LogIndex>>>();
  at(id).replica.RequestRead(std::move(note), [result](absl::StatusOr<LogIndex> index) {
    CHECK(!result->has_value(), "a read was answered twice");
    *result = std::move(index);
  });
  return result;
}

absl::Status Ensemble::ProposeAndWait(uint32_t id, std::string command) {
  const ProposeResult result = Propose(id, std::move(command));
  if (!Until([&] { return result->has_value(); })) return absl::DeadlineExceededError("no answer");
  return **result;
}

absl::StatusOr<LogIndex> Ensemble::ReadAndWait(uint32_t id, std::string note) {
  const ReadResult result = Read(id, std::move(note));
  if (!Until([&] { return result->has_value(); })) return absl::DeadlineExceededError("no answer");
  return **result;
}

Ensemble::MembershipResult Ensemble::Ask(uint32_t id, MembershipChange change) {
  auto result = std::make_shared<std::optional<absl::StatusOr<MembershipView>>>();
  at(id).replica.AskMembership(std::move(change), [result](absl::StatusOr<MembershipView> view) {
    CHECK(!result->has_value(), "a change of membership was answered twice");
    *result = std::move(view);
  });
  return result;
}

absl::StatusOr<MembershipView> Ensemble::Change(MembershipChange change) {
  const absl::Duration deadline = scheduler.now() + absl::Seconds(30);
  absl::StatusOr<MembershipView> last = absl::DeadlineExceededError("no leader");
  while (scheduler.now() < deadline) {
    const uint32_t leader = WaitForLeader();
    if (leader == 0) continue;
    const MembershipResult result = Ask(leader, change);
    const bool answered = Until([&] { return result->has_value(); });
    last = answered ? **result : absl::DeadlineExceededError("no answer");
    const bool again = !answered || absl::IsUnavailable(last.status()) ||
                       (!last.ok() && base::OutcomeOf(last.status()) == base::Outcome::kUnknown);
    if (!again) break;
    scheduler.RunFor(absl::Milliseconds(50));
  }
  return last;
}

absl::Status Ensemble::Join(uint32_t id) {
  if (!Running(id)) Start(id);
  const PeerAddress address = PeerOf(id);
  const auto added = Change({MembershipChange::Kind::kAdd, address.id, address.address});
  if (!added.ok()) return added.status();
  absl::Status promoted;
  for (int i = 0; i < 100; ++i) {
    promoted = Change({MembershipChange::Kind::kPromote, address.id, ""}).status();
    if (!absl::IsFailedPrecondition(promoted)) break;  // it has not caught up
    scheduler.RunFor(absl::Milliseconds(100));
  }
  return promoted;
}

bool Ensemble::AllApplied(const std::vector<std::string>& commands) {
  for (const auto& [id, machine] : machines_) {
    if (machine.process != nullptr && machine.process->state_machine.commands != commands) {
      return false;
    }
  }
  return true;
}

}  // namespace bellwether::coord
