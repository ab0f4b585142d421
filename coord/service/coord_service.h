#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coord/replica/replica.h"
#include "coord/service/apply_waiters.h"
#include "coord/service/connection.h"
#include "coord/service/child_lists.h"
#include "coord/service/connection_table.h"
#include "coord/service/discarded_states.h"
#include "coord/service/feature_levels.h"
#include "coord/service/leader_duties.h"
#include "coord/service/list_views.h"
#include "coord/service/lock_waits.h"
#include "coord/service/locked_tree.h"
#include "coord/service/options.h"
#include "coord/service/read_batcher.h"
#include "coord/service/reads.h"
#include "coord/service/replicated_log.h"
#include "coord/service/session_endings.h"
#include "coord/service/session_tracker.h"
#include "coord/service/slow_requests.h"
#include "coord/service/top_lists.h"
#include "coord/service/touches.h"
#include "coord/service/tree_applier.h"
#include "coord/service/tree_bound.h"
#include "coord/service/watch.h"
#include "coord/service/watch_hub.h"
#include "coord/service/watch_table.h"
#include "coord/service/znode_watches.h"

namespace bellwether::coord {

// A server's view of itself and its peers.
struct ServiceStatus {
  ReplicaStatus replica;
  LogIndex applied_index;  // zxid and digest are those of this index
  Zxid zxid;
  uint64_t digest = 0;
  base::Uuid ensemble_id;
  uint64_t znodes = 0;
  uint64_t sessions = 0;
  uint64_t watches = 0;  // set at this server
  uint64_t disk_free_bytes = 0;
  uint32_t feature_level = 0;  // in force at this server
  FeatureLevelRange feature_levels;  // that its build supports
  std::string not_ready_reason;  // empty: linearizable requests are served
};

// Some of the live sessions, by id, as a server has them.
struct SessionPage {
  struct Entry {
    SessionId id;
    SessionGeneration generation;
    int64_t timeout_ms = 0;
    uint64_t ephemerals = 0;             // znodes that it owns
    std::string address = {};            // of its client, if that is connected here; else empty
    std::optional<absl::Duration> idle = {};  // since the leader heard of it, if this is the leader
  };
  Zxid zxid;
  std::vector<Entry> sessions;
  bool more = false;
};

// The one core behind every frontend of a coord server: sessions, reads, writes and watches on top
// of the replicated log. Frontends open a Connection or a Watch and exchange frames with it. Knows
// no protocol, no sockets and nothing of how the log is replicated.
// Owned by the server; constructed before the replica that drives it, stopped before it, destroyed
// after all executors stopped.
// Threads: public calls from any thread; Apply on the apply executor; OnLeadership, OnNote and
// OnTick on the replica's executor; streams on one of the io executors each, or on their frontend's.
// Limits: ServiceOptions.
class CoordService : public StateMachine,
                     private ConnectionBackend,
                     private WatchBackend,
                     private ApplyListener {
 public:
  struct Dependencies {
    base::Clock& clock;
    base::Executor& replica_executor;
    std::vector<base::Executor*> io_executors;  // at least one
    // Further ones, that frontends run their connections on.
    std::vector<base::Executor*> frontend_executors;
    base::Metrics& metrics;
    // Random bits for passwords and ids; called under a lock, from any thread.
    std::function<uint64_t()> random;
    // The ensemble's id was learned or, at every start, seen again. Replica's executor.
    std::function<void(base::Uuid)> on_ensemble_id;
    // The server can't go on. Any thread.
    std::function<void(absl::Status)> on_fatal;
    std::function<uint64_t()> disk_free_bytes;  // for the status; may be null
    // For what operators ask and takes long; null: the last one of the io executors.
    base::Executor* operations_executor = nullptr;
  };

  CoordService(ServiceOptions options, Dependencies deps);
  ~CoordService() override;

  // Before the replica starts; streams are refused until then. `log` outlives the service.
  void Start(ReplicatedLog& log);

  // Opens no more streams and gives up those that are open, each when its writes in flight are
  // settled; what frontends take says so. Ends what waits for an upgrade or a snapshot.
  void Stop();

  // RESOURCE_EXHAUSTED above the bound of connections, UNAVAILABLE when stopping. The connection
  // runs on `executor`, one of `frontend_executors`; null: on one of the io executors.
  absl::StatusOr<std::shared_ptr<Connection>> OpenConnection(Principal principal,
                                                             std::shared_ptr<StreamSink> sink,
                                                             base::Executor* executor = nullptr);
  absl::StatusOr<std::shared_ptr<Watch>> OpenWatch(Principal principal, WatchRequest request,
                                                   std::shared_ptr<StreamSink> sink);
  ServiceStatus Status() const;
  // Of the last command applied here: at least that of everything that a connection was told.
  Zxid applied_zxid() const;
  // In force at this server.
  uint32_t feature_level() const override { return feature_levels_.level(); }
  bool InContact() const override;
  // Whether connections that are read-only are the best that a client can have here: there is a state
  // to read, and no contact with a leader. Not of a server that was removed from its ensemble.
  bool ServesReadOnly() const;
  // The data of /zookeeper/config here.
  std::string EnsembleConfig() const;
  // What this server's state knows of a session; its password is the right one, another one, or not
  // known.
  std::optional<bool> ProvesSession(SessionId session, const tree::SessionPassword& password) const;
  const ServiceOptions& options() const { return options_; }
  // For those who show them.
  const ZnodeWatches& znode_watches() const { return znode_watches_; }
  tree::StateView View() const;

  // As the function of identities.h, with this server's superuser.
  std::optional<tree::Identities> Authenticate(const tree::Identities& known,
                                               std::string_view scheme,
                                               std::string_view credentials) const;

  // Whether a request that names an ensemble, or none (nil), is for this one. Errors:
  // FAILED_PRECONDITION with reason "other_ensemble"; UNAVAILABLE while the ensemble forms. Streams
  // check it themselves.
  absl::Status CheckEnsemble(base::Uuid named) const;

  // How far the ensemble is with an upgrade, as this server sees it.
  UpgradeReport Upgrade() const;
  // Raises the feature level to the report's target, once. `done` runs on any thread, with the report
  // afterwards. Errors: UNAVAILABLE without a leader; FAILED_PRECONDITION naming the obstacles; of
  // unknown outcome when it was not seen to be committed.
  void FinalizeUpgrade(std::function<void(absl::StatusOr<UpgradeReport>)> done);

  // Asks the leader who is in the ensemble, or to change it; see Replica::AskMembership. `done` runs on
  // any thread. More errors: FAILED_PRECONDITION (the feature level is too low).
  void AskMembership(MembershipChange change,
                     std::function<void(absl::StatusOr<MembershipView>)> done);

  // A snapshot of the state as of this call or later, and its file piece by piece: as Replica's,
  // which see; and UNAVAILABLE when not ready. `done` runs on any thread.
  void SaveSnapshot(absl::AnyInvocable<void(absl::StatusOr<SnapshotInfo>)> done);
  void ReadSnapshot(LogIndex index, Term term, uint64_t offset,
                    absl::AnyInvocable<void(absl::StatusOr<std::string>)> done);

  // What operators ask for, answered on any thread. None asks who they are: like AskMembership and
  // SaveSnapshot it is for those who reach the listener, until there are roles.

  // See TopLists; and UNAVAILABLE when not open.
  void Top(TopOrder by, size_t limit, TopLists::Done done);
  // Sessions with ids above `after`, by id; at most `limit`, and 1,000. Errors: UNAVAILABLE.
  void ListSessions(SessionId after, size_t limit,
                    std::function<void(absl::StatusOr<SessionPage>)> done);
  // Ends a session as if it had expired. Gives a zxid that has that, once it is applied here. Errors:
  // NOT_FOUND reason "no_session"; UNAVAILABLE; of unknown outcome when its end was not seen.
  void EndSession(SessionId session, std::function<void(absl::StatusOr<Zxid>)> done);

  // Empty when this server can serve linearizable requests; else why not.
  std::string NotReadyReason() const;

  // StateMachine.
  void Apply(std::vector<CommittedBatch> batches) override;
  std::unique_ptr<StateSnapshot> TakeSnapshot() override { return applier_.TakeSnapshot(); }
  absl::Status RestoreSnapshot(LogIndex index, SnapshotReader& reader) override;
  void OnLeadership(const Leadership& leadership) override;
  void OnProposalsInDoubt() override;
  bool OnNote(ServerId from, std::string note) override;
  void OnBroadcast(std::string note) override;
  EntryKind KindOf(std::string_view command) const override;
  void OnTick(absl::Duration since_last) override;

 private:
  class PromptProgress;

  // ConnectionBackend, WatchBackend.
  uint64_t NextToken() override;
  void ProposeAttach(std::shared_ptr<Connection> connection, uint64_t token,
                     const AttachRequest& request) override;
  absl::StatusOr<Attached> AttachReadOnly(const AttachRequest& request) const override;
  std::optional<Failure> RefusesGrowth(const RequestOperation& operation) override {
    return tree_bound_.Refuses(operation);
  }
  SlowRequests& slow_requests() override { return slow_requests_; }
  void ProposeWrites(base::Executor& executor, SessionId session, const Principal& principal,
                     std::vector<ProposedWrite> writes, StatusCallback done) override;
  void Reconfigure(base::Executor& executor, Request request, ResponseCallback done) override;
  void RequestReadIndex(base::Executor& executor, IndexCallback done) override;
  void KeepAlive(base::Executor& executor, SessionId session, IndexCallback done) override;
  void Touch(SessionId session) override;
  bool AppliedOrWait(LogIndex index, Zxid zxid, std::shared_ptr<ApplyWaiter> waiter) override;
  bool Applied(LogIndex index, Zxid zxid) const override;
  ReadProgress EvaluateReads(const std::shared_ptr<Connection>& connection,
                             const std::vector<const Request*>& reads) override;
  ReadProgress EvaluateFurtherPage(const std::shared_ptr<Connection>& connection,
                                   const Request& request);
  // Null when it is no list, or not kept.
  PackedNamesPtr KnownList(const Request& request)
      ABSL_SHARED_LOCKS_REQUIRED(state_.mutex);
  // Null when the read is no list.
  LongRead::Finished PageKeeper(uint64_t connection, const Request& request);
  void OnClientTooSlow(const Connection& connection) override;
  void OnConnectionClosed(Connection& connection) override;
  absl::StatusOr<std::unique_ptr<WatchStart>> ArmWatch(std::shared_ptr<Watch> watch) override;
  void OnWatchClosed(Watch& watch, const std::optional<Failure>& failure) override;

  // ApplyListener, on the apply executor.
  void OnSessionAttached(const tree::SessionGrant& grant) override;
  void OnSessionEnded(SessionId session) override;
  void OnEnsembleId(base::Uuid ensemble_id) override;
  void OnFeatureLevel(uint32_t level) override;
  void OnEntryApplied(LogIndex index) override;
  void OnStateReplaced(const tree::StateView& state) override;
  void OnCannotGoOn(const absl::Status& status) override;

  absl::Status CheckOpen() const;
  uint64_t Random();
  base::Executor& NextIoExecutor();
  base::Uuid EnsembleId() const;
  absl::Status CheckFormed() const;
  absl::StatusOr<tree::Command> AttachCommand(const AttachRequest& request);
  void FailAttach(uint64_t token, const Failure& failure);
  void ProposeEnd(SessionId session, uint64_t wait);
  std::optional<Failure> CheckReconfigure(const Request& request) const;
  Response ConfigResponse(uint64_t request_id) const;
  void SendTouches();
  void SendProgress();
  ProposedCommand MakeOwnCommand(tree::Operation operation);
  void RegisterMetrics(base::Metrics& metrics);

  const ServiceOptions options_;
  const ReadLimits read_limits_;
  Dependencies deps_;
  ReplicatedLog* log_ = nullptr;
  uint64_t process_ = 0;  // origin of this process's commands

  base::Counter& streams_refused_;
  base::Counter& clients_too_slow_;
  SlowRequests slow_requests_;

  LockedTree state_;
  TreeBound tree_bound_;
  ApplyWaiters waiters_;
  ConnectionTable connections_;
  ZnodeWatches znode_watches_;
  LockWaits lock_waits_;
  ListViews list_views_;
  ChildLists child_lists_;
  WatchHub hub_;
  WatchTable watches_;
  DigestCheck digests_;
  DiscardedStates discarded_states_;
  Touches touches_;
  FeatureLevels feature_levels_;
  SessionEndings endings_;
  TopLists top_lists_;
  TreeApplier applier_;
  // One per executor of streams.
  absl::flat_hash_map<base::Executor*, std::unique_ptr<ReadBatcher>> read_batchers_;

  std::atomic<bool> started_ = false;  // log_ and read_batchers_ are set
  std::atomic<bool> stopped_ = false;
  std::atomic<uint64_t> last_token_ = 0;
  std::atomic<uint64_t> last_connection_ = 0;
  std::atomic<size_t> next_io_executor_ = 0;
  std::atomic<bool> ensemble_id_known_ = false;
  std::atomic<bool> failed_ = false;  // on_fatal was told
  std::atomic<bool> reconfiguring_ = false;  // an EnsembleChange of this server is under way

  // Owned by the replica's executor.
  SessionTracker tracker_;
  LeaderDuties leader_duties_;

  base::Mutex random_mutex_;  // held for each call of deps_.random
};

}  // namespace bellwether::coord
