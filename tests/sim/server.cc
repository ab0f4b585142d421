#include "tests/sim/server.h"

#include <utility>

#include "base/check.h"
#include "tests/sim/zk_users.h"

namespace bellwether::sim {

void Process::Observed::Apply(std::vector<coord::CommittedBatch> batches) {
  for (const coord::CommittedBatch& batch : batches) {
    process_.observer_.OnApply(process_.id_, batch);
  }
  process_.service_.Apply(std::move(batches));
  process_.observer_.OnState(process_.id_, process_.service_.Status());
}

std::unique_ptr<coord::StateSnapshot> Process::Observed::TakeSnapshot() {
  process_.observer_.OnSnapshotTaken(process_.id_);
  return process_.service_.TakeSnapshot();
}

absl::Status Process::Observed::RestoreSnapshot(coord::LogIndex index,
                                                coord::SnapshotReader& reader) {
  absl::Status status = process_.service_.RestoreSnapshot(index, reader);
  if (!status.ok()) return status;
  process_.observer_.OnRestored(process_.id_, index);
  process_.observer_.OnState(process_.id_, process_.service_.Status());
  return absl::OkStatus();
}

void Process::Observed::OnLeadership(const coord::Leadership& leadership) {
  process_.observer_.OnLeadership(process_.id_, leadership, process_.log_);
  process_.service_.OnLeadership(leadership);
}

bool Process::Observed::OnNote(coord::ServerId from, std::string note) {
  return process_.service_.OnNote(from, std::move(note));
}

void Process::Observed::OnBroadcast(std::string note) {
  process_.service_.OnBroadcast(std::move(note));
}

coord::EntryKind Process::Observed::KindOf(std::string_view command) const {
  return process_.service_.KindOf(command);
}

void Process::Observed::OnTick(absl::Duration since_last) { process_.service_.OnTick(since_last); }

namespace {

// After a pause.
constexpr absl::Duration kThreadsGoOnWithin = absl::Milliseconds(5);

std::unique_ptr<coord::FileSnapshotStore> OpenSnapshots(SimFolder& folder) {
  auto store = coord::FileSnapshotStore::Open({}, folder);
  CHECK(store.ok(), "{}", store.status().ToString());
  return *std::move(store);
}

coord::ServiceOptions ServiceOptionsOf(const coord::ReplicaOptions& replica,
                                       const Options& options) {
  coord::ServiceOptions service;
  service.server_id = replica.id.value();
  service.feature_levels = replica.feature_levels;
  service.super_digest = coord::DigestIdentity(kSuperPassword).id;
  service.watch_ring_changes_max = options.watch_ring_changes;
  service.write_run_bytes_max = options.message_bytes_max / 7;
  service.list_page_bytes_max = options.list_page_bytes_max;
  service.attach_timeout *= options.time_scale;
  service.applied_wait_max *= options.time_scale;
  service.touch_interval *= options.time_scale;
  service.tick_max *= options.time_scale;
  return service;
}

}  // namespace

Process::Process(const coord::ReplicaOptions& replica, base::Uuid ensemble_id,
                 const Options& options, Dependencies deps)
    : id_(replica.id),
      scheduler_(deps.scheduler),
      observer_(deps.observer),
      random_(deps.scheduler.random().Next()),
      clock_(deps.scheduler),
      replica_executor_(deps.scheduler),
      apply_executor_(deps.scheduler),
      snapshot_executor_(deps.scheduler),
      rpc_executor_(deps.scheduler),
      io_executor_a_(deps.scheduler),
      io_executor_b_(deps.scheduler),
      log_(deps.scheduler, deps.disk, replica_executor_),
      snapshots_(OpenSnapshots(deps.snapshots)),
      transport_(deps.network, replica_executor_),
      service_(ServiceOptionsOf(replica, options), ServiceDependencies(deps)),
      zk_context_{service_, clock_, [this] { return random_.Next(); }},
      observed_(*this),
      replica_(replica, ensemble_id,
               coord::Replica::Dependencies{
                   .log = log_,
                   .snapshots = *snapshots_,
                   .transport = transport_,
                   .state_machine = observed_,
                   .clock = clock_,
                   .executor = replica_executor_,
                   .apply_executor = apply_executor_,
                   .snapshot_executor = snapshot_executor_,
                   .metrics = metrics_,
                   .seed = random_.Next(),
                   .on_fatal = [this](absl::Status status) { observer_.OnFatal(id_, status); }}),
      replica_log_(replica_) {
  service_.Start(replica_log_);
  replica_.Start();
}

coord::CoordService::Dependencies Process::ServiceDependencies(Dependencies& deps) {
  return {
      .clock = clock_,
      .replica_executor = replica_executor_,
      .io_executors = {&io_executor_a_, &io_executor_b_},
      .frontend_executors = {&rpc_executor_},
      .metrics = metrics_,
      .random = [this] { return random_.Next(); },
      .on_ensemble_id = deps.on_ensemble_id,
      .on_fatal = [this](absl::Status status) { observer_.OnFatal(id_, status); },
      .disk_free_bytes = nullptr,
  };
}

Process::~Process() {
  for (SimExecutor* executor : Executors()) executor->Stop();
}

std::vector<SimExecutor*> Process::Executors() {
  return {&replica_executor_, &apply_executor_, &snapshot_executor_, &rpc_executor_, &io_executor_a_, &io_executor_b_};
}

void Process::Pause() {
  paused_ = true;
  ++pauses_;
  for (SimExecutor* executor : Executors()) executor->Pause();
}

void Process::SetClockRate(double rate) {
  clock_.SetRate(rate);
  for (SimExecutor* executor : Executors()) executor->SetClockRate(rate);
}

void Process::Resume() {
  paused_ = false;
  for (SimExecutor* executor : Executors()) {
    scheduler_.After(scheduler_.RandomDuration(absl::ZeroDuration(), kThreadsGoOnWithin),
                     [this, executor, pause = pauses_, alive = std::weak_ptr<bool>(alive_)] {
                       if (!alive.expired() && pauses_ == pause) executor->Resume();
                     });
  }
}

}  // namespace bellwether::sim
