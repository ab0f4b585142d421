#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "client/coord_channel.h"
#include "client/coord_types.h"
#include "client/coord_watch.h"
#include "client/grant_waits.h"
#include "client/one_shot_watches.h"
#include "client/operations.h"
#include "client/request_queue.h"
#include "client/server_list.h"

namespace bellwether::client {

struct ListUnderWay;

struct CoordOptions {
  // Servers of the ensemble, at least one; tried in an order shuffled by `seed`.
  std::vector<std::string> addresses;
  // Wanted; the server clamps it to 1 s to 120 s.
  absl::Duration session_timeout = absl::Seconds(10);
  // Of a request that names none.
  absl::Duration request_timeout = absl::Seconds(10);
  // The only ensemble to talk to; nil: that of the first attach.
  base::Uuid ensemble_id;
  // For the order of servers, backoff and the nonce of the session: give every client another one.
  uint64_t seed = 0;
  // Requests not yet answered; more are refused with RESOURCE_EXHAUSTED.
  size_t outstanding_max = 16384;
  // Bytes of paths and data of those.
  size_t outstanding_bytes_max = 64 << 20;
  // Opens no session, so that any server that is up will do, also one without a leader. Only reads
  // with stale_ok are served; the rest, CloseSession included, fails with FAILED_PRECONDITION, reason
  // "read_only". state() is kConnecting or kConnected, session().id stays 0.
  bool read_only = false;
  // What the client is known by, besides its address, in its session and its watches; at most 64.
  // Servers that refuse one end a client without a session: kExpired, UNAUTHENTICATED.
  std::vector<Credential> credentials;
};

// One session with the ensemble, over one connection at a time. Knows nothing of gRPC or threads:
// it is driven by its executor, a clock and a connector, all of which outlive it. Everything is
// called, and calls back, on that executor, SessionDeadline and HighestZxid excepted; a callback
// never runs inside the call that it answers, and must not destroy the client (post that).
//
// Requests take effect and are answered in the order of the calls (except that a List that needs
// several pages is answered after its last one). A lost connection is replaced, at another server
// if there is one; Attached.last_sequence tells which writes took effect. What did not is sent again
// until its deadline, and so is what did, for its result, which the ensemble keeps: a write takes effect
// once. It fails with base::Outcome::kUnknown when its session or its deadline ends first, when its
// result is not kept any more, and in an ensemble below feature level 4. Reads are sent again, too; one
// that a server could not serve fails when a later write took effect meanwhile.
class CoordClient {
 public:
  using StateListener = absl::AnyInvocable<void(SessionState)>;
  using ListenerId = uint64_t;

  // Requires: at least one address.
  CoordClient(CoordOptions options, base::Executor& executor, base::Clock& clock,
              CoordConnector& connector);
  // Without CloseSession the session lives on until its timeout. Requests not yet answered are
  // dropped without a callback. Requires: its watches were destroyed before.
  ~CoordClient();
  CoordClient(const CoordClient&) = delete;
  CoordClient& operator=(const CoordClient&) = delete;

  // Begins to connect. Requests may be made before.
  void Start();

  // Errors of all requests: CANCELLED after CloseSession; RESOURCE_EXHAUSTED above the bounds of
  // the options; DEADLINE_EXCEEDED after the timeout; NOT_FOUND with reason "session_expired" when
  // the session is gone (the client is then of no further use: make a new one).

  // Errors: NOT_FOUND no_node (the parent), ALREADY_EXISTS node_exists, FAILED_PRECONDITION
  // no_children_for_ephemerals, INVALID_ARGUMENT bad_arguments or invalid_acl. This and whatever
  // else reads or writes: PERMISSION_DENIED no_auth when an ACL does not permit it; what creates and
  // sets: RESOURCE_EXHAUSTED quota_exceeded.
  void Create(CreateOperation operation, CallOptions options, Callback<CreateResult> callback);
  void Create(std::string path, Data data, CreateMode mode, CallOptions options,
              Callback<CreateResult> callback);
  // Errors: NOT_FOUND no_node, FAILED_PRECONDITION bad_version.
  void Set(std::string path, Data data, int32_t version, CallOptions options,
           Callback<SetResult> callback);
  // `recursive` deletes all below as well, in one zxid. Errors: NOT_FOUND no_node,
  // FAILED_PRECONDITION bad_version or not_empty.
  void Delete(std::string path, int32_t version, bool recursive, CallOptions options,
              Callback<DeleteResult> callback);
  // Errors: FAILED_PRECONDITION compare_failed or that of the first operation that failed;
  // TransactionFailureOf tells which.
  void Commit(Transaction transaction, CallOptions options, Callback<TransactionResult> callback);
  // Makes znodes as they are elsewhere, in their order, parents first, each by itself: the result says
  // which were not, and why. At most 10,000 and 4 MiB. With `overwrite` those that exist become as
  // given; else they are refused as node_exists unless they are so already. Needs kCreate on the
  // parents, to overwrite kWrite and kAdmin. Errors: FAILED_PRECONDITION feature_level.
  void Import(std::vector<ImportedZnode> znodes, bool overwrite, CallOptions options,
              Callback<ImportResult> callback);
  // Makes the ensemble's zxid at least that. Errors: FAILED_PRECONDITION feature_level,
  // PERMISSION_DENIED without kAdmin on the root, INVALID_ARGUMENT above 2^55.
  void RaiseZxid(Zxid zxid, CallOptions options, Callback<SyncResult> callback);
  // Errors: NOT_FOUND no_node.
  void Get(std::string path, ReadOptions options, Callback<GetResult> callback);
  void GetStat(std::string path, ReadOptions options, Callback<StatResult> callback);
  // Of one state, however long it is: when the server can't keep that until the last page it is begun
  // again, until its timeout. Errors: NOT_FOUND no_node; FAILED_PRECONDITION list_expired.
  void List(std::string path, bool recursive, ReadOptions options, Callback<ListResult> callback);
  // Whether an ephemeral sequential znode of this session is the first in line among its siblings; the
  // listener hears when it becomes that, and when it is gone. Recipes are built on it. Errors: NOT_FOUND
  // no_node, FAILED_PRECONDITION not_owner, RESOURCE_EXHAUSTED too_many_waits; INVALID_ARGUMENT from
  // a server of a release before feature level 4.
  void AwaitGrant(std::string path, CallOptions options, GrantListener listener,
                  Callback<GrantResult> callback);
  // Replaces the ACL, if its version (Stat::aversion) is that. Errors: NOT_FOUND no_node,
  // FAILED_PRECONDITION bad_version, INVALID_ARGUMENT invalid_acl.
  void SetAcl(std::string path, const Acl& acl, int32_t version, CallOptions options,
              Callback<SetResult> callback);
  // Needs kRead or kAdmin. options.watch is ignored. Errors: NOT_FOUND no_node.
  void GetAcl(std::string path, ReadOptions options, Callback<AclResult> callback);
  // From the next request on the client is known by this as well, and so are watches made later.
  // Errors: UNAUTHENTICATED auth_failed; then nothing has changed.
  void Authenticate(Credential credential, CallOptions options, Callback<SyncResult> callback);
  // Who this client is to ACLs.
  void WhoAmI(CallOptions options, Callback<std::vector<Identity>> callback);
  // Answered when the server attached to is as new as the leader was.
  void Sync(CallOptions options, Callback<SyncResult> callback);
  // Ends the session and removes its ephemeral znodes, after all requests made before.
  void CloseSession(CallOptions options, Callback<SyncResult> callback);

  // See CoordWatch.
  std::unique_ptr<CoordWatch> Watch(std::string path, WatchOptions options,
                                    WatchCallbacks callbacks);

  // Gives the connection up and attaches at the next server, keeping the session.
  void Reconnect();

  // Asks one server, one of the options or any other, about itself.
  void Status(const std::string& address, absl::Duration timeout, Callback<ServerStatus> callback);

  // Asks one server how far the ensemble is with an upgrade; `finalize` raises the feature level, once
  // and for good. Errors: FAILED_PRECONDITION naming the obstacles; UNAVAILABLE; of unknown outcome.
  void Upgrade(const std::string& address, bool finalize, absl::Duration timeout,
               Callback<UpgradeStatus> callback);

  // Asks one server who is in the ensemble, or to change it; answered when the change is complete. An
  // error of unknown outcome may be followed by the same request. Errors: FAILED_PRECONDITION and
  // NOT_FOUND that say what is in the way; UNAVAILABLE; of unknown outcome.
  void Membership(const std::string& address, const MembershipChange& change,
                  absl::Duration timeout, Callback<MembershipStatus> callback);

  // A piece of a snapshot's file from one server. `index` 0: the first piece of a snapshot of the
  // state as of this call or later; else index and term of that, and where the piece begins.
  // Errors: UNAVAILABLE; RESOURCE_EXHAUSTED; NOT_FOUND: newer ones took its place; DATA_LOSS:
  // damaged on its way.
  void SaveSnapshot(const std::string& address, uint64_t index, uint64_t term, uint64_t offset,
                    absl::Duration timeout, Callback<SnapshotPiece> callback);

  // Asks one server for the `limit` (1 to 1,000) that stand out most; answered without a leader, too.
  // It names znodes whatever their ACLs say. Errors: RESOURCE_EXHAUSTED with reason "busy" while it
  // makes such a list for somebody else; UNAVAILABLE.
  void Top(const std::string& address, TopOrder by, uint32_t limit, absl::Duration timeout,
           Callback<TopResult> callback);

  // Asks one server for the live sessions with ids above `after`, at most 1,000; answered without a
  // leader, too. Errors: UNAVAILABLE.
  void Sessions(const std::string& address, SessionId after, absl::Duration timeout,
                Callback<SessionPage> callback);

  // Ends anybody's session, by one server, with its ephemeral znodes. Its client, if it is not
  // connected, may think until its deadline that it holds what it held. Errors: NOT_FOUND no_session;
  // UNAVAILABLE; of unknown outcome: ask again.
  void EndSession(const std::string& address, SessionId session, absl::Duration timeout,
                  Callback<SessionEnded> callback);

  // Called at every change of state(), until removed. Removing inside a listener is allowed.
  ListenerId AddStateListener(StateListener listener);
  void RemoveStateListener(ListenerId id);

  SessionState state() const { return state_; }
  const SessionInfo& session() const { return session_; }

  // Until when (on the clock's Monotonic) the ensemble keeps the session, as far as this client
  // can prove: the time at which the last keepalive or attach that was answered had been sent, plus
  // the session timeout. Thread-safe. Before the first attach: the past.
  absl::Duration SessionDeadline() const;

  // Why everything fails; OK until the state is final.
  const absl::Status& final_status() const { return final_status_; }

  // What last stood in the way of a connection, with its address.
  std::string LastFailure() const { return servers_.LastFailure(); }

  // The newest state seen by any answer or watch of this client. Thread-safe.
  Zxid HighestZxid() const { return servers_.highest_zxid(); }

  base::Executor& executor() { return executor_; }
  base::Clock& clock() { return clock_; }

 private:
  void Submit(coord::v1::Request request, absl::Duration deadline, RequestQueue::Answer answer);
  absl::Duration DeadlineAfter(std::optional<absl::Duration> timeout) const;
  // Asks for the page after that name.
  void ListPage(std::string after, std::shared_ptr<ListUnderWay> list);
  void OnListPage(absl::StatusOr<coord::v1::Response> response,
                  std::shared_ptr<ListUnderWay> list);
  // Its state is not kept any more.
  void ListAgain(const absl::Status& why, std::shared_ptr<ListUnderWay> list);
  void SetReadOptions(const ReadOptions& options, coord::v1::Request& request) const;
  // The answer, preceded by registering the watch when the server has set it.
  RequestQueue::Answer WithWatch(OneShotWatches::Kind kind, std::string path, OneShotWatch watch,
                                 RequestQueue::Answer answer);
  void SendPending();
  void Pause();
  void ArmRequestTimer();

  void Connect();
  // Makes it open the session, or take it over.
  void AskForSession(coord::v1::Attach& attach) const;
  void OnFrame(coord::v1::SessionResponse frame);
  void OnAttached(const coord::v1::Attached& attached);
  void OnResponse(coord::v1::Response response);
  void OnKeepAliveAck(uint64_t id);
  void Disconnect(const absl::Status& why);
  void Expire(const absl::Status& why);
  // Enters a final state: nothing is sent any more, everything fails with `why`.
  void Finish(SessionState state, const absl::Status& why);

  void SendKeepAlive();
  void ExtendDeadline(absl::Duration sent_at);
  // Follows from connection and deadline, until a final state.
  void UpdateState();
  void SetState(SessionState state);

  const CoordOptions options_;
  base::Executor& executor_;
  base::Clock& clock_;
  CoordConnector& connector_;
  ServerList servers_;
  const base::Uuid nonce_;

  std::vector<Credential> credentials_;  // of the options, and what Authenticate added

  RequestQueue queue_;
  OneShotWatches watches_;
  GrantWaits grant_waits_;
  SessionInfo session_;
  std::string password_;
  std::unique_ptr<SessionCall> call_;
  uint64_t attempts_ = 0;  // connections opened
  int failures_ = 0;       // in a row
  bool attached_ = false;  // on call_
  bool closing_ = false;
  absl::Duration attach_sent_at_;
  absl::Duration attached_at_;
  absl::Duration paused_until_;  // send nothing before
  absl::Duration pause_;         // the last one, of several without an answer between them
  std::deque<std::pair<uint64_t, absl::Duration>> keep_alives_;  // unanswered: id, when sent
  uint64_t next_keep_alive_ = 1;
  std::atomic<int64_t> deadline_ns_ = 0;

  SessionState state_ = SessionState::kConnecting;
  absl::Status final_status_;  // an error once the state is final
  std::map<ListenerId, std::shared_ptr<StateListener>> listeners_;  // shared while being called
  ListenerId next_listener_ = 1;

  base::TimerId connect_timer_ = 0;     // next Connect, or the end of waiting for Attached
  base::TimerId keep_alive_timer_ = 0;
  base::TimerId deadline_timer_ = 0;
  base::TimerId request_timer_ = 0;
  absl::Duration request_timer_at_ = absl::InfiniteDuration();
  base::TimerId pause_timer_ = 0;
  std::shared_ptr<bool> alive_;  // shared with tasks that may outlive this
};

}  // namespace bellwether::client
