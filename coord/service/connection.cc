#include "coord/service/connection.h"

#include <algorithm>
#include <iterator>
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
// Slow writes kept until they are told.
constexpr size_t kSlowWritesMax = 16;

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

// Likewise.
Failure TakesEventsTooSlowly() {
  return {absl::StatusCode::kResourceExhausted,
          "the client does not take the events of its watches; read faster, or watch less", "",
          base::Outcome::kUnknown};
}

// Of a write that was applied before: that it is refused now does not mean that nothing happened.
Failure ResultUnknown(Failure failure) {
  failure.outcome = base::Outcome::kUnknown;
  failure.message += "; it was applied before, send it again for its result";
  return failure;
}

Failure UnsettledWrites(const absl::Status& status) {
  return {absl::StatusCode::kUnavailable,
          fmt::format("the fate of writes is not known: {}; attach again to learn what took effect",
                      status),
          "", base::Outcome::kUnknown};
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

TakeResult Connection::Take(size_t bytes_max, std::vector<ServerFrame>& frames) {
  bool wake = false;
  TakeResult result;
  {
    base::MutexLock lock(mutex_);
    const bool was_full = outbox_bytes_ > options_.outbox_bytes_max;
    for (size_t bytes = 0; !outbox_.empty() && (bytes == 0 || bytes < bytes_max);) {
      const size_t frame_bytes = FrameBytes(outbox_.front());
      bytes += frame_bytes;
      outbox_bytes_ -= frame_bytes;
      if (std::holds_alternative<WatchEvent>(outbox_.front())) event_bytes_ -= frame_bytes;
      frames.push_back(std::move(outbox_.front()));
      outbox_.pop_front();
    }
    result.finished = (finished_ || client_gone_) && outbox_.empty();
    // Reads wait for room in the outbox.
    if (was_full && outbox_bytes_ <= options_.outbox_bytes_max) wake = NeedsWake();
  }
  if (wake) PostWake();
  return result;
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

bool Connection::Settle(uint64_t token, Response response, const tree::Command& command,
                        absl::Duration now) {
  base::MutexLock lock(mutex_);
  auto settled = std::find_if(in_flight_.begin(), in_flight_.end(),
                              [token](const InFlight& write) { return write.token == token; });
  if (finished_ || settled == in_flight_.end()) return false;
  NoteAnswered(*settled, &command.operation, now);
  SettleLocked(*settled, std::move(response));
  return PushSettled();
}

// `operation`: null when it is not known any more. Only queues, as the tree may be held.
void Connection::NoteAnswered(const InFlight& write, const tree::Operation* operation,
                              absl::Duration now) {
  const absl::Duration took = now - write.received;
  slow_requests_.ObserveWrite(took);
  if (!slow_requests_.IsSlow(took)) return;
  if (slow_writes_.size() >= kSlowWritesMax) {
    ++slow_writes_unkept_;
    return;
  }
  SlowRequest slow;
  slow.subject = operation == nullptr ? RequestSubject{"write", ""} : SubjectOf(*operation);
  slow.took = took;
  slow.queued = write.proposed - write.received;
  slow.replicated = now - write.proposed;
  slow_writes_.push_back(std::move(slow));
}

void Connection::SettleLocked(InFlight& write, Response response) {
  response.request_id = write.request_id;
  auto* transaction = std::get_if<TransactionResult>(&response.result);
  if (transaction != nullptr && transaction->failed_compare >= 0 &&
      !write.compare_positions.empty()) {
    const auto position = static_cast<size_t>(transaction->failed_compare);
    transaction->failed_compare = static_cast<int32_t>(write.compare_positions.at(position));
  }
  write.response = std::move(response);
}

bool Connection::PushSettled() {
  if (in_flight_.empty() || !in_flight_.front().response.has_value()) return false;
  while (!in_flight_.empty() && in_flight_.front().response.has_value()) {
    PushResponse(std::move(*in_flight_.front().response));
    in_flight_.pop_front();
  }
  return NeedsWake();
}

void Connection::Answer(Response response) {
  base::MutexLock lock(mutex_);
  if (!finished_) PushResponse(std::move(response));
}

void Connection::ExpectAnswer() {
  base::MutexLock lock(mutex_);
  holds_events_back_ = true;
}

bool Connection::QueueEvent(WatchEvent event) {
  base::MutexLock lock(mutex_);
  if (finished_ || client_gone_) return false;
  ServerFrame frame(std::move(event));
  event_bytes_ += FrameBytes(frame);
  too_slow_ = event_bytes_ > options_.event_bytes_max;
  if (too_slow_) {
    ClearOutbox();
    Push(Detached{TakesEventsTooSlowly()});
    FinishLocked();
  } else {
    Push(std::move(frame));
  }
  return NeedsWake();
}

bool Connection::QueueGrantEvent(GrantEvent event) {
  base::MutexLock lock(mutex_);
  if (finished_) return false;
  Push(std::move(event));
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

size_t Connection::outbox_bytes() const {
  base::MutexLock lock(mutex_);
  return outbox_bytes_;
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

void Connection::Push(ServerFrame frame) {
  if (client_gone_) return;
  outbox_bytes_ += FrameBytes(frame);
  const bool held_back =
      holds_events_back_ && (std::holds_alternative<WatchEvent>(frame) ||
                             std::holds_alternative<GrantEvent>(frame));
  (held_back ? held_back_ : outbox_).push_back(std::move(frame));
}

void Connection::PushResponse(Response response) {
  unanswered_bytes_ -= unanswered_.front();
  unanswered_.pop_front();
  if (client_gone_) return;
  Push(std::move(response));
  const size_t last = outbox_.size() - 1;
  if (last > 0 && std::holds_alternative<WatchEvent>(outbox_[last - 1]) && MUTANT(54)) {
    std::swap(outbox_[last - 1], outbox_[last]);
  }
  ReleaseEvents();
}

void Connection::ReleaseEvents() {
  holds_events_back_ = false;
  outbox_.insert(outbox_.end(), std::make_move_iterator(held_back_.begin()),
                 std::make_move_iterator(held_back_.end()));
  held_back_.clear();
}

void Connection::ClearOutbox() {
  outbox_.clear();
  held_back_.clear();
  outbox_bytes_ = event_bytes_ = 0;
}

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
    std::erase_if(waiting_, [](const Waiting& waiting) { return !waiting.request.is_write(); });
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

// The read index is asked for on receipt, while earlier writes are still on their way. One answer
// serves all reads received by then.
void Connection::RequestReadIndexes() {
  if (!std::exchange(index_wanted_, false)) return;
  backend_.RequestReadIndex(
      executor_, [self = shared_from_this(), last = last_number_](absl::StatusOr<LogIndex> index) {
        self->OnReadIndex(last, index);
      });
}

void Connection::OnReadIndex(uint64_t last_number, const absl::StatusOr<LogIndex>& index) {
  for (Waiting& waiting : waiting_) {
    if (waiting.number > last_number) break;
    if (waiting.read_index.has_value()) continue;
    waiting.read_index = index.ok() ? *index : LogIndex(0);
    if (!index.ok()) waiting.refused = FailureOf(index.status());
  }
  Run();
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

bool Connection::WasApplied(const Request& write) const {
  return write.sequence > CommandSequence() && write.sequence <= applied_sequence_ &&
         backend_.feature_level() >= tree::kFeatureLevelRetries;
}

std::optional<Failure> Connection::AdmitWrite(const Request& request) const {
  if (options_.feature_level_of(request.operation) > backend_.feature_level()) {
    return Failure{absl::StatusCode::kFailedPrecondition,
                   "the ensemble's feature level is too low for this operation: finish the upgrade "
                   "of all servers and run `bell cluster upgrade --finalize`",
                   "feature_level", base::Outcome::kRejected};
  }
  if (WasApplied(request)) {
    std::optional<Failure> refused = CheckWrite(request, options_.request_bytes_max);
    if (refused.has_value()) refused = ResultUnknown(*std::move(refused));
    return refused;
  }
  if (request.sequence == next_sequence_) {
    std::optional<Failure> refused = CheckWrite(request, options_.request_bytes_max);
    return refused.has_value() ? std::move(refused) : backend_.RefusesGrowth(request.operation);
  }
  Failure failure = FailureOf(tree::ResultCode::kSequenceGap, "");
  failure.message = fmt::format("sequence {} is not the session's next one, {}", request.sequence,
                                next_sequence_);
  return failure;
}

void Connection::ProposeRun(std::vector<ProposedWrite> run) {
  if (run.empty()) return;
  const uint64_t first = run.front().token;
  const uint64_t last = run.back().token;
  // The first that uses up a number: what was applied before used up its own.
  CommandSequence first_sequence = next_sequence_;
  const absl::Duration now = slow_requests_.Now();
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    for (const ProposedWrite& write : run) {
      const bool was_applied = WasApplied(write.request);
      if (!was_applied) first_sequence = std::min(first_sequence, write.request.sequence);
      in_flight_.push_back({write.token, write.request.id, write.request.compare_positions,
                            std::nullopt, was_applied, write.received, now});
    }
  }
  backend_.ProposeWrites(executor_, session(), principal_, std::move(run),
                         [self = shared_from_this(), first, last, first_sequence](
                             absl::Status status) {
                           if (!status.ok()) self->OnProposed(first, last, first_sequence, status);
                         });
}

// Refused for good: answered as such, and the sequence numbers are free again; what was proposed
// behind them is refused by the state machine as a gap. Unknown: only a new generation can tell.
void Connection::OnProposed(uint64_t first_token, uint64_t last_token,
                            CommandSequence first_sequence, const absl::Status& status) {
  if (base::OutcomeOf(status) == base::Outcome::kUnknown) return DetachNow(UnsettledWrites(status));
  next_sequence_ = std::min(next_sequence_, first_sequence);
  write_lost_ = true;
  const absl::Duration now = slow_requests_.Now();
  {
    base::MutexLock lock(mutex_);
    for (InFlight& write : in_flight_) {
      if (write.token < first_token || write.token > last_token) continue;
      Response response;
      response.failure = FailureOf(status);
      if (write.was_applied) response.failure = ResultUnknown(*std::move(response.failure));
      NoteAnswered(write, nullptr, now);
      SettleLocked(write, std::move(response));
    }
    if (!PushSettled()) return;
  }
  PostWake();
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
