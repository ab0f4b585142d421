#include "coord/service/coord_service.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/service/envelope.h"
#include "coord/service/identities.h"
#include "coord/service/watch_requests.h"
#include "coord/service/writes.h"
#include "coord/tree/path.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

Failure LeaderLost() {
  return {absl::StatusCode::kUnavailable,
          "a leader was lost while commands were on their way; attach again to learn which took "
          "effect",
          "", base::Outcome::kUnknown};
}

Failure Stopping() { return Unavailable("the server is stopping; use another server"); }

absl::Status CheckFilter(const WatchFilter& filter, size_t paths_max) {
  if (filter.paths.size() > paths_max) {
    return absl::InvalidArgumentError(fmt::format(
        "watch: {} paths are more than {}, the limit; use several watches, or one above them",
        filter.paths.size(), paths_max));
  }
  for (const std::string& path : filter.paths) {
    if (tree::IsValidPath(path)) continue;
    return absl::InvalidArgumentError(
        fmt::format("watch: \"{}\" is not a path of a znode", PathForMessage(path)));
  }
  return absl::OkStatus();
}

}  // namespace

// Woken by the hub under the tree's hold; tells progress a little later, for many changes at once.
class CoordService::PromptProgress : public Wakeable {
 public:
  explicit PromptProgress(CoordService& service) : service_(service) {}

  void PostWake() override {
    service_.deps_.io_executors.front()->RunAfter(
        service_.options_.prompt_progress_interval,
        [&service = service_] { service.hub_.SendPromptProgress(); });
  }

 private:
  CoordService& service_;
};

CoordService::CoordService(ServiceOptions options, Dependencies deps)
    : options_(std::move(options)),
      read_limits_{options_.list_page_bytes_max, options_.reply_bytes_max,
                   options_.multi_read_bytes_max},
      deps_(std::move(deps)),
      process_(deps_.random()),
      streams_refused_(deps_.metrics.AddCounter(
          "bell_streams_refused_total", "Session and Watch streams refused at their bound.")),
      clients_too_slow_(deps_.metrics.AddCounter(
          "bell_connections_too_slow_total",
          "Session streams given up because the client did not take the events of its watches.")),
      slow_requests_(options_.slow_request, deps_.clock, deps_.metrics),
      tree_bound_(options_.tree_bytes_max, deps_.metrics),
      connections_(options_.connections_max),
      znode_watches_({options_.znode_watches_per_connection_max, options_.znode_watches_max,
                      options_.znode_watch_path_bytes_per_connection_max,
                      options_.znode_watch_path_bytes_max},
                     &deps_.metrics.AddCounter("bell_znode_watches_refused_total",
                                               "Watches of znodes refused at a bound.")),
      lock_waits_(options_.lock_waits),
      list_views_(options_.list_views, deps_.clock, deps_.metrics),
      child_lists_(options_.child_lists, deps_.metrics),
      hub_(options_.watch_ring_changes_max, options_.watch_ring_bytes_max,
           std::make_shared<PromptProgress>(*this),
           deps_.metrics.AddCounter("bell_watch_ring_forgotten_total",
                                    "Changes that the watch ring had no room for any more.")),
      watches_(options_, state_, hub_, deps_.metrics),
      discarded_states_(deps_.operations_executor != nullptr ? *deps_.operations_executor
                                                             : *deps_.io_executors.back(),
                        deps_.metrics),
      feature_levels_(options_.feature_levels, deps_.replica_executor),
      endings_(deps_.replica_executor),
      top_lists_({state_, znode_watches_, hub_, watches_, connections_},
                 deps_.operations_executor != nullptr ? *deps_.operations_executor
                                                      : *deps_.io_executors.back()),
      applier_(options_, {state_, waiters_, connections_, znode_watches_, lock_waits_, list_views_, hub_, digests_,
                          feature_levels_, tree_bound_, discarded_states_, *this, deps_.clock,
                          deps_.metrics, process_}),
      tracker_(options_.tick_max),
      leader_duties_(options_,
                     {state_, feature_levels_, tracker_, deps_.clock, deps_.metrics,
                      [this](tree::Operation operation) {
                        return MakeOwnCommand(std::move(operation));
                      },
                      [this] { return Random(); }}) {
  CHECK(!deps_.io_executors.empty());
  RegisterMetrics(deps_.metrics);
}

CoordService::~CoordService() = default;

void CoordService::Start(ReplicatedLog& log) {
  log_ = &log;
  leader_duties_.Start(log);
  for (const auto* executors : {&deps_.io_executors, &deps_.frontend_executors}) {
    for (base::Executor* executor : *executors) {
      read_batchers_.emplace(executor, std::make_unique<ReadBatcher>(log, *executor));
    }
  }
  started_ = true;
  SendTouches();
  SendProgress();
}

void CoordService::Stop() {
  stopped_ = true;
  connections_.DrainAll(Stopping());
  watches_.CloseAll(Stopping());
  feature_levels_.Stop();
  endings_.Stop();
  top_lists_.Stop();
  if (started_) log_->StopSnapshots();
}

base::Executor& CoordService::NextIoExecutor() {
  return *deps_.io_executors[next_io_executor_++ % deps_.io_executors.size()];
}

absl::Status CoordService::CheckOpen() const {
  if (!started_) return absl::UnavailableError("the server is starting; try again in a moment");
  if (stopped_) return absl::UnavailableError(Stopping().message);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Connection>> CoordService::OpenConnection(
    Principal principal, std::shared_ptr<StreamSink> sink, base::Executor* executor) {
  RETURN_IF_ERROR(CheckOpen());
  if (executor == nullptr) executor = &NextIoExecutor();
  auto connection = std::make_shared<Connection>(std::move(principal), options_,
                                                 static_cast<ConnectionBackend&>(*this), *executor,
                                                 std::move(sink), ++last_connection_);
  if (!connections_.Add(connection)) {
    streams_refused_.Add();
    return absl::ResourceExhaustedError(fmt::format(
        "this server has {} connections, its limit; use another server", options_.connections_max));
  }
  connection->Start();
  return connection;
}

absl::StatusOr<std::shared_ptr<Watch>> CoordService::OpenWatch(Principal principal,
                                                               WatchRequest request,
                                                               std::shared_ptr<StreamSink> sink) {
  RETURN_IF_ERROR(CheckOpen());
  RETURN_IF_ERROR(CheckFilter(request.filter, options_.watch_paths_max));
  request.filter.Normalize();
  if (request.identities == nullptr) {
    request.identities = std::make_shared<const tree::Identities>(
        tree::Identities{AddressIdentity(principal.address)});
  }
  if (ensemble_id_known_) RETURN_IF_ERROR(CheckEnsemble(request.ensemble_id));
  auto watch = std::make_shared<Watch>(std::move(request), options_,
                                       static_cast<WatchBackend&>(*this), NextIoExecutor(),
                                       std::move(sink));
  if (!watches_.Add(watch)) {
    streams_refused_.Add();
    return absl::ResourceExhaustedError(fmt::format(
        "this server has {} watches, its limit; use another server", options_.connections_max));
  }
  LOG_DEBUG("watch opened path={} client={}", watch->filter().Text(), principal.address);
  watch->Start();
  return watch;
}

base::Uuid CoordService::EnsembleId() const {
  base::ReaderLock lock(state_.mutex);
  return state_.tree.ensemble_id();
}

std::string CoordService::NotReadyReason() const {
  if (!started_) return "the server is starting";
  if (stopped_) return "the server is stopping";
  const ReplicaStatus replica = log_->status();
  if (!replica.in_contact) return replica.not_in_contact_reason;
  if (!ensemble_id_known_) return "the ensemble is forming: its id is not committed yet";
  return feature_levels_.NotReadyReason();
}

ServiceStatus CoordService::Status() const {
  ServiceStatus status;
  if (started_) status.replica = log_->status();
  status.not_ready_reason = NotReadyReason();
  {
    base::ReaderLock lock(state_.mutex);
    status.applied_index = state_.applied_index;
    status.zxid = state_.applied_zxid;
    status.digest = state_.applied_digest;
    status.ensemble_id = state_.tree.ensemble_id();
    status.znodes = state_.tree.znode_count();
    status.sessions = state_.tree.session_count();
  }
  status.watches = znode_watches_.count() + watches_.count();
  status.feature_level = feature_levels_.level();
  status.feature_levels = feature_levels_.supported();
  if (deps_.disk_free_bytes) status.disk_free_bytes = deps_.disk_free_bytes();
  return status;
}

Zxid CoordService::applied_zxid() const {
  base::ReaderLock lock(state_.mutex);
  return state_.tree.zxid();
}

bool CoordService::InContact() const {
  return started_ && deps_.clock.Monotonic() <= log_->contact_until();
}

std::optional<tree::Identities> CoordService::Authenticate(const tree::Identities& known,
                                                           std::string_view scheme,
                                                           std::string_view credentials) const {
  return coord::Authenticate(known, scheme, credentials, options_.super_digest);
}

// ---- Driven by the replica ----

void CoordService::Apply(std::vector<CommittedBatch> batches) { applier_.Apply(batches); }

absl::Status CoordService::RestoreSnapshot(LogIndex index, SnapshotReader& reader) {
  return applier_.RestoreSnapshot(index, reader);
}

void CoordService::OnLeadership(const Leadership& leadership) {
  leader_duties_.OnLeadership(leadership);
}

void CoordService::OnProposalsInDoubt() {
  if (!MUTANT(24)) connections_.DetachUnsettled(LeaderLost());
}

bool CoordService::OnNote(ServerId from, std::string note) {
  return leader_duties_.OnNote(from, note);
}

void CoordService::OnBroadcast(std::string note) {
  const std::optional<StatePoint> point = DecodeStatePoint(note);
  if (!point.has_value()) return;
  digests_.Expect(*point);
  if (absl::Status same = digests_.status(); !same.ok()) OnCannotGoOn(same);
}

EntryKind CoordService::KindOf(std::string_view command) const { return KindOfCommand(command); }

void CoordService::OnTick(absl::Duration since_last) {
  leader_duties_.OnTick(since_last, ensemble_id_known_);
}

// Of no session, asked for by nobody.
ProposedCommand CoordService::MakeOwnCommand(tree::Operation operation) {
  tree::Command command;
  command.operation = std::move(operation);
  return {SealCommand({process_, NextToken()}, command), ""};
}

// ---- Upgrades ----

UpgradeReport CoordService::Upgrade() const {
  return MakeUpgradeReport(feature_levels_.level(), started_ ? log_->status() : ReplicaStatus());
}

void CoordService::FinalizeUpgrade(std::function<void(absl::StatusOr<UpgradeReport>)> done) {
  if (const std::string reason = NotReadyReason(); !reason.empty()) {
    return done(absl::UnavailableError("can't finalize the upgrade now: " + reason));
  }
  const UpgradeReport report = Upgrade();
  if (report.target == report.level) return done(report);
  if (!report.obstacles.empty()) {
    return done(absl::FailedPreconditionError(
        fmt::format("can't finalize feature level {}: {}", report.target,
                    fmt::join(report.obstacles, "; "))));
  }
  LOG_INFO("upgrade finalized id={} level={} target={}", options_.server_id, report.level,
           report.target);
  const std::optional<uint64_t> wait = feature_levels_.Await(
      report.target, options_.finalize_wait_max, [this, done](absl::Status status) {
        if (!status.ok()) return done(std::move(status));
        done(Upgrade());
      });
  if (!wait.has_value()) return;
  log_->Propose({MakeOwnCommand(tree::SetFeatureLevel{report.target})},
                [this, wait = *wait](absl::Status status) {
                  if (!status.ok()) feature_levels_.Refuse(wait, std::move(status));
                });
}

// ---- Membership, snapshots ----

void CoordService::AskMembership(MembershipChange change,
                                 std::function<void(absl::StatusOr<MembershipView>)> done) {
  if (absl::Status open = CheckOpen(); !open.ok()) return done(std::move(open));
  if (const std::string reason = NotReadyReason(); !reason.empty()) {
    return done(absl::UnavailableError("can't ask the leader who is in the ensemble: " + reason));
  }
  if (feature_levels_.level() < kFeatureLevelMembership) {
    return done(absl::FailedPreconditionError(
        fmt::format("the ensemble is at feature level {}, and its members can be changed from level {} "
                    "on; run `bell cluster upgrade --finalize`",
                    feature_levels_.level(), kFeatureLevelMembership)));
  }
  log_->AskMembership(std::move(change), std::move(done));
}

void CoordService::SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done) {
  if (const std::string reason = NotReadyReason(); !reason.empty()) {
    return done(absl::UnavailableError(
        fmt::format("can't take a snapshot now: {}; ask another server", reason)));
  }
  log_->SaveSnapshot(std::move(done));
}

void CoordService::ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                                absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  if (absl::Status status = CheckOpen(); !status.ok()) return done(std::move(status));
  log_->ReadSnapshot(index, term, offset, std::move(done));
}

// ---- What the applier tells ----

void CoordService::OnSessionAttached(const tree::SessionGrant& grant) {
  deps_.replica_executor.Post([this, session = grant.session, generation = grant.generation,
                               timeout = absl::Milliseconds(grant.timeout_ms)] {
    tracker_.Attached(session, generation, timeout);
  });
  if (const auto wait = endings_.ProposedFor(grant.session)) ProposeEnd(grant.session, *wait);
}

void CoordService::OnSessionEnded(SessionId session) {
  endings_.OnEnded(session);
  deps_.replica_executor.Post([this, session] { tracker_.Ended(session); });
}

void CoordService::OnEnsembleId(base::Uuid ensemble_id) {
  ensemble_id_known_ = true;
  deps_.replica_executor.Post([this, ensemble_id] {
    log_->SetEnsembleId(ensemble_id);
    deps_.on_ensemble_id(ensemble_id);
  });
}

void CoordService::OnFeatureLevel(uint32_t level) {
  LOG_INFO("feature level id={} level={}", options_.server_id, level);
  feature_levels_.OnLevel(level);
}

void CoordService::OnEntryApplied(LogIndex index) { log_->OnApplied(index); }

void CoordService::OnStateReplaced(const tree::StateView& state) {
  const Failure why = Unavailable(
      "this server was far behind and continues from a snapshot; resume from the last zxid received");
  if (!MUTANT(32)) watches_.CloseAll(why);
  struct Session {
    SessionId id;
    tree::StateView::SessionView view;
  };
  std::vector<Session> sessions;
  for (SessionId id : state.SessionIds()) sessions.push_back({id, *state.FindSession(id)});
  endings_.OnReplaced([&state](SessionId id) { return state.FindSession(id).has_value(); });
  deps_.replica_executor.Post([this, sessions = std::move(sessions)] {
    tracker_.Clear();
    for (const Session& session : sessions) {
      tracker_.Attached(session.id, session.view.generation,
                        absl::Milliseconds(session.view.timeout_ms));
    }
  });
  if (!state.ensemble_id().IsNil()) OnEnsembleId(state.ensemble_id());
  OnFeatureLevel(state.feature_level());
}

void CoordService::OnCannotGoOn(const absl::Status& status) {
  if (failed_.exchange(true)) return;
  LOG_ERROR("server stops id={} reason=\"{}\"", options_.server_id, status);
  Stop();
  deps_.on_fatal(status);
}

// ---- What connections ask for ----

uint64_t CoordService::NextToken() { return ++last_token_; }

uint64_t CoordService::Random() {
  base::MutexLock lock(random_mutex_);
  return deps_.random();
}

absl::Status CoordService::CheckFormed() const {
  if (ensemble_id_known_) return absl::OkStatus();
  return absl::UnavailableError("the ensemble is forming; try again in a moment");
}

absl::Status CoordService::CheckEnsemble(base::Uuid named) const {
  if (named.IsNil()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckFormed());
  return CheckSameEnsemble(named, EnsembleId());
}

absl::StatusOr<tree::Command> CoordService::AttachCommand(const AttachRequest& request) {
  RETURN_IF_ERROR(CheckFormed());
  RETURN_IF_ERROR(CheckEnsemble(request.ensemble_id));
  const int64_t wanted_ms =
      request.timeout_ms == 0 ? options_.session_timeout_default_ms : request.timeout_ms;
  const int64_t timeout_ms = std::clamp(wanted_ms, options_.session_timeout_min_ms,
                                        options_.session_timeout_max_ms);
  tree::Command command;
  if (request.session != SessionId(0)) {
    command.operation = tree::AttachSession{request.session, request.password, timeout_ms};
    return command;
  }
  if (request.nonce.IsNil()) {
    return absl::InvalidArgumentError("attach: a new session needs a nonce of 16 random bytes");
  }
  tree::CreateSession create;
  create.nonce = request.nonce;
  const std::string password = base::Uuid(Random(), Random()).Bytes();
  std::copy(password.begin(), password.end(), create.password.begin());
  create.timeout_ms = timeout_ms;
  create.server_id = static_cast<uint8_t>(options_.server_id);
  command.operation = create;
  return command;
}

void CoordService::FailAttach(uint64_t token, const Failure& failure) {
  WakeList woken;
  connections_.FailAttach(token, failure, woken);
  for (const auto& connection : woken) connection->PostWake();
}

void CoordService::ProposeAttach(std::shared_ptr<Connection> connection, uint64_t token,
                                 const AttachRequest& request) {
  std::string principal = connection->principal().Name();
  connections_.AwaitAttach(token, std::move(connection));
  absl::StatusOr<tree::Command> command = AttachCommand(request);
  if (!command.ok()) return FailAttach(token, FailureOf(command.status()));
  log_->Propose({{SealCommand({process_, token}, *command), std::move(principal)}},
                [this, token](absl::Status status) {
                  if (!status.ok()) FailAttach(token, FailureOf(status));
                });
}

absl::StatusOr<Attached> CoordService::AttachReadOnly(const AttachRequest& request) const {
  RETURN_IF_ERROR(CheckFormed());
  RETURN_IF_ERROR(CheckEnsemble(request.ensemble_id));
  Attached attached;
  attached.server_id = options_.server_id;
  base::ReaderLock lock(state_.mutex);
  attached.ensemble_id = state_.tree.ensemble_id();
  attached.zxid = state_.applied_zxid;
  return attached;
}

void CoordService::ProposeWrites(base::Executor& executor, SessionId session,
                                 const Principal& principal, std::vector<ProposedWrite> writes,
                                 StatusCallback done) {
  const std::string name = principal.Name();
  const bool with_identities = feature_levels_.level() >= tree::kFeatureLevelAcls;
  std::vector<ProposedCommand> commands;
  commands.reserve(writes.size());
  for (ProposedWrite& write : writes) {
    if (!with_identities) write.request.identities = nullptr;
    commands.push_back({SealCommand({process_, write.token},
                                    MakeCommand(session, std::move(write.request))),
                        name});
  }
  log_->Propose(std::move(commands),
                [&executor, done = std::move(done)](absl::Status status) mutable {
                  if (status.ok()) return;  // applied is what counts
                  executor.Post([done = std::move(done), status = std::move(status)]() mutable {
                    done(std::move(status));
                  });
                });
}

void CoordService::RequestReadIndex(base::Executor& executor, IndexCallback done) {
  const auto batcher = read_batchers_.find(&executor);
  CHECK(batcher != read_batchers_.end(), "the executor is none of those given at construction");
  batcher->second->Request(std::move(done));
}

void CoordService::KeepAlive(base::Executor& executor, SessionId session, IndexCallback done) {
  log_->RequestRead(EncodeTouchNote({session}), [&executor, done = std::move(done)](
                                                    absl::StatusOr<LogIndex> index) mutable {
    executor.Post([done = std::move(done), index = std::move(index)]() mutable {
      done(std::move(index));
    });
  });
}

void CoordService::Touch(SessionId session) { touches_.Add(session); }

bool CoordService::AppliedOrWait(LogIndex index, Zxid zxid, std::shared_ptr<ApplyWaiter> waiter) {
  return waiters_.AppliedOrWait(index, zxid, std::move(waiter));
}

bool CoordService::Applied(LogIndex index, Zxid zxid) const {
  return waiters_.Applied(index, zxid);
}

tree::StateView CoordService::View() const {
  base::ReaderLock lock(state_.mutex);
  return state_.tree.View();
}

void CoordService::OnClientTooSlow(const Connection& connection) {
  clients_too_slow_.Add();
  LOG_WARN("connection ends, too many events wait session={:#x} client={} max={}",
           connection.session().value(), connection.principal().address, options_.event_bytes_max);
}

void CoordService::OnConnectionClosed(Connection& connection) {
  znode_watches_.RemoveAll(connection);
  lock_waits_.RemoveAll(connection);
  list_views_.RemoveAll(connection.serial());
  connections_.Remove(connection);
}

// ---- What watches ask for ----

absl::StatusOr<std::unique_ptr<WatchStart>> CoordService::ArmWatch(std::shared_ptr<Watch> watch) {
  return watches_.Arm(watch);
}

void CoordService::OnWatchClosed(Watch& watch, const std::optional<Failure>& failure) {
  watches_.Remove(watch, failure);
}

// ---- Timers ----

void CoordService::SendTouches() {
  if (stopped_) return;
  const std::vector<SessionId> touched = touches_.TakeAll();
  if (!touched.empty()) log_->SendNote(EncodeTouchNote(touched));
  deps_.replica_executor.RunAfter(options_.touch_interval, [this] { SendTouches(); });
}

void CoordService::SendProgress() {
  if (stopped_) return;
  hub_.SendProgress();
  list_views_.DropExpired();
  lock_waits_.FreeUnused();
  deps_.io_executors.front()->RunAfter(options_.progress_interval, [this] { SendProgress(); });
}

}  // namespace bellwether::coord
