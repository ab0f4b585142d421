#include "coord/service/connection.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/service/identities.h"
#include "coord/service/writes.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// Between two questions to the leader because of one keepalive.
constexpr absl::Duration kKeepAliveRetryInterval = absl::Milliseconds(100);
// Runs of reads that are evaluated before others of the executor go on.
constexpr size_t kReadRunsPerTurn = 4;
// Writes handed to the log in one call.
constexpr size_t kWritesPerProposal = 256;

// A keepalive that the leader has confirmed and this server must first catch up with.
class KeepAliveWaiter : public ApplyWaiter {
 public:
  KeepAliveWaiter(std::shared_ptr<Connection> connection, base::Executor& executor, uint64_t id)
      : connection_(std::move(connection)), executor_(executor), id_(id) {}

  void PostWake() override {
    executor_.Post([connection = connection_, id = id_] { connection->AnswerKeepAlive(id); });
  }

 private:
  const std::shared_ptr<Connection> connection_;  // shared with the service and the frontend
  base::Executor& executor_;
  const uint64_t id_;
};

// Never stale, whatever the request says.
bool IsBarrier(const RequestOperation& operation) {
  return std::holds_alternative<SyncRead>(operation) ||
         std::holds_alternative<Reconfigure>(operation);
}

// Of unknown outcome: writes may be on their way.
Failure OutOfContact() {
  return {absl::StatusCode::kUnavailable,
          "this server has no contact with a leader; use another server", "",
          base::Outcome::kUnknown};
}

}  // namespace

Connection::Connection(Principal principal, const ServiceOptions& options,
                       ConnectionBackend& backend, base::Executor& executor,
                       std::shared_ptr<StreamSink> sink, uint64_t serial)
    : principal_(std::move(principal)),
      options_(options),
      backend_(backend),
      executor_(executor),
      sink_(std::move(sink)),
      serial_(serial),
      slow_requests_(backend.slow_requests()),
      opened_(slow_requests_.Now()),
      identities_(std::make_shared<const tree::Identities>(
          tree::Identities{AddressIdentity(principal_.address)})) {}

void Connection::Start() {
  executor_.Post([self = shared_from_this()] {
    self->attach_timer_ =
        self->executor_.RunAfter(self->options_.attach_timeout, [self] {
          if (self->phase_ != Phase::kConnected) return;
          self->DetachNow({absl::StatusCode::kDeadlineExceeded, "no Attach frame came in time", "",
                           base::Outcome::kRejected});
        });
  });
}

// ---- What other threads call ----

bool Connection::Submit(ClientFrame frame, size_t bytes) {
  bool wake;
  bool go_on;
  {
    base::MutexLock lock(mutex_);
    if (finished_ || client_gone_) return false;
    if (auto* request = std::get_if<Request>(&frame)) {
      if (request->identities == nullptr) request->identities = identities_;
      unanswered_.push_back(bytes + sizeof(Request));
      unanswered_bytes_ += unanswered_.back();
      ++requests_;
      if (request->is_write()) ++writes_;
      request_bytes_ += bytes;
    }
    if (inbox_.empty()) inbox_since_ = slow_requests_.Now();  // those behind it came soon after
    if (inbox_.capacity() == 0) inbox_.reserve(inbox_expected_);
    inbox_.push_back(std::move(frame));
    // Keepalives are not answered in order, so that they count only while they wait here.
    go_on = HasRoom() && inbox_.size() < 2 * options_.outstanding_requests_max;
    reading_paused_ = !go_on;
    wake = NeedsWake();
  }
  if (wake) PostWake();
  return go_on;
}

void Connection::Close() {
  {
    base::MutexLock lock(mutex_);
    client_gone_ = true;
    ClearOutbox();
  }
  PostWake();
}

void Connection::SetIdentities(std::shared_ptr<const tree::Identities> identities) {
  base::MutexLock lock(mutex_);
  identities_ = std::move(identities);
}

void Connection::Drain(Failure failure) {
  {
    base::MutexLock lock(mutex_);
    draining_ = std::move(failure);
  }
  PostWake();
}

bool Connection::OnAttached(const Attached& attached) {
  base::MutexLock lock(mutex_);
  if (finished_) return false;
  attached_ = true;
  session_ = attached.grant.session;
  generation_ = attached.grant.generation;
  last_sequence_ = attached.grant.last_sequence;
  Push(attached);
  return NeedsWake();
}

bool Connection::Detach(Failure failure) {
  base::MutexLock lock(mutex_);
  if (finished_) return false;
  ReleaseEvents();
  if (!attached_) {
    Attached refused;
    refused.failure = std::move(failure);
    refused.server_id = options_.server_id;
    Push(std::move(refused));
  } else {
    Push(Detached{std::move(failure)});
  }
  FinishLocked();
  return NeedsWake();
}

bool Connection::DetachIfUnsettled(const Failure& failure) {
  {
    base::MutexLock lock(mutex_);
    if (in_flight_.empty()) return false;
  }
  return Detach(failure);
}

std::shared_ptr<const tree::Identities> Connection::identities() const {
  base::MutexLock lock(mutex_);
  return identities_;
}

SessionId Connection::session() const {
  base::MutexLock lock(mutex_);
  return session_;
}

SessionGeneration Connection::generation() const {
  base::MutexLock lock(mutex_);
  return generation_;
}

size_t Connection::unanswered_bytes() const {
  base::MutexLock lock(mutex_);
  return unanswered_bytes_;
}

ConnectionFigures Connection::figures() const {
  ConnectionFigures figures;
  figures.address = principal_.address;
  figures.open = slow_requests_.Now() - opened_;
  base::MutexLock lock(mutex_);
  figures.session = session_;
  figures.requests = requests_;
  figures.writes = writes_;
  figures.request_bytes = request_bytes_;
  figures.unanswered = unanswered_.size();
  figures.outbox_bytes = outbox_bytes_;
  return figures;
}

void Connection::PostWake() {
  {
    base::MutexLock lock(mutex_);
    wake_posted_ = true;
  }
  executor_.Post([self = shared_from_this()] { self->OnWake(); });
}

bool Connection::NeedsWake() { return !std::exchange(wake_posted_, true); }

void Connection::FinishLocked() {
  finished_ = true;
  in_flight_.clear();
  inbox_.clear();
}

bool Connection::HasRoom() const {
  return unanswered_.size() < options_.outstanding_requests_max &&
         unanswered_bytes_ < options_.outstanding_request_bytes_max &&
         outbox_bytes_ <= options_.outbox_bytes_max;
}

// ---- The pipeline ----

void Connection::OnWake() {
  std::vector<ClientFrame> frames;
  std::vector<SlowRequest> slow_writes;
  size_t unkept = 0;
  bool finished;
  bool client_gone;
  {
    base::MutexLock lock(mutex_);
    wake_posted_ = false;
    frames.swap(inbox_);
    if (!frames.empty()) inbox_expected_ = frames.size();
    client_gone = client_gone_;
    received_ = inbox_since_;
    slow_writes.swap(slow_writes_);
    unkept = std::exchange(slow_writes_unkept_, 0);
    finished = finished_;
    if (phase_ == Phase::kAttaching && attached_) {
      phase_ = Phase::kOpen;
      applied_sequence_ = last_sequence_;
      next_sequence_ = last_sequence_ + 1;
    }
  }
  for (const SlowRequest& slow : slow_writes) {
    slow_requests_.Tell(session(), principal_.address, slow);
  }
  if (unkept > 0) slow_requests_.TellUnkept(unkept);
  if (phase_ == Phase::kClosed) return;
  if (finished) {
    Finish();
    return sink_->OnOutput();
  }
  if (client_gone) return FinishWithoutClient(std::move(frames));
  if (!frames.empty() && DetachIfOutOfContact()) return;
  for (ClientFrame& frame : frames) {
    std::visit([this](auto& received) { Receive(std::move(received)); }, frame);
  }
  if (phase_ == Phase::kOpen && !read_only_ && !frames.empty()) backend_.Touch(session());
  RequestReadIndexes();
  Run();
}

// What can be done now, then what came of it to the frontend.
void Connection::Run() {
  if (!DetachIfDrained()) Pump();
  ResumeReadingIfRoom();
  sink_->OnOutput();
}

// What the client sent before it went is proposed, as nobody who writes and leaves expects it undone;
// reads concern nobody any more.
void Connection::FinishWithoutClient(std::vector<ClientFrame> frames) {
  bool draining;
  {
    base::MutexLock lock(mutex_);
    draining = draining_.has_value();
  }
  if (phase_ == Phase::kOpen && !read_only_ && !draining) {
    for (ClientFrame& frame : frames) {
      if (std::holds_alternative<ProtocolError>(frame)) break;
      if (auto* request = std::get_if<Request>(&frame)) Receive(std::move(*request));
    }
    if (!frames.empty()) backend_.Touch(session());
    long_read_.reset();
    waiting_.EraseIf([](const Waiting& waiting) { return !waiting.request.is_write(); });
    Pump();
  }
  {
    base::MutexLock lock(mutex_);
    FinishLocked();
  }
  Finish();
  sink_->OnOutput();
}

void Connection::Receive(AttachRequest request) {
  if (phase_ != Phase::kConnected) return Receive(ProtocolError{"a second Attach frame"});
  phase_ = Phase::kAttaching;
  needs_contact_ = request.needs_contact;
  executor_.Cancel(attach_timer_);
  if (request.read_only) return AttachReadOnly(request);
  backend_.ProposeAttach(shared_from_this(), backend_.NextToken(), request);
}

void Connection::AttachReadOnly(const AttachRequest& request) {
  read_only_ = true;
  const absl::StatusOr<Attached> attached = backend_.AttachReadOnly(request);
  if (!attached.ok()) return DetachNow(FailureOf(attached.status()));
  phase_ = Phase::kOpen;
  if (OnAttached(*attached)) PostWake();
}

void Connection::Receive(ProtocolError error) {
  LOG_INFO("stream broke the protocol client={} error={}", principal_.address, error.message);
  DetachNow({absl::StatusCode::kInvalidArgument,
             fmt::format("the stream's protocol was broken: {}", error.message), "protocol_error",
             base::Outcome::kRejected});
}

void Connection::Receive(KeepAliveRequest request) {
  if (phase_ != Phase::kOpen || read_only_) {
    return Receive(ProtocolError{"a KeepAlive without a session"});
  }
  newest_keep_alive_ = request.id;
  executor_.Cancel(keep_alive_timer_);
  AskForKeepAlive(request.id);
}

// Answered when this server has applied whatever may have ended the session before the touch:
// then this connection would be over.
void Connection::AskForKeepAlive(uint64_t id) {
  backend_.KeepAlive(
      executor_, session(), [self = shared_from_this(), id](absl::StatusOr<LogIndex> index) {
        if (!index.ok()) return MUTANT(26) ? self->AnswerKeepAlive(id) : self->RetryKeepAlive(id);
        auto waiter = std::make_shared<KeepAliveWaiter>(self, self->executor_, id);
        if (self->backend_.AppliedOrWait(*index, Zxid(), std::move(waiter))) {
          self->AnswerKeepAlive(id);
        }
      });
}

// Without the leader's word there is no answer: the client's own deadline decides. It does not ask
// again, and it may count from when it sent this one however late the answer is. The answer to a newer
// one serves for this one, too.
void Connection::RetryKeepAlive(uint64_t id) {
  if (phase_ != Phase::kOpen || id != newest_keep_alive_) return;
  executor_.Cancel(keep_alive_timer_);
  keep_alive_timer_ = executor_.RunAfter(kKeepAliveRetryInterval, [self = shared_from_this(), id] {
    if (self->phase_ == Phase::kOpen) self->AskForKeepAlive(id);
  });
}

void Connection::AnswerKeepAlive(uint64_t id) {
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    Push(KeepAliveAck{id});
  }
  sink_->OnOutput();
}

void Connection::Receive(Request request) {
  if (phase_ != Phase::kOpen) return Receive(ProtocolError{"a Request before Attached"});
  Waiting& waiting = waiting_.emplace_back();
  waiting.number = ++last_number_;
  waiting.received = received_;
  waiting.refused = std::move(request.malformed);
  waiting.request = std::move(request);
  if (!waiting.refused.has_value()) waiting.refused = RefuseAtOnce(waiting.request);
  const bool barrier = IsBarrier(waiting.request.operation);
  const bool stale = waiting.request.stale_ok && (!barrier || MUTANT(63));
  if (!waiting.request.is_write() && !stale && !waiting.refused.has_value()) {
    index_wanted_ = true;
  } else {
    waiting.read_index = LogIndex(0);
  }
}

// What this connection never serves.
std::optional<Failure> Connection::RefuseAtOnce(const Request& request) const {
  const bool barrier = IsBarrier(request.operation);
  if (read_only_ && (request.is_write() || barrier || !request.stale_ok)) {
    return Failure{absl::StatusCode::kFailedPrecondition,
                   "the connection is read-only and serves only reads that may be stale; attach "
                   "with a session",
                   "read_only", base::Outcome::kRejected};
  }
  if (request.generation == generation()) return std::nullopt;
  return FailureOf(tree::ResultCode::kStaleGeneration, "");
}

void Connection::Pump() {
  if (long_read_ != nullptr && !ContinueLongRead()) return TakeAnotherTurn();
  size_t runs_of_reads = 0;
  std::vector<ProposedWrite> run;
  size_t run_bytes = 0;
  while (phase_ == Phase::kOpen && !reconfiguring_ && !waiting_.empty()) {
    Waiting& front = waiting_.front();
    if (front.request.is_write() && !front.refused.has_value()) {
      const bool takes_next = front.request.sequence == kNextSequence && !write_lost_;
      if (takes_next) front.request.sequence = next_sequence_;
      front.refused = AdmitWrite(front.request);
      if (front.refused.has_value()) continue;
      if (MUTANT(50)) front.request.identities = identities();
      if (!WasApplied(front.request)) ++next_sequence_;
      const size_t bytes = WriteBytes(front.request);
      // They become one entry of the log, and one message, unless a single write has more.
      if (run.size() == kWritesPerProposal || run_bytes + bytes > options_.write_run_bytes_max) {
        ProposeRun(std::exchange(run, {}));
        run_bytes = 0;
      }
      run_bytes += bytes;
      run.push_back({backend_.NextToken(), std::move(front.request), front.received});
      waiting_.pop_front();
      continue;
    }
    // A read, or a refusal: its turn comes when all writes before it are settled.
    ProposeRun(std::exchange(run, {}));
    run_bytes = 0;
    {
      base::MutexLock lock(mutex_);
      if (!in_flight_.empty() || finished_) return;
    }
    if (front.refused.has_value()) {
      Response response;
      response.request_id = front.request.id;
      response.failure = std::move(front.refused);
      TellIfSlow(SubjectOf(front.request.operation), front.received);
      waiting_.pop_front();
      Answer(std::move(response));
      continue;
    }
    if (!ReadyToEvaluate(front) || DetachIfOutOfContact()) return;
    if (front.refused.has_value()) continue;
    if (std::holds_alternative<Reconfigure>(front.request.operation)) return StartReconfigure();
    EvaluateRun();
    if (++runs_of_reads == kReadRunsPerTurn || long_read_ != nullptr) return TakeAnotherTurn();
  }
  ProposeRun(std::move(run));
}

void Connection::TellIfSlow(const RequestSubject& subject, absl::Duration received) {
  SlowRequest slow;
  slow.took = slow_requests_.Now() - received;
  if (!slow_requests_.IsSlow(slow.took)) return;
  slow.subject = subject;
  slow_requests_.Tell(session(), principal_.address, slow);
}

// Nothing else of the connection is done meanwhile. Ends within the request's time.
void Connection::StartReconfigure() {
  reconfiguring_ = true;
  Request request = std::move(waiting_.front().request);
  const absl::Duration received = waiting_.front().received;
  waiting_.pop_front();
  backend_.Reconfigure(executor_, std::move(request),
                       [self = shared_from_this(), received](Response response) {
                         self->reconfiguring_ = false;
                         self->TellIfSlow({"reconfigure", ""}, received);
                         if (self->phase_ != Phase::kOpen) return;
                         self->Answer(std::move(response));
                         self->Run();
                       });
}

void Connection::ResumeReadingIfRoom() {
  {
    base::MutexLock lock(mutex_);
    if (!reading_paused_ || finished_ || !HasRoom()) return;
    reading_paused_ = false;
  }
  sink_->OnResume();
}

// True when nothing more is to be proposed.
bool Connection::DetachIfDrained() {
  Failure failure;
  {
    base::MutexLock lock(mutex_);
    if (!draining_.has_value()) return false;
    if (!in_flight_.empty()) return true;
    failure = *draining_;
  }
  long_read_.reset();
  waiting_.clear();
  DetachNow(std::move(failure));
  return true;
}

// Whatever the client wanted: it must look for a server that can tell what goes on.
bool Connection::DetachIfOutOfContact() {
  if (!needs_contact_ || phase_ != Phase::kOpen || backend_.InContact() || MUTANT(60)) return false;
  DetachNow(OutOfContact());
  return true;
}

void Connection::DetachNow(Failure failure) {
  if (Detach(std::move(failure))) PostWake();
}

void Connection::Finish() {
  phase_ = Phase::kClosed;
  long_read_.reset();
  waiting_.clear();
  executor_.Cancel(attach_timer_);
  executor_.Cancel(apply_timer_);
  executor_.Cancel(keep_alive_timer_);
  bool too_slow;
  {
    base::MutexLock lock(mutex_);
    too_slow = too_slow_;
  }
  if (too_slow) backend_.OnClientTooSlow(*this);
  backend_.OnConnectionClosed(*this);
}

}  // namespace bellwether::coord
