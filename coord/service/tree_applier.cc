#include "coord/service/tree_applier.h"

#include <utility>

#include "base/mutant.h"
#include "base/status.h"
#include "coord/service/writes.h"
#include "coord/tree/snapshot_codec.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// Commands between two looks at the clock.
constexpr size_t kCommandsPerClockRead = 16;

// Whose place is kept from one call to the next: as many as a busy server gets in one.
constexpr size_t kCommandsKeptMax = 1024;

// The state after one log entry.
class TreeSnapshot : public StateSnapshot {
 public:
  TreeSnapshot(LogIndex index, tree::StateView state) : index_(index), state_(std::move(state)) {}

  LogIndex index() const override { return index_; }
  absl::Status WriteTo(SnapshotWriter& writer) const override {
    return tree::WriteSnapshot(
        state_, [&writer](std::string_view record) { return writer.Append(record); });
  }

 private:
  const LogIndex index_;
  const tree::StateView state_;
};

absl::StatusOr<std::unique_ptr<tree::StateMachine>> Load(SnapshotReader& reader) {
  tree::SnapshotLoader loader;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> record, reader.Next());
    if (!record.has_value()) return loader.Finish();
    RETURN_IF_ERROR(loader.Add(*record));
  }
}

Failure StateReplaced() {
  return {absl::StatusCode::kUnavailable,
          "this server was far behind and continues from a snapshot; attach again to learn which "
          "commands took effect",
          "", base::Outcome::kUnknown};
}

}  // namespace

TreeApplier::TreeApplier(const ServiceOptions& options, Dependencies deps)
    : options_(options),
      deps_(deps),
      applied_commands_(
          deps.metrics.AddCounter("bell_applied_commands_total", "Commands applied to the tree.")),
      repeated_writes_(deps.metrics.AddCounter(
          "bell_repeated_writes_total",
          "Writes that clients sent again and got the kept result of.")),
      forgotten_results_(deps.metrics.AddCounter(
          "bell_forgotten_results_total",
          "Writes that clients sent again when their result was not kept any more.")),
      hold_seconds_(deps.metrics.AddHistogram("bell_apply_hold_seconds",
                                              "How long the applier held the tree at a time.")) {}

absl::StatusOr<OpenedCommand> TreeApplier::OpenOne(std::string_view bytes) const {
  ASSIGN_OR_RETURN(OpenedCommand opened, OpenCommand(bytes));
  if (const auto* raised = std::get_if<tree::SetFeatureLevel>(&opened.command.operation)) {
    RETURN_IF_ERROR(deps_.feature_levels.CheckSupported(raised->level));
  }
  return opened;
}

bool TreeApplier::Open(const std::vector<CommittedBatch>& batches, std::vector<Opened>& commands) {
  size_t count = 0;
  for (const CommittedBatch& batch : batches) count += batch.commands.size();
  commands.reserve(count);
  for (const CommittedBatch& batch : batches) {
    for (std::string_view bytes : batch.commands) {
      absl::StatusOr<OpenedCommand> command = OpenOne(bytes);
      if (!command.ok()) {
        StopFor(base::Annotate(command.status(),
                               fmt::format("can't apply a command of log entry {}", batch.index)));
        return false;
      }
      Opened& opened = commands.emplace_back();
      opened.command = *std::move(command);
      opened.time_ms = batch.time_ms;
    }
    if (!batch.commands.empty()) commands.back().completes = batch.index;
  }
  return true;
}

void TreeApplier::Apply(const std::vector<CommittedBatch>& batches) {
  if (stopped_ || batches.empty() || !Open(batches, commands_)) return;
  for (size_t next = 0; next < commands_.size() && !stopped_;) {
    next = ApplyForOneHold(commands_, next);
  }
  commands_.clear();
  if (commands_.capacity() > kCommandsKeptMax) commands_ = {};
  if (stopped_) return;
  // Entries without commands, at the end or alone, count as applied, too.
  if (index_ == batches.back().index) return;
  index_ = batches.back().index;
  Zxid zxid;
  {
    base::WriterLock lock(deps_.state.mutex);
    deps_.state.SetApplied(index_);
    zxid = deps_.state.tree.zxid();
  }
  deps_.waiters.Advance(index_, zxid);
  deps_.listener.OnEntryApplied(index_);
}

size_t TreeApplier::ApplyForOneHold(std::vector<Opened>& commands, size_t next) {
  Aftermath aftermath;
  const size_t first = next;
  const LogIndex index_before = index_;
  Zxid zxid;
  const absl::Duration begin = hold_began_ = deps_.clock.Monotonic();
  {
    base::WriterLock lock(deps_.state.mutex);
    while (next < commands.size()) {
      ApplyOne(commands[next], aftermath);
      if (commands[next].completes.has_value()) {
        index_ = *commands[next].completes;
        deps_.state.SetApplied(index_);
        deps_.digests.Record({index_, deps_.state.applied_zxid, deps_.state.applied_digest});
      }
      ++next;
      if ((next - first) % kCommandsPerClockRead == 0 &&
          deps_.clock.Monotonic() - begin > options_.apply_hold_max) {
        break;
      }
    }
    zxid = deps_.state.tree.zxid();
    deps_.tree_bound.Measure(deps_.state.tree);
  }
  hold_seconds_.Observe(deps_.clock.Monotonic() - begin);
  applied_commands_.Add(next - first);
  Tell(aftermath);
  deps_.waiters.Advance(index_, zxid);
  if (index_ != index_before) deps_.listener.OnEntryApplied(index_);
  if (absl::Status same = deps_.digests.status(); !same.ok()) StopFor(same);
  return next;
}

void TreeApplier::ApplyOne(Opened& opened, Aftermath& aftermath) {
  const tree::Command& command = opened.command.command;
  KeepWhatIsDeleted(command, aftermath);
  tree::ApplyOutcome outcome = deps_.state.tree.Apply(command, {opened.time_ms});
  const Zxid zxid = deps_.state.tree.zxid();  // the result's may be of an earlier command
  if (outcome.result.repeated) repeated_writes_.Add();
  if (outcome.result.code == tree::ResultCode::kResultForgotten) forgotten_results_.Add();
  const bool own = opened.command.origin.process == deps_.process;

  // 1. Events, of this command's changes.
  deps_.znode_watches.Fire(outcome.changes, aftermath.woken);
  deps_.lock_waits.Follow(outcome.changes, aftermath.woken);
  deps_.list_views.NoteChanges(outcome.changes);
  deps_.hub.Publish(zxid, std::move(outcome.changes), aftermath.woken);

  // 2. The reply, if somebody here waits for it.
  if (own && command.session != SessionId(0)) {
    Response response = MakeWriteResponse(command, outcome.result);
    deps_.connections.Settle(opened.command.origin.token, std::move(response), command,
                             hold_began_, aftermath.woken);
  }

  // 3. What it means for sessions and their connections.
  FollowSession(opened.command, outcome.result, aftermath);
  if (const auto* named = std::get_if<tree::SetEnsembleId>(&command.operation)) {
    if (outcome.result.code == tree::ResultCode::kOk) aftermath.ensemble_id = named->ensemble_id;
  }
  if (std::holds_alternative<tree::SetFeatureLevel>(command.operation)) {
    aftermath.feature_level = deps_.state.tree.feature_level();
  }
}

void TreeApplier::KeepWhatIsDeleted(const tree::Command& command, Aftermath& aftermath) const {
  const auto* deletion = std::get_if<tree::DeleteRecursive>(&command.operation);
  if (deletion == nullptr) return;
  const tree::Znode* const znode = deps_.state.tree.FindZnode(deletion->path);
  if (znode == nullptr || znode->num_children() == 0) return;
  aftermath.discarded.push_back(deps_.state.tree.View());
}

void TreeApplier::FollowSession(const OpenedCommand& opened, const tree::Result& result,
                            Aftermath& aftermath) {
  const tree::Operation& operation = opened.command.operation;
  const bool own = opened.origin.process == deps_.process;
  if (std::holds_alternative<tree::CreateSession>(operation) ||
      std::holds_alternative<tree::AttachSession>(operation)) {
    const uint64_t token = own ? opened.origin.token : 0;
    if (result.code != tree::ResultCode::kOk || !result.session.has_value()) {
      if (own) {
        deps_.connections.FailAttach(token, FailureOf(result.code, ""), aftermath.woken);
      }
      return;
    }
    Attached attached;
    attached.grant = *result.session;
    attached.ensemble_id = deps_.state.tree.ensemble_id();
    attached.server_id = options_.server_id;
    attached.zxid = result.zxid;
    attached.results_kept = deps_.state.tree.feature_level() >= tree::kFeatureLevelRetries;
    deps_.connections.Attached(token, attached, aftermath.woken);
    aftermath.attached.push_back(*result.session);
    return;
  }
  if (result.code != tree::ResultCode::kOk) return;
  SessionId ended;
  if (std::holds_alternative<tree::CloseSession>(operation)) ended = opened.command.session;
  if (const auto* expire = std::get_if<tree::ExpireSession>(&operation)) ended = expire->session;
  if (ended == SessionId(0)) return;
  deps_.connections.SessionEnded(ended, aftermath.woken);
  aftermath.ended.push_back(ended);
}

std::unique_ptr<StateSnapshot> TreeApplier::TakeSnapshot() const {
  base::ReaderLock lock(deps_.state.mutex);
  const LogIndex index = index_ > LogIndex(1) && MUTANT(34) ? index_ - 1 : index_;
  return std::make_unique<TreeSnapshot>(index, deps_.state.tree.View());
}

// Nobody here knows what was skipped: whose command took effect, which watch should have fired. So
// every connection is given up before anyone can read the new state through it (R38).
absl::Status TreeApplier::RestoreSnapshot(LogIndex index, SnapshotReader& reader) {
  if (stopped_) return absl::FailedPreconditionError("the server is stopping");
  ASSIGN_OR_RETURN(const std::unique_ptr<tree::StateMachine> loaded, Load(reader));
  RETURN_IF_ERROR(deps_.feature_levels.CheckSupported(loaded->feature_level()));
  WakeList woken;
  tree::StateView before;
  {
    base::WriterLock lock(deps_.state.mutex);
    before = deps_.state.tree.View();
    deps_.state.tree.Replace(loaded->View());
    deps_.tree_bound.Measure(deps_.state.tree);
    index_ = index;
    deps_.state.SetApplied(index_);
    deps_.digests.Restart({index_, deps_.state.applied_zxid, deps_.state.applied_digest});
    deps_.hub.Restart(loaded->zxid());
    deps_.lock_waits.Clear();
    if (!MUTANT(36)) deps_.connections.DetachAll(StateReplaced(), woken);
  }
  for (const auto& connection : woken) connection->PostWake();
  deps_.discarded_states.Free(std::move(before));
  deps_.listener.OnStateReplaced(*loaded);
  deps_.waiters.Advance(index_, loaded->zxid());
  deps_.listener.OnEntryApplied(index_);
  return absl::OkStatus();
}

void TreeApplier::StopFor(const absl::Status& status) {
  stopped_ = true;
  deps_.listener.OnCannotGoOn(status);
}

void TreeApplier::Tell(Aftermath& aftermath) {
  for (tree::StateView& state : aftermath.discarded) {
    deps_.discarded_states.Free(std::move(state));
  }
  for (const auto& woken : aftermath.woken) woken->PostWake();
  for (const tree::SessionGrant& grant : aftermath.attached) {
    deps_.listener.OnSessionAttached(grant);
  }
  for (SessionId session : aftermath.ended) deps_.listener.OnSessionEnded(session);
  if (aftermath.feature_level.has_value()) deps_.listener.OnFeatureLevel(*aftermath.feature_level);
  if (aftermath.ensemble_id.has_value()) deps_.listener.OnEnsembleId(*aftermath.ensemble_id);
}

}  // namespace bellwether::coord
