#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/ring.h"
#include "coord/service/apply_waiters.h"
#include "coord/service/lock_waits.h"
#include "coord/service/options.h"
#include "coord/service/reads.h"
#include "coord/service/requests.h"
#include "coord/service/slow_requests.h"
#include "coord/service/stream_sink.h"
#include "coord/service/znode_watches.h"

namespace bellwether::coord {

class Connection;

// A write on its way to the log.
struct ProposedWrite {
  uint64_t token = 0;
  Request request;
  absl::Duration received;  // when it came, by the clock of SlowRequests
};

// What came on a connection since it was opened, and what waits there, for operators.
struct ConnectionFigures {
  std::string address;
  SessionId session;  // 0: none (yet)
  uint64_t requests = 0;
  uint64_t writes = 0;  // among them
  uint64_t request_bytes = 0;
  size_t unanswered = 0;    // requests
  size_t outbox_bytes = 0;  // not taken yet
  absl::Duration open;      // for how long
};

// How far reads have come.
struct ReadProgress {
  size_t answered = 0;
  std::unique_ptr<ReadInPieces> begun;  // the one behind these
};

// What a connection needs of the service. Callbacks run on the connection's executor.
class ConnectionBackend {
 public:
  using StatusCallback = absl::AnyInvocable<void(absl::Status)>;
  using IndexCallback = absl::AnyInvocable<void(absl::StatusOr<LogIndex>)>;
  using ResponseCallback = absl::AnyInvocable<void(Response)>;

  virtual ~ConnectionBackend() = default;

  // A number for a command of this process, rising.
  virtual uint64_t NextToken() = 0;
  // In force at this server.
  virtual uint32_t feature_level() const = 0;
  // Why a write is not to be proposed because the tree is too large.
  virtual std::optional<Failure> RefusesGrowth(const RequestOperation& operation) = 0;
  // Outlives the connections.
  virtual SlowRequests& slow_requests() = 0;
  // Proposes to open or take over a session. Its fate comes by OnAttached or OnAttachRefused.
  virtual void ProposeAttach(std::shared_ptr<Connection> connection, uint64_t token,
                             const AttachRequest& request) = 0;
  // What a read-only connection is told; asks nobody. Errors: UNAVAILABLE while there is no state
  // to read, FAILED_PRECONDITION for another ensemble's id.
  virtual absl::StatusOr<Attached> AttachReadOnly(const AttachRequest& request) const = 0;
  // Proposes writes of the session in order. Their results come by Settle; `done` says OK for
  // "appended".
  virtual void ProposeWrites(base::Executor& executor, SessionId session,
                             const Principal& principal, std::vector<ProposedWrite> writes,
                             StatusCallback done) = 0;
  // Changes who is in the ensemble, as a Reconfigure says, and answers within its time.
  virtual void Reconfigure(base::Executor& executor, Request request, ResponseCallback done) = 0;
  virtual void RequestReadIndex(base::Executor& executor, IndexCallback done) = 0;
  // Touches the session at the leader, which then confirms its term. The session lives if it does
  // at a state that has applied the index.
  virtual void KeepAlive(base::Executor& executor, SessionId session, IndexCallback done) = 0;
  virtual void Touch(SessionId session) = 0;
  // Whether this server has had confirmed contact with a leader within two election timeouts.
  virtual bool InContact() const = 0;
  virtual bool AppliedOrWait(LogIndex index, Zxid zxid, std::shared_ptr<ApplyWaiter> waiter) = 0;
  virtual bool Applied(LogIndex index, Zxid zxid) const = 0;
  // Evaluates reads in order and answers them with Answer, under one hold of the tree: fewer than all
  // when the connection's outbox fills up, or they cost much together; at least one, unless the first
  // one is begun. When one costs much by itself it is begun, and the connection expects its answer.
  virtual ReadProgress EvaluateReads(const std::shared_ptr<Connection>& connection,
                                     const std::vector<const Request*>& reads) = 0;
  // The connection is over because its client did not take the events of its watches.
  virtual void OnClientTooSlow(const Connection& connection) = 0;
  // The connection is over: forget it and its watches.
  virtual void OnConnectionClosed(Connection& connection) = 0;
};

// One client stream of one session. Requests take effect and are answered in the order received:
// writes are pipelined into the log, a read waits for the writes before it, and a write is not
// proposed before the reads before it were evaluated. Knows no protocol and no znodes. Others of its
// executor go on between a few reads, and between the pieces of one that costs much.
// A read-only connection has no session and asks nothing of the leader: it evaluates reads that may
// be stale, and refuses everything else. One that needs contact is given up, whatever it asks, when
// this server has had none with a leader for too long.
// Shared by the frontend, the service's tables and its own tasks.
// Threads: the pipeline is owned by `executor`; what the frontend and the applier touch is guarded
// by mutex_, the last lock in the lock order.
// Limits: ServiceOptions; above those of outstanding requests Submit says "read no further".
//
// Invariants:
// - every request gets one response, in order, or the connection ends
// - nothing is queued after Detached or a failed Attached
class Connection : public ZnodeWatcher,
                   public LockWaiter,
                   public ApplyWaiter,
                   public std::enable_shared_from_this<Connection> {
 public:
  Connection(Principal principal, const ServiceOptions& options, ConnectionBackend& backend,
             base::Executor& executor, std::shared_ptr<StreamSink> sink, uint64_t serial);

  // Posts the first step: the handshake's deadline.
  void Start();

  // The frontend, any thread. `bytes`: of the frame. False: read no further until OnResume.
  bool Submit(ClientFrame frame, size_t bytes);
  // The client is gone: nothing more is answered, but what it sent before is still proposed.
  void Close();
  // The client authenticated: from the next request on it asks as these, and its watches tell what
  // these may see. Until the first call they are what its address proves. Any thread.
  void SetIdentities(std::shared_ptr<const tree::Identities> identities);
  // Moves frames worth about `bytes_max` to `frames`, at least one if there is one. Finished: the
  // stream ends once they are sent.
  TakeResult Take(size_t bytes_max, std::vector<ServerFrame>& frames);

  // Proposes nothing more, waits for what is in flight, and gives the connection up. Any thread.
  void Drain(Failure failure);

  // The service. All of these only queue; true: call PostWake when no lock is held.
  // The session is this connection's. Ignored (false) when the connection is over.
  bool OnAttached(const Attached& attached);
  // A write was applied. `command`: what it was; `now`: by the clock of SlowRequests, or a little
  // before that.
  bool Settle(uint64_t token, Response response, const tree::Command& command, absl::Duration now);
  // A client that leaves too many events is given up: unlike replies they come unasked.
  bool QueueEvent(WatchEvent event) override;
  // Bounded by the waits and the replies that told of them.
  bool QueueGrantEvent(GrantEvent event) override;
  std::shared_ptr<const tree::Identities> identities() const override;
  // Gives the connection up. Before the session is attached the client gets a failed Attached.
  bool Detach(Failure failure);
  // Likewise, when writes or the attach have an unknown fate.
  bool DetachIfUnsettled(const Failure& failure);

  // Answers a keepalive, on the connection's executor.
  void AnswerKeepAlive(uint64_t id);
  // Answers the oldest request, on the connection's executor.
  void Answer(Response response);
  // The oldest request will be answered, later, of the state that the caller holds: events that are
  // queued from now on come behind that answer, as they tell of what comes after it.
  void ExpectAnswer();
  // The oldest request, which sets watches again, will be answered, later, of a later state: until
  // ExpectAnswer is called, too, events wait, but for those of what was missed. A client that has one
  // of them believes to have seen everything before it.
  void ExpectCatchUp();

  void PostWake() override;

  const Principal& principal() const { return principal_; }
  // Connections of a server are numbered in the order in which they came.
  uint64_t serial() const { return serial_; }
  // 0 before OnAttached, and when read-only.
  SessionId session() const override;
  SessionGeneration generation() const;
  // Bytes of frames not yet taken.
  size_t outbox_bytes() const;
  // Bytes of requests not yet answered.
  size_t unanswered_bytes() const;
  ConnectionFigures figures() const;

 private:
  // A request received and not yet answered, nor proposed.
  struct Waiting {
    uint64_t number = 0;  // 1, 2, 3, ... within the connection
    Request request;
    std::optional<Failure> refused;
    std::optional<LogIndex> read_index;
    absl::Duration received;
  };
  struct InFlight {
    uint64_t token = 0;
    uint64_t request_id = 0;
    std::vector<uint32_t> compare_positions;  // of Request
    std::optional<Response> response;         // settled, behind one that is not
    bool was_applied = false;                 // before the attach
    absl::Duration received;
    absl::Duration proposed;
  };
  enum class Phase { kConnected, kAttaching, kOpen, kClosed };
  enum class HoldsEvents { kNot, kBehindAnswer, kBeforeAnswer };

  // The pipeline, on the executor.
  void OnWake();
  void Run();
  void Receive(AttachRequest request);
  void Receive(Request request);
  void Receive(KeepAliveRequest request);
  void Receive(Ping) {}
  void Receive(ProtocolError error);
  void AskForKeepAlive(uint64_t id);
  void RetryKeepAlive(uint64_t id);
  void AttachReadOnly(const AttachRequest& request);
  std::optional<Failure> RefuseAtOnce(const Request& request) const;
  void RequestReadIndexes();
  void OnReadIndex(uint64_t last_number, const absl::StatusOr<LogIndex>& index);
  void Pump();
  std::optional<Failure> AdmitWrite(const Request& request) const;
  // Sent again for its result, which the state machine tells.
  bool WasApplied(const Request& write) const;
  void ProposeRun(std::vector<ProposedWrite> run);
  void OnProposed(uint64_t first_token, uint64_t last_token, CommandSequence first_sequence,
                  const absl::Status& status);
  bool ReadyToEvaluate(Waiting& read);
  void AwaitApplied(const Waiting& read);
  void EvaluateRun();
  bool ContinueLongRead();
  void TakeAnotherTurn();
  void StartReconfigure();
  // A request is answered now that was not evaluated.
  void TellIfSlow(const RequestSubject& subject, absl::Duration received);
  // The oldest ones were evaluated together.
  void TellSlowReads(size_t evaluated, absl::Duration began, absl::Duration ended);
  void Finish();
  void FinishWithoutClient(std::vector<ClientFrame> frames);
  void ResumeReadingIfRoom();
  bool DetachIfDrained();
  bool DetachIfOutOfContact();
  void DetachNow(Failure failure);

  bool MustHoldBack(const ServerFrame& frame) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Push(ServerFrame frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PushResponse(Response response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReleaseEvents() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ClearOutbox() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SettleLocked(InFlight& write, Response response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool PushSettled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteAnswered(const InFlight& write, const tree::Operation* operation, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NeedsWake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Principal principal_;
  const ServiceOptions& options_;
  ConnectionBackend& backend_;
  base::Executor& executor_;
  const std::shared_ptr<StreamSink> sink_;
  const uint64_t serial_;
  SlowRequests& slow_requests_;
  const absl::Duration opened_;

  // Owned by the executor.
  Phase phase_ = Phase::kConnected;
  bool read_only_ = false;
  bool needs_contact_ = false;
  base::Ring<Waiting> waiting_;
  uint64_t last_number_ = 0;
  absl::Duration received_;  // when the frames came that are looked at
  bool index_wanted_ = false;  // a read has come that needs a read index
  std::unique_ptr<ReadInPieces> long_read_;  // the front of waiting_, under way
  bool turn_posted_ = false;
  bool reconfiguring_ = false;  // a Reconfigure is under way, and nothing goes past it
  // The log refused a write, and its client, who does not count them, may have others behind it that
  // must not take effect without it.
  bool write_lost_ = false;
  CommandSequence applied_sequence_;  // at the attach
  CommandSequence next_sequence_;
  base::TimerId attach_timer_ = 0;
  base::TimerId apply_timer_ = 0;
  uint64_t apply_timer_number_ = 0;  // the read it is for
  uint64_t newest_keep_alive_ = 0;   // id of the last one received
  base::TimerId keep_alive_timer_ = 0;  // that it is asked for again

  mutable base::Mutex mutex_;
  bool wake_posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool client_gone_ ABSL_GUARDED_BY(mutex_) = false;  // finished soon
  std::optional<Failure> draining_ ABSL_GUARDED_BY(mutex_);  // set: for this reason
  bool reading_paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool attached_ ABSL_GUARDED_BY(mutex_) = false;
  SessionId session_ ABSL_GUARDED_BY(mutex_);
  SessionGeneration generation_ ABSL_GUARDED_BY(mutex_);
  CommandSequence last_sequence_ ABSL_GUARDED_BY(mutex_);  // at the attach
  // Never null. Shared with requests on their way.
  std::shared_ptr<const tree::Identities> identities_ ABSL_GUARDED_BY(mutex_);
  std::vector<ClientFrame> inbox_ ABSL_GUARDED_BY(mutex_);
  absl::Duration inbox_since_ ABSL_GUARDED_BY(mutex_);  // when the first of it came
  size_t inbox_expected_ ABSL_GUARDED_BY(mutex_) = 0;  // frames: as many as came together last
  base::Ring<InFlight> in_flight_ ABSL_GUARDED_BY(mutex_);
  base::Ring<ServerFrame> outbox_ ABSL_GUARDED_BY(mutex_);
  // While an answer is being made.
  HoldsEvents holds_events_ ABSL_GUARDED_BY(mutex_) = HoldsEvents::kNot;
  base::Ring<ServerFrame> held_back_ ABSL_GUARDED_BY(mutex_);
  size_t outbox_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of both
  size_t event_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of the events among them
  bool too_slow_ ABSL_GUARDED_BY(mutex_) = false;   // given up for those
  // Bytes of each request not yet answered, in order.
  base::Ring<size_t> unanswered_ ABSL_GUARDED_BY(mutex_);
  size_t unanswered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Requests received.
  uint64_t requests_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t writes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t request_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Writes that the applier found to have taken long: told when nobody holds the tree.
  std::vector<SlowRequest> slow_writes_ ABSL_GUARDED_BY(mutex_);
  size_t slow_writes_unkept_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::coord
